"""Confidence intervals of one accuracy.

    wilson_interval(8, 10, confidence=0.95)   is   Interval(low=0.490, high=0.943)

They say how far the accuracy of one run could be off because other questions might have been asked.
They say nothing about another training seed; `weft.stats.paired` does.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from weft.errors import ScoringError
from weft.stats.resampling import BenchmarkCredit, Floats, resample_group_means

DECIMALS = 12  # rounding that makes sums of the same numbers in another order equal


class Interval(NamedTuple):
    """Lower and upper end, in the unit of what it is an interval of."""

    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside."""
        return self.low > 0 or self.high < 0


def wilson_interval(num_correct: int, n: int, *, confidence: float) -> Interval:
    """Compute the Wilson score interval of a share.

    Args:
        num_correct: successes, 0 to n.
        n: trials, at least 1.
        confidence: level, between 0 and 1.

    Returns:
        The interval, within 0 to 1.

    Raises:
        ScoringError: there are no trials, or the successes are not among them.

    Source:
        E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209, without continuity correction.
    """
    if n < 1 or not 0 <= num_correct <= n:
        raise ScoringError(
            f"an interval needs at least one example and 0 to n correct ones, got {num_correct} of {n}; "
            "check the score file"
        )
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = num_correct / n
    centre = share + z * z / (2 * n)
    half_width = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low, high = (centre - half_width) / scale, (centre + half_width) / scale
    return Interval(max(0.0, float(low)), min(1.0, float(high)))


def bootstrap_interval(
    credit: Floats, weight: Floats, *, confidence: float, num_resamples: int, rng: np.random.Generator
) -> Interval:
    """Compute the percentile bootstrap interval of a pooled accuracy, drawing whole examples.

    For benchmarks with partial credit: the empty cells of one Sudoku are right or wrong together, so
    they are no independent trials.  If all credits are equal the interval has no width.

    Args:
        credit: share of right units of each example, 0 to 1.
        weight: units of each example.
        confidence: level, between 0 and 1.
        num_resamples: number of draws.
        rng: source of the draws.

    Returns:
        The interval, within 0 to 1.

    Raises:
        ScoringError: there are no units, or not as many weights as credits.

    Source:
        B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    benchmark = BenchmarkCredit((credit[np.newaxis],), weight)
    return mean_interval([benchmark], confidence=confidence, num_resamples=num_resamples, rng=rng)


def mean_interval(
    benchmarks: Sequence[BenchmarkCredit], *, confidence: float, num_resamples: int, rng: np.random.Generator
) -> Interval:
    """Compute the bootstrap interval of a group's mean accuracy, over examples and seeds.

    Args:
        benchmarks: one group of runs, on each benchmark that is averaged over.
        confidence: level, between 0 and 1.
        num_resamples: number of draws.
        rng: source of the draws.

    Returns:
        The interval, within 0 to 1.

    Source:
        `weft.stats.resampling.resample_group_means`.
    """
    draws = resample_group_means(benchmarks, num_resamples=num_resamples, rng=rng)
    return percentile_interval(draws[0], confidence=confidence)


def percentile_interval(draws: Floats, *, confidence: float) -> Interval:
    """Take the interval that holds the middle share of the draws, as large as the confidence."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail]).round(DECIMALS)
    return Interval(float(low), float(high))
