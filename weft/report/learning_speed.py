"""The number of optimiser steps after which a run has made half of its progress on validation questions."""

import itertools
import math
import statistics
from collections.abc import Mapping

import pandas as pd

from weft.benchmarks.scoring import summarise
from weft.config import BASE_RUN, FineTuning
from weft.report.learning_curves import list_points
from weft.report.results import Results
from weft.stats import AVERAGE

TOLERANCE = 1e-9
"""Difference of accuracies that is due to rounding."""


def half_way_step(curve: Mapping[int, float], start: float) -> float:
    """Return the first step at which the accuracy is half-way between the start and the end of a curve.

    The accuracy is interpolated linearly between the points.

    Args:
        curve: number of optimiser steps, at least 1 -> accuracy, as a fraction; at least one point.
        start: accuracy of the base model.

    Returns:
        The step, in general not a whole number; NaN if the curve does not end above its start.
    """
    points = sorted([(0, start), *curve.items()])
    end = points[-1][1]
    if end <= start + TOLERANCE:
        return math.nan
    target = (start + end) / 2
    (before, low), (after, high) = next(
        pair for pair in itertools.pairwise(points) if pair[1][1] >= target - TOLERANCE
    )
    return before + (after - before) * (target - low) / (high - low)


def measure_speed(experiment: FineTuning, results: Results) -> pd.DataFrame:
    """Measure after how many optimiser steps each run is half-way, on each benchmark and their average.

    The way begins with the accuracy of the base model on the test questions, and ends with the last point of
    the run's learning curve.

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
    starts = _measure_base(experiment, results)
    curves = {
        key: half_way_step(
            dict(zip(group["optimizer_step"], group["accuracy"], strict=True)), starts[str(key[2])]
        )
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


def _measure_base(experiment: FineTuning, results: Results) -> dict[str, float]:
    """Return the accuracy of the base model, as a fraction, on each benchmark and their average."""
    files = [file for file in results.scored_by(experiment.scoring[0]) if file.run.run_id == BASE_RUN]
    accuracies = {
        name: statistics.mean(summarise(file.scores).accuracy for file in files if file.benchmark == name)
        for name in experiment.curve_benchmarks
    }
    return accuracies | {AVERAGE: statistics.mean(accuracies.values())}
