"""Confidence intervals, paired tests and means over training seeds, computed from arrays of scores."""

from weft.stats.aggregate import AVERAGE, Aggregate, ScoreSet, aggregate
from weft.stats.paired import compare_means

__all__ = ["AVERAGE", "Aggregate", "ScoreSet", "aggregate", "compare_means"]
