"""The paired comparison of two methods that answered the same questions.

paired_bootstrap(weft, sft, weight, confidence=0.95, num_resamples=10_000, rng=rng).difference
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weft.errors import ScoringError
from weft.stats.intervals import DECIMALS, Interval, percentile_interval
from weft.stats.resampling import BenchmarkCredit, Floats, group_means, resample_group_means


@dataclass(frozen=True)
class PairedDifference:
    """Treatment minus control.

    Attributes:
        difference: of the mean accuracies, -1 to 1.
        low: lower end of its interval.
        high: upper end of its interval.
        p_value: two-sided, of no difference.
        num_items: examples, summed over benchmarks.
        num_seeds_treatment: runs of the treatment; with one its seed noise is not in the interval.
        num_seeds_control: runs of the control.
    """

    difference: float
    low: float
    high: float
    p_value: float
    num_items: int
    num_seeds_treatment: int
    num_seeds_control: int

    @property
    def beyond_interval(self) -> bool:
        """Whether the interval excludes zero."""
        return Interval(self.low, self.high).excludes_zero


def paired_bootstrap(
    treatment: Floats,
    control: Floats,
    weight: Floats,
    *,
    confidence: float,
    num_resamples: int,
    rng: np.random.Generator,
    resample_seeds: bool = True,
) -> PairedDifference:
    """Compare two methods on one benchmark.

    Each draw takes the same examples for both methods, so that easy and hard questions cancel, and
    seeds for each method by itself, so that the interval also covers the noise of training again with
    another seed.  See `compare_means`.

    Args:
        treatment: credits, seeds x examples, 0 to 1.
        control: credits, seeds x examples; the same examples in the same order (`match_examples`).
        weight: units of each example.
        confidence: level of the interval, between 0 and 1.
        num_resamples: number of draws.
        rng: source of the draws.
        resample_seeds: if false, the interval is about the given runs only.

    Returns:
        The difference of the seeds' mean accuracies, its interval and p-value.

    Raises:
        ScoringError: the shapes do not belong together.

    Source:
        `weft.stats.resampling.resample_group_means`; percentile interval.
    """
    return compare_means(
        [BenchmarkCredit((treatment, control), weight)],
        confidence=confidence,
        num_resamples=num_resamples,
        rng=rng,
        resample_seeds=resample_seeds,
    )


def compare_means(
    benchmarks: Sequence[BenchmarkCredit],
    *,
    confidence: float,
    num_resamples: int,
    rng: np.random.Generator,
    resample_seeds: bool = True,
) -> PairedDifference:
    """Compare two groups of runs on the unweighted mean over benchmarks.

    Args:
        benchmarks: two groups, treatment and control, on each benchmark.
        confidence: level of the interval, between 0 and 1.
        num_resamples: number of draws.
        rng: source of the draws.
        resample_seeds: if false, the interval is about the given runs only.

    Returns:
        The difference, its percentile interval, and the p-value that belongs to it: twice the share of
        draws on the rarer side of zero, at most 1, and never below 2/(num_resamples + 1).

    Source:
        `weft.stats.resampling.resample_group_means`; p-value with the observed sample counted in, as in
        A. Davison and D. Hinkley, Bootstrap Methods and their Application (1997), section 4.2.
    """
    treatment, control = group_means(benchmarks)
    draws = resample_group_means(
        benchmarks, num_resamples=num_resamples, rng=rng, resample_seeds=resample_seeds
    )
    differences = (draws[0] - draws[1]).round(DECIMALS)
    low, high = percentile_interval(differences, confidence=confidence)
    return PairedDifference(
        difference=round(float(treatment - control), DECIMALS),
        low=low,
        high=high,
        p_value=_two_sided_p(differences),
        num_items=sum(benchmark.weight.size for benchmark in benchmarks),
        num_seeds_treatment=len(benchmarks[0].credit[0]),
        num_seeds_control=len(benchmarks[0].credit[1]),
    )


def match_examples(example_ids: Sequence[Sequence[str]], *, names: Sequence[str]) -> None:
    """Make sure that runs have answered the same examples in the same order.

    Args:
        example_ids: ids of each run's examples.
        names: what to call the runs in the message.

    Raises:
        ScoringError: an example is missing in a run, or stands elsewhere; the message names one.
    """
    expected = example_ids[0]
    for name, ids in zip(names, example_ids, strict=True):
        differing = sorted(set(expected) ^ set(ids))
        if not differing and list(ids) != list(expected):
            differing = [one for one, other in zip(ids, expected, strict=False) if one != other]
        if differing:
            raise ScoringError(
                f"all runs must have answered the same examples, but {names[0]} ({len(expected)} examples) "
                f"and {name} ({len(ids)} examples) differ in example {differing[0]!r}; sample and score the "
                "shorter one again"
            )


def _two_sided_p(differences: Floats) -> float:
    num_rarer = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (num_rarer + 1) / (differences.size + 1))
