"""The command line: a subcommand for each rule of the workflow.

Subcommands import heavy libraries inside their functions, so that commands without a model start quickly.
"""

from weft.cli import (
    archive,
    chat,
    curve,
    data,
    data_show,
    export,
    fetch,
    inspect,
    lm_eval,
    report,
    run,
    sample,
    score,
    trace,
    train,
    verify_gpu,
    verify_results,
)
from weft.cli.shared import app

__all__ = [
    "app",
    "archive",
    "chat",
    "curve",
    "data",
    "data_show",
    "export",
    "fetch",
    "inspect",
    "lm_eval",
    "report",
    "run",
    "sample",
    "score",
    "trace",
    "train",
    "verify_gpu",
    "verify_results",
]
