"""The number of optimiser steps after which a run has half of the usual gain on validation questions."""

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


def first_step_at(curve: Mapping[int, float], level: float) -> float:
    """Return the first step at which a learning curve reaches an accuracy.

    The accuracy is interpolated linearly between the points.

    Args:
        curve: number of optimiser steps -> accuracy, as a fraction.
        level: accuracy above the first point of the curve, as a fraction.

    Returns:
        The step, in general not a whole number; NaN if the curve does not reach the accuracy.
    """
    for (before, low), (after, high) in itertools.pairwise(sorted(curve.items())):
        if high >= level - TOLERANCE:
            return before + (after - before) * (level - low) / (high - low)
    return math.nan


def measure_speed(experiment: FineTuning, results: Results) -> pd.DataFrame:
    """Measure after how many optimiser steps each run has half of the usual gain on validation questions.

    The usual gain is that of the control of the main contrast, or of the treatment if the control is the base
    model: the mean over its runs of the last point of
    the learning curve, minus the first point, which is the base model.

    Args:
        experiment: the experiment.
        results: its results.

    Returns:
        A table with a row per data set, method and benchmark, and the columns method, dataset, benchmark,
        num_seeds, mean, and ``seed_N`` for each seed N of the experiment. The numbers are optimiser steps;
        that of a seed is NaN if its run never has half of the gain, and all are NaN if the control does not
        gain. ``num_seeds`` counts the other runs, and ``mean`` is over these. The average is the step of the
        averaged curve.
    """
    points = list_points(experiment, results)
    control = experiment.reference_method
    rows: list[dict[str, str | float]] = []
    for dataset, method, benchmark in itertools.product(
        experiment.dataset_names, experiment.methods, [*experiment.curve_benchmarks, AVERAGE]
    ):
        chosen = points[(points["dataset"] == dataset) & (points["benchmark"] == benchmark)]
        level = _half_way(chosen[chosen["method"] == control])
        curves = {
            seed: dict(zip(curve["optimizer_step"], curve["accuracy"], strict=True))
            for seed, curve in chosen[chosen["method"] == method].groupby("seed")
        }
        by_seed = {
            f"seed_{seed}": first_step_at(curves[seed], level) if seed in curves else math.nan
            for seed in experiment.seeds
        }
        steps = pd.Series(by_seed)
        place = {"method": method, "dataset": dataset, "benchmark": benchmark}
        numbers = {"num_seeds": int(steps.count()), "mean": steps.mean()}
        rows.append({**place, **numbers, **by_seed})
    return pd.DataFrame(rows)


def _half_way(points: pd.DataFrame) -> float:
    """Return the accuracy half-way between the first points of curves and the mean of their last points.

    It is NaN if the curves do not end above their start on average.
    """
    steps = points["optimizer_step"]
    start = points.loc[steps == steps.min(), "accuracy"].mean()
    end = points.loc[steps == steps.max(), "accuracy"].mean()
    return (start + end) / 2 if end > start + TOLERANCE else math.nan
