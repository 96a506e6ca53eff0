"""The paired comparison of two methods on the same questions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weft.errors import ScoringError
from weft.stats.intervals import DECIMALS, percentile_interval
from weft.stats.resampling import BenchmarkCredit, group_means, resample_group_means


@dataclass(frozen=True)
class PairedDifference:
    """The difference of two mean accuracies, treatment minus control.

    Attributes:
        difference: the difference, from -1 to 1.
        low: lower bound of its confidence interval.
        high: upper bound of its confidence interval.
        p_value: two-sided p-value of the hypothesis that there is no difference.
    """

    difference: float
    low: float
    high: float
    p_value: float

    @property
    def beyond_interval(self) -> bool:
        """True if the interval excludes zero."""
        return self.low > 0 or self.high < 0


def compare_means(
    benchmarks: Sequence[BenchmarkCredit],
    *,
    confidence: float,
    num_resamples: int,
    rng: np.random.Generator,
    resample_seeds: bool = True,
) -> PairedDifference:
    """Compare two groups of runs on their unweighted mean accuracy over benchmarks.

    Each resample has the same examples for both groups, so that the difficulty of questions cancels. The
    training seeds are resampled in each group separately, so that the interval also covers the variation
    between training seeds. The p-value belongs to the percentile interval: with B resamples, of which k lie
    on the rarer side of zero, it is ``min(1, 2 (k + 1) / (B + 1))``.

    Args:
        benchmarks: the two groups, treatment and control, on each benchmark.
        confidence: confidence level, between 0 and 1.
        num_resamples: number of bootstrap resamples.
        rng: generator of the random numbers.
        resample_seeds: False for an interval that refers to the given runs only.

    Returns:
        The difference with its percentile interval and p-value.

    Source:
        `weft.stats.resampling.resample_group_means`. The p-value includes the observed sample, as in
        A. Davison and D. Hinkley, Bootstrap Methods and their Application (1997), section 4.2.
    """
    treatment, control = group_means(benchmarks)
    draws = resample_group_means(
        benchmarks, num_resamples=num_resamples, rng=rng, resample_seeds=resample_seeds
    )
    differences = (draws[0] - draws[1]).round(DECIMALS)
    low, high = percentile_interval(differences, confidence=confidence)
    num_rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    p_value = min(1.0, 2 * (num_rarer + 1) / (differences.size + 1))
    return PairedDifference(round(float(treatment - control), DECIMALS), low, high, p_value)


def match_examples(example_ids: Sequence[Sequence[str]], *, names: Sequence[str]) -> None:
    """Raise a `ScoringError` that names two runs and an example, unless all runs have the same examples."""
    expected = example_ids[0]
    for name, ids in zip(names, example_ids, strict=True):
        differing = sorted(set(expected) ^ set(ids))
        if not differing and list(ids) != list(expected):
            differing = [given for given, other in zip(ids, expected, strict=False) if given != other]
        if differing:
            raise ScoringError(
                f"all runs must have answered the same examples, but {names[0]} ({len(expected)} examples) "
                f"and {name} ({len(ids)} examples) differ in example {differing[0]!r}; sample and score "
                "both runs again"
            )
