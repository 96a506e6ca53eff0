"""Comparisons of methods on the same questions: differences, and gains relative to a base model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from weft.errors import ScoringError
from weft.stats.credit import BenchmarkCredit, group_means
from weft.stats.intervals import Interval
from weft.stats.variance import estimate_variance

LARGEST_RATIO = 1000
"""Ratio of two gains that is taken as unbounded."""
DECIMALS = 12
"""Number of decimals of a difference, so that the order of summation does not affect results."""


@dataclass(frozen=True)
class PairedDifference:
    """The difference of two mean accuracies, treatment minus control.

    Attributes:
        difference: the difference, from -1 to 1.
        standard_error: its standard error.
        low: lower bound of its confidence interval.
        high: upper bound of its confidence interval.
        p_value: two-sided p-value of the hypothesis that there is no difference.
        minimum_detectable: difference that a test would find with a probability of 80 %; NaN if no possible
            difference is large enough.
    """

    difference: float
    standard_error: float
    low: float
    high: float
    p_value: float
    minimum_detectable: float


def compare_means(benchmarks: Sequence[BenchmarkCredit], *, confidence: float) -> PairedDifference:
    """Compare two groups of runs on their unweighted mean accuracy over benchmarks.

    Both groups answer the same questions, so that the difficulty of questions cancels. The interval also
    covers the variation between training seeds, if a group has several; a group with one run is taken as
    the only possible run.

    Args:
        benchmarks: the two groups, treatment and control, on each benchmark.
        confidence: confidence level, between 0 and 1.

    Returns:
        The difference with its interval, its p-value and what could have been detected, from a t
        distribution with the standard error of `weft.stats.variance.estimate_variance`.
    """
    treatment, control = group_means(benchmarks)
    difference = round(float(treatment - control), DECIMALS)
    variance = estimate_variance(benchmarks, [1.0, -1.0])
    half_width = variance.quantile(confidence) * variance.standard_error
    detectable = variance.minimum_detectable(confidence)
    return PairedDifference(
        difference=difference,
        standard_error=variance.standard_error,
        low=max(-1.0, difference - half_width),
        high=min(1.0, difference + half_width),
        p_value=variance.p_value(difference),
        minimum_detectable=detectable if detectable <= 1 else math.nan,
    )


def compare_gains(benchmarks: Sequence[BenchmarkCredit], *, confidence: float) -> Interval | None:
    """Compute a confidence interval of the relative gain of a method over a base model.

    The relative gain is ``(treatment - base) / (control - base) - 1``.

    Args:
        benchmarks: the three groups, treatment, control and base, on each benchmark.
        confidence: confidence level, between 0 and 1.

    Returns:
        The interval, or None if the gain of the control is not clearly above zero, so that the ratio may have
        any value.

    Source:
        E. Fieller, J. R. Stat. Soc. B 16 (1954) 175: the interval has all ratios for which treatment - base
        is not distinguishable from ratio * (control - base).
    """
    from scipy.optimize import brentq

    treatment, control, base = map(float, group_means(benchmarks))

    def excess(ratio: float) -> float:
        variance = estimate_variance(benchmarks, [1.0, -ratio, ratio - 1])
        difference = treatment - base - ratio * (control - base)
        return abs(difference) - variance.quantile(confidence) * variance.standard_error

    of_control = estimate_variance(benchmarks, [0.0, 1.0, -1.0])
    if control - base <= of_control.quantile(confidence) * of_control.standard_error:
        return None
    best = (treatment - base) / (control - base)
    bounds = []
    for side in (-1.0, 1.0):
        step = side
        while excess(best + step) < 0:
            step *= 2
            if abs(step) > LARGEST_RATIO:
                return None
        bounds.append(float(brentq(excess, best, best + step)) - 1)
    return Interval(*bounds)


def match_examples(example_ids: Sequence[Sequence[str]], *, names: Sequence[str]) -> None:
    """Raise a `ScoringError` that names two runs and an example, unless all runs have the same examples."""
    expected = example_ids[0]
    for name, ids in zip(names, example_ids, strict=True):
        if list(ids) == list(expected):
            continue
        differing = sorted(set(expected) ^ set(ids))
        if not differing:
            differing = [given for given, other in zip(ids, expected, strict=False) if given != other]
        raise ScoringError(
            f"all runs must have answered the same examples, but {names[0]} ({len(expected)} examples) "
            f"and {name} ({len(ids)} examples) differ in example {differing[0]!r}; sample and score "
            "both runs again"
        )
