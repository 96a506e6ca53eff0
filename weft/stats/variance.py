"""The variance of mean accuracies, with respect to the choice of questions and of training seeds.

Answers are clustered in two ways: all runs answer the same questions, and a trained model answers all
questions. The variance is therefore estimated once from the questions and once from the seeds. Both contain
the interaction of questions and seeds, which is subtracted once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from weft.stats.credit import BenchmarkCredit, Floats

POWER = 0.8
"""Probability with which a minimum detectable difference is found."""
LEAST_SHARE = 0.2
"""Smallest share of the variance for whose degrees of freedom the seeds count."""


@dataclass(frozen=True)
class Variance:
    """The estimated variance of a linear combination of mean accuracies.

    Attributes:
        questions: the part that is estimated from the questions.
        seeds: for each group, the part that is estimated from its seeds; 0 for a single run, which counts as
            the only possible one.
        num_seeds: number of seeds of each group.
        shared: the interaction of questions and seeds, which both parts contain.
    """

    questions: float
    seeds: tuple[float, ...]
    num_seeds: tuple[int, ...]
    shared: float

    @property
    def standard_error(self) -> float:
        """Square root of the variance, which is at least the part of the questions."""
        return float(max(self.questions + sum(self.seeds) - self.shared, self.questions) ** 0.5)

    @property
    def degrees_of_freedom(self) -> float:
        """Degrees of freedom by Satterthwaite's formula; infinite if no group has several seeds.

        Only the part of the seeds counts as uncertain, because there are many questions. It is taken as at
        least `LEAST_SHARE` of the variance: if the seeds of a few runs agree by chance, their part is small
        and would seem certain.
        """
        freedom = np.array([count - 1 for count in self.num_seeds if count > 1])
        if not freedom.size:
            return float("inf")
        parts = np.array([part for part, count in zip(self.seeds, self.num_seeds, strict=True) if count > 1])
        variance = self.standard_error**2
        least = LEAST_SHARE * variance
        if parts.sum() == 0:
            parts = np.full(parts.size, least / parts.size)
        elif parts.sum() < least:
            parts = parts * (least / parts.sum())
        return float(max(variance**2 / (parts**2 / freedom).sum(), freedom.min()))

    def quantile(self, confidence: float) -> float:
        """Return the half-width of a confidence interval in units of the standard error."""
        from scipy.special import stdtrit

        return float(stdtrit(self.degrees_of_freedom, (1 + confidence) / 2))

    def p_value(self, value: float) -> float:
        """Return the two-sided p-value of the hypothesis that the combination, here ``value``, is 0."""
        from scipy.special import stdtr

        return float(2 * stdtr(self.degrees_of_freedom, -abs(value) / self.standard_error))

    def minimum_detectable(self, confidence: float) -> float:
        """Return the value that a two-sided test of this level finds with a probability of `POWER`."""
        return (self.quantile(confidence) + self.quantile(2 * POWER - 1)) * self.standard_error


def estimate_variance(benchmarks: Sequence[BenchmarkCredit], coefficients: Sequence[float]) -> Variance:
    """Estimate the variance of a linear combination of the groups' mean accuracies.

    Args:
        benchmarks: credits on each benchmark; all have the same groups and seeds in the same order. The mean
            accuracy is over these benchmarks.
        coefficients: factor of each group, for example (1, -1) for a difference.

    Returns:
        The variance. Within a benchmark, questions are clusters, such as the cells of a Sudoku. If no
        question has an effect on the combination, because all answers are equal, the part of the questions
        is not 0: for a difference of two groups it is 1 / (S (n + 2)²) for n questions and S seeds, as if
        half an answer were added on both sides in one of the S runs. A single question has the largest
        variance that is possible.

    Source:
        A. Cameron, J. Gelbach and D. Miller, J. Bus. Econ. Stat. 29 (2011) 238, with the linearised
        variance of a ratio; A. Agresti and Y. Min, Stat. Med. 24 (2005) 729, for the added half answers.
        Simulations of data without a difference are in tests/unit/stats/test_calibration.py.
    """
    square = len(benchmarks) ** 2
    parts = [_estimate_on_benchmark(benchmark, coefficients) for benchmark in benchmarks]
    pooled = zip(*(benchmark.pooled_accuracies() for benchmark in benchmarks), strict=True)
    means = [np.mean(accuracies, axis=0) for accuracies in pooled]
    return Variance(
        questions=sum(questions for questions, _ in parts) / square,
        seeds=tuple(
            float(factor**2 * mean.var(ddof=1) / mean.size) if mean.size > 1 else 0.0
            for factor, mean in zip(coefficients, means, strict=True)
        ),
        num_seeds=tuple(mean.size for mean in means),
        shared=sum(shared for _, shared in parts) / square,
    )


def _estimate_on_benchmark(benchmark: BenchmarkCredit, coefficients: Sequence[float]) -> tuple[float, float]:
    """Return the part of the questions and the part of the interaction on one benchmark."""
    has_units = benchmark.weight > 0
    weight = benchmark.weight[has_units]
    groups = [pair for pair in zip(coefficients, benchmark.credit, strict=True) if pair[0]]
    credit = [factor * array[:, has_units] for factor, array in groups]
    means = [array.mean(axis=0) for array in credit]
    count, fewest_seeds = weight.size, min(len(array) for array in credit)
    if count == 1:
        return sum(factor**2 for factor, _ in groups) / 4, 0.0
    combined = _centre(np.sum(means, axis=0)[None], weight)
    questions = float((combined**2).sum()) / (count * (count - 1))
    smallest = np.mean([factor**2 for factor, _ in groups]) / (fewest_seeds * (count + 2) ** 2)
    shared = 0.0
    for array, mean in zip(credit, means, strict=True):
        num_seeds = len(array)
        if num_seeds > 1:
            interaction = _centre(array - mean, weight)
            shared += float((interaction**2).sum()) / ((num_seeds - 1) * (count - 1) * num_seeds * count)
    return max(questions, float(smallest)), shared


def _centre(values: Floats, weight: Floats) -> Floats:
    """Return the deviations from the weighted mean of each row, times the relative weights."""
    centred: Floats = (values - (values @ weight / weight.sum())[:, None]) * (weight / weight.mean())
    return centred
