"""Accuracy on validation questions during training."""

import pandas as pd

from weft.config import BASE_RUN, FineTuning
from weft.report.results import Results
from weft.stats import AVERAGE


def list_points(experiment: FineTuning, results: Results) -> pd.DataFrame:
    """Return the accuracy of each run on each benchmark, and their average, after each number of steps.

    The curve of each run begins with the base model, after 0 steps. With several lengths, the accuracy is the
    mean over them.

    Args:
        experiment: the experiment.
        results: its results.

    Returns:
        A table with the columns run, method, dataset, seed, benchmark, optimizer_step and accuracy.
    """
    runs = [run for run in experiment.trained_runs if run.run_id in results.curves]
    points = pd.DataFrame(
        {
            "run": run.run_id,
            "method": run.method,
            "dataset": run.dataset,
            "seed": run.seed,
            "benchmark": point.benchmark,
            "optimizer_step": point.optimizer_step,
            "accuracy": point.accuracy,
        }
        for run in runs
        for point in results.curves[BASE_RUN] + results.curves[run.run_id]
    )
    keys = ["run", "method", "dataset", "seed", "optimizer_step"]
    points = points.groupby([*keys, "benchmark"], sort=False)["accuracy"].mean().reset_index()
    averages = points.groupby(keys, sort=False)["accuracy"].mean().reset_index().assign(benchmark=AVERAGE)
    return pd.concat([points, averages], ignore_index=True)


def summarise_curves(experiment: FineTuning, results: Results) -> pd.DataFrame:
    """Summarise the curves over training seeds.

    Args:
        experiment: the experiment.
        results: its results.

    Returns:
        A table with the columns method, dataset, benchmark, optimizer_step, num_seeds, mean, sd, minimum and
        maximum; accuracies are fractions.
    """
    keys = ["method", "dataset", "benchmark", "optimizer_step"]
    groups = list_points(experiment, results).groupby(keys, sort=False)["accuracy"]
    table = groups.agg(num_seeds="size", mean="mean", sd="std", minimum="min", maximum="max")
    return table.reset_index()
