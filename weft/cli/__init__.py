"""The command line: one subcommand per rule, and the only place where rooms meet.

Heavy libraries are imported inside the subcommands that need them, so that scoring and planning
start at once.
"""

from weft.cli import data, inspect, report, sample, score, trace, train
from weft.cli.shared import app

__all__ = ["app", "data", "inspect", "report", "sample", "score", "trace", "train"]
