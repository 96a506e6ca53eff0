"""Confidence intervals of an accuracy.

    wilson_interval(8, 10, confidence=0.95)  ->  Interval(low=0.490, high=0.943)

The interval of a single run covers the choice of questions only; `mean_interval` of several runs also
covers the choice of training seeds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from weft.errors import ScoringError
from weft.stats.resampling import BenchmarkCredit, Floats, resample_group_means

DECIMALS = 12
"""Number of decimals to which draws are rounded, so that the order of summation does not affect results."""


class Interval(NamedTuple):
    """The lower and upper bound of a confidence interval."""

    low: float
    high: float


def wilson_interval(num_correct: int, n: int, *, confidence: float) -> Interval:
    """Compute the Wilson score interval of a proportion.

    The bounds are the proportions p that solve ``|k/n - p| = z sqrt(p (1 - p) / n)``.

    Args:
        num_correct: number of successes k, from 0 to n.
        n: number of trials, at least 1.
        confidence: confidence level, between 0 and 1; z is the quantile of (1 + confidence)/2.

    Returns:
        The interval, within [0, 1].

    Raises:
        ScoringError: there are no trials, or the number of successes is not between 0 and n.

    Source:
        E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209, without continuity correction.
    """
    from scipy.stats import binomtest

    if n < 1 or not 0 <= num_correct <= n:
        raise ScoringError(
            "the number of correct answers must lie between 0 and the number of answers, which must be "
            f"at least 1, got {num_correct} of {n}; check the score file"
        )
    limits = binomtest(num_correct, n).proportion_ci(confidence_level=confidence, method="wilson")
    return Interval(float(limits.low), float(limits.high))


def mean_interval(
    benchmarks: Sequence[BenchmarkCredit], *, confidence: float, num_resamples: int, rng: np.random.Generator
) -> Interval:
    """Compute the percentile bootstrap interval of a mean accuracy over benchmarks and training seeds.

    Whole examples are resampled, since the units of one example, such as the empty cells of one Sudoku,
    are not independent. The interval has width 0 if all credits are equal.

    Args:
        benchmarks: a group of runs on each benchmark; the mean is over these benchmarks.
        confidence: confidence level, between 0 and 1.
        num_resamples: number of bootstrap resamples.
        rng: generator of the random numbers.

    Returns:
        The interval, within [0, 1].

    Source:
        B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13, with the draws of
        `weft.stats.resampling.resample_group_means`.
    """
    draws = resample_group_means(benchmarks, num_resamples=num_resamples, rng=rng)
    return percentile_interval(draws[0], confidence=confidence)


def percentile_interval(draws: Floats, *, confidence: float) -> Interval:
    """Return the quantiles (1 - confidence)/2 and (1 + confidence)/2 of bootstrap draws."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(draws, [tail, 1 - tail]).round(DECIMALS)
    return Interval(float(low), float(high))
