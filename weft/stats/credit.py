"""Scores of groups of runs as arrays.

A *group* is the runs of a method on a data set, one run per training seed. Its accuracy on a benchmark is
pooled over units, ``sum(credit * weight) / sum(weight)``, and averaged over seeds; its mean accuracy is the
unweighted mean over benchmarks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from weft.errors import ScoringError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class BenchmarkCredit:
    """The credits of several groups of runs on a benchmark.

    Attributes:
        credit: for each group an array of shape ``[seeds, examples]`` with values from 0 to 1; all
            groups have the same examples.
        weight: number of units of each example, shape ``[examples]``; the sum is above 0.

    Raises:
        ScoringError: the shapes do not fit together, or there are no units.
    """

    credit: tuple[Floats, ...]
    weight: Floats

    def __post_init__(self) -> None:
        """Check the shapes."""
        for array in self.credit:
            if array.ndim != 2 or array.shape[0] == 0 or array.shape[1] != self.weight.size:
                raise ScoringError(
                    f"credits must be an array of seeds x {self.weight.size} examples, as many as there are "
                    f"weights, got shape {array.shape}; give all runs the same examples"
                )
        if self.weight.ndim != 1 or not (self.weight >= 0).all() or not self.weight.sum() > 0:
            raise ScoringError(
                f"weights must be at least 0 and more than 0 in total, got {self.weight.tolist()[:5]} "
                f"({self.weight.size} in all); score at least one example that has a unit"
            )

    @property
    def num_examples(self) -> int:
        """Number of examples that have a unit."""
        return int((self.weight > 0).sum())

    def pooled_accuracies(self) -> list[Floats]:
        """Return the accuracy of each seed, from 0 to 1; an array of shape ``[seeds]`` per group."""
        return [credit @ self.weight / self.weight.sum() for credit in self.credit]


def group_means(benchmarks: Sequence[BenchmarkCredit]) -> Floats:
    """Compute the mean accuracy of each group over its seeds and then over the benchmarks."""
    per_benchmark = [[pooled.mean() for pooled in benchmark.pooled_accuracies()] for benchmark in benchmarks]
    means: Floats = np.mean(per_benchmark, axis=0)
    return means
