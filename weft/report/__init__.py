"""Tables, figures and the report page, made from scores, training logs and wall times.

This module imports nothing, because the Snakefile imports the file names in `weft.report.outputs`.
"""
