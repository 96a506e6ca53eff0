"""Intervals, paired tests and the average over seeds; arrays in, numbers and tables out."""

from weft.stats.aggregate import AVERAGE, Aggregate, ScoreSet, aggregate
from weft.stats.intervals import Interval, bootstrap_interval, mean_interval, wilson_interval
from weft.stats.multiple import holm
from weft.stats.paired import PairedDifference, compare_means, match_examples, paired_bootstrap

__all__ = [
    "AVERAGE",
    "Aggregate",
    "Interval",
    "PairedDifference",
    "ScoreSet",
    "aggregate",
    "bootstrap_interval",
    "compare_means",
    "holm",
    "match_examples",
    "mean_interval",
    "paired_bootstrap",
    "wilson_interval",
]
