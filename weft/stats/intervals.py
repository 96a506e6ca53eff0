"""Confidence intervals of an accuracy.

    wilson_interval(0.8, 10, quantile=1.96)  ->  Interval(low=0.490, high=0.943)

The interval of a single run covers the choice of questions only; that of several runs also covers the choice
of training seeds.
"""

from collections.abc import Sequence
from typing import NamedTuple

from weft.errors import ScoringError
from weft.stats.credit import BenchmarkCredit, group_means
from weft.stats.variance import estimate_variance


class Interval(NamedTuple):
    """The lower and upper bound of a confidence interval."""

    low: float
    high: float


def wilson_interval(share: float, n: int | float, *, quantile: float) -> Interval:
    """Compute the Wilson score interval of a proportion.

    The bounds are the proportions p that solve ``|share - p| = quantile * sqrt(p (1 - p) / n)``.

    Args:
        share: observed proportion, from 0 to 1.
        n: number of trials, above 0; need not be an integer.
        quantile: quantile of the normal or the t distribution for the upper bound.

    Returns:
        The interval, within [0, 1].

    Raises:
        ScoringError: there are no trials, or the proportion is not between 0 and 1.

    Source:
        E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209, without continuity correction.
    """
    if not n > 0 or not 0 <= share <= 1:
        raise ScoringError(
            "an accuracy must lie between 0 and 1, and the number of answers must be above 0, got "
            f"{share} of {n}; check the score file"
        )
    spread = quantile**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half_width = (spread * (share * (1 - share) + spread / 4)) ** 0.5 / (1 + spread)
    return Interval(max(0.0, centre - half_width), min(1.0, centre + half_width))


def accuracy_interval(
    benchmarks: Sequence[BenchmarkCredit], *, confidence: float, share_answered: float = 0.0
) -> Interval:
    """Compute a confidence interval of a group's mean accuracy over benchmarks and training seeds.

    It is the Wilson interval for the number of independent answers that would give the same variance, with a
    quantile of the t distribution. If all answers are right, or all are wrong, this is the number of
    questions.

    Args:
        benchmarks: the group on each benchmark; the mean is over these benchmarks.
        confidence: confidence level, between 0 and 1.
        share_answered: share of all questions that are answered, below 1, if the interval is for the accuracy
            on these questions, from which the answered ones were drawn without replacement; 0 if it is for
            further questions.

    Returns:
        The interval, within [0, 1].

    Source:
        E. Korn and B. Graubard, Survey Methodology 24 (1998) 193, section 3, with the Wilson interval in
        place of that of Clopper and Pearson, and `weft.stats.variance.estimate_variance`. The factor
        1 - share_answered of the variance is that of simple random sampling (W. Cochran, Sampling
        Techniques, 1977, section 2.6).
    """
    mean = float(group_means(benchmarks)[0])
    variance = estimate_variance(benchmarks, [1.0])
    count = len(benchmarks) ** 2 / sum(1 / benchmark.num_examples for benchmark in benchmarks)
    if 0 < mean < 1:
        count = mean * (1 - mean) / variance.standard_error**2
    return wilson_interval(mean, count / (1 - share_answered), quantile=variance.quantile(confidence))
