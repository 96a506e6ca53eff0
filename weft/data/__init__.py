"""Test questions, training examples and base models: generated, read from files, or downloaded.

===============================  =================================================================
`offline`, `web`, `hub`, `pins`  find, download and check files; pin what comes from the hub
`rows`                           rows of JSON Lines, CSV and Parquet files of other projects
`questions`, `datasets`          the test questions of a benchmark, the examples of a data set
`tasks`                          generated problems
`instructions`                   texts in front of a question
`tokenizer`, `encoding`          text to token ids
`prepare`, `collate`             token ids to a data set on disk, and to batches
`base_model`                     the checkpoint that fine-tuning starts from
===============================  =================================================================
"""
