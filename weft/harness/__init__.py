"""weft as a model of lm-evaluation-harness, under the name ``weft``.

`weft.harness.command` runs the harness's own command line with the model registered. The wheel also declares
the class in the entry point group ``lm_eval.models``, which versions of the harness after 0.4.13 read.
"""
