"""The number of optimiser steps after which a run has made half of its progress on validation questions."""

import itertools
import math
from collections.abc import Mapping

import pandas as pd

from weft.config import FineTuning
from weft.report.learning_curves import list_points
from weft.report.results import Results
from weft.stats import AVERAGE

TOLERANCE = 1e-9
"""Difference of accuracies that is due to rounding."""


def half_way_step(curve: Mapping[int, float]) -> float:
    """Return the first step at which the accuracy is half-way between the start and the end of a curve.

    The accuracy is interpolated linearly between the points. A curve without a point at step 0, where the
    model is the base model, starts with an accuracy of 0.

    Args:
        curve: number of optimiser steps -> accuracy, as a fraction; at least one point.

    Returns:
        The step, in general not a whole number; NaN if the curve does not end above its start.
    """
    points = sorted(({0: 0.0} | dict(curve)).items())
    start, end = points[0][1], points[-1][1]
    if end <= start + TOLERANCE:
        return math.nan
    target = (start + end) / 2
    (before, low), (after, high) = next(
        pair for pair in itertools.pairwise(points) if pair[1][1] >= target - TOLERANCE
    )
    return before + (after - before) * (target - low) / (high - low)


def measure_speed(experiment: FineTuning, results: Results) -> pd.DataFrame:
    """Measure after how many optimiser steps each run is half-way, on each benchmark and their average.

    Args:
        experiment: the experiment.
        results: its results.

    Returns:
        A table with a row per data set, method and benchmark, and the columns method, dataset, benchmark,
        num_seeds, mean, and ``seed_N`` for each seed N of the experiment. The numbers are optimiser steps;
        that of a seed is NaN if its run does not rise. ``num_seeds`` counts the runs that rise, and
        ``mean`` is over these. The average is the step of the averaged curve.
    """
    points = list_points(experiment, results)
    curves = {
        key: half_way_step(dict(zip(group["optimizer_step"], group["accuracy"], strict=True)))
        for key, group in points.groupby(["dataset", "method", "benchmark", "seed"], sort=False)
    }
    rows: list[dict[str, str | float]] = []
    for dataset, method, benchmark in itertools.product(
        experiment.dataset_names, experiment.methods, [*experiment.curve_benchmarks, AVERAGE]
    ):
        by_seed = {
            f"seed_{seed}": curves.get((dataset, method, benchmark, seed), math.nan)
            for seed in experiment.seeds
        }
        steps = pd.Series(by_seed)
        place = {"method": method, "dataset": dataset, "benchmark": benchmark}
        numbers = {"num_seeds": int(steps.count()), "mean": steps.mean()}
        rows.append({**place, **numbers, **by_seed})
    return pd.DataFrame(rows)
