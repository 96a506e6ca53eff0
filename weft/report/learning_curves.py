"""Accuracy on validation questions during training: the table and the figure."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weft.config import FineTuning
from weft.report.drawing import method_colour, titled_figure
from weft.report.labels import benchmark_name, method_label
from weft.report.results import Results
from weft.stats import AVERAGE

MOST_COLUMNS = 3
"""Maximum number of panels in a row."""


def list_points(experiment: FineTuning, results: Results) -> pd.DataFrame:
    """Return the accuracy of each run on each benchmark, and their average, after each number of steps.

    With several lengths, the accuracy is the mean over them.

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
        for point in results.curves[run.run_id]
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


def draw_learning_curves(experiment: FineTuning, results: Results) -> Figure:
    """Draw the accuracy of each run and the mean of each method, a panel per data set and benchmark."""
    points = list_points(experiment, results)
    names = [*experiment.curve_benchmarks, AVERAGE]
    num_rows = -(-len(names) // MOST_COLUMNS) * len(experiment.dataset_names)
    size = (3.1 * MOST_COLUMNS, 1.5 + 2.4 * num_rows)
    with titled_figure(experiment, results, "learning_curves", size=size) as fig:
        axes = fig.subplots(num_rows, MOST_COLUMNS, squeeze=False, sharex=True)
        panels = iter(axes.flat)
        for dataset in experiment.dataset_names:
            for name in names:
                ax = next(panels)
                chosen = points[(points["dataset"] == dataset) & (points["benchmark"] == name)]
                _draw_panel(ax, experiment, chosen)
                place = "" if len(experiment.dataset_names) == 1 else f", {dataset}"
                label = "average" if name == AVERAGE else benchmark_name(experiment, name)
                ax.set_title(f"{label}{place}")
        for ax in panels:
            ax.set_axis_off()
        for ax in axes[:, 0]:
            ax.set_ylabel("accuracy, %")
        for ax in axes[-1]:
            ax.set_xlabel("optimiser step")
        axes[0, 0].legend(loc="best", fontsize=8)
    return fig


def _draw_panel(ax: Axes, experiment: FineTuning, points: pd.DataFrame) -> None:
    for method in experiment.methods:
        seeds = points[points["method"] == method].pivot_table(
            index="optimizer_step", columns="seed", values="accuracy"
        )
        colour = method_colour(experiment, method)
        ax.plot(seeds.index, 100 * seeds, color=colour, linewidth=0.7, alpha=0.45)
        mean = 100 * seeds.mean(axis="columns")
        ax.plot(seeds.index, mean, color=colour, linewidth=2, label=method_label(method))
    ax.set_ylim(0, 100)
    ax.tick_params(labelbottom=True)  # because there may be no panel below
