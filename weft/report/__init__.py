"""Tables, figures and the report page, made from scores, histories and timings.

Nothing is imported here: the Snakefile reads the file names in `weft.report.outputs` at parse time.
"""
