"""Confidence intervals, paired tests and means over training seeds, computed from arrays of scores."""

from weft.stats.aggregate import (
    ABOVE,
    AVERAGE,
    BELOW,
    MIN_QUESTIONS,
    MIN_SEEDS,
    MIN_SEEDS_OF_ONE,
    UNDECIDED,
    Aggregate,
    LengthMix,
    ScoreSet,
    aggregate,
)
from weft.stats.paired import compare_means
from weft.stats.variance import POWER

__all__ = [
    "ABOVE",
    "AVERAGE",
    "BELOW",
    "MIN_QUESTIONS",
    "MIN_SEEDS",
    "MIN_SEEDS_OF_ONE",
    "POWER",
    "UNDECIDED",
    "Aggregate",
    "LengthMix",
    "ScoreSet",
    "aggregate",
    "compare_means",
]
