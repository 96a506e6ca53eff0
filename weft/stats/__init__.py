"""Confidence intervals, paired tests and means over training seeds. Arrays in, numbers and tables out."""

from weft.stats.aggregate import AVERAGE, Aggregate, ScoreSet, aggregate
from weft.stats.intervals import Interval, mean_interval, wilson_interval
from weft.stats.multiple import holm
from weft.stats.paired import PairedDifference, compare_means, match_examples

__all__ = [
    "AVERAGE",
    "Aggregate",
    "Interval",
    "PairedDifference",
    "ScoreSet",
    "aggregate",
    "compare_means",
    "holm",
    "match_examples",
    "mean_interval",
    "wilson_interval",
]
