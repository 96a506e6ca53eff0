"""Figure of the accuracy on validation questions during training."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from weft.config import FineTuning
from weft.report.captions import MOST_CURVES
from weft.report.drawing import PALE, Options, method_colour, method_marker, titled_figure
from weft.report.labels import benchmark_name, method_label
from weft.report.learning_curves import list_points
from weft.report.results import Results
from weft.stats import AVERAGE

COLUMNS_OF_ONE_DATASET = 3
"""Panels in a row if there is one data set; with several, each has a row for all its panels."""
MOST_STEPS = 4
"""Maximum number of intervals between the labels of the steps, so that they fit below a narrow panel."""


def draw_learning_curves(experiment: FineTuning, results: Results) -> Figure:
    """Draw the mean of each method with its standard deviation, a panel per data set and benchmark.

    If there are many methods, those outside the main contrast are thin grey lines without a band.
    """
    points = list_points(experiment, results)
    names = [*experiment.curve_benchmarks, AVERAGE]
    datasets = experiment.dataset_names
    num_columns = len(names) if len(datasets) > 1 else min(COLUMNS_OF_ONE_DATASET, len(names))
    rows_each = -(-len(names) // num_columns)
    size = (max(2.4 * num_columns, 9.3), 1.5 + 2.4 * rows_each * len(datasets))
    with titled_figure(experiment, results, "learning_curves", size=size) as fig:
        axes = fig.subplots(rows_each * len(datasets), num_columns, squeeze=False)
        for ax in axes.flat:
            ax.set_axis_off()
        for row, dataset in enumerate(datasets):
            panels = axes[row * rows_each : (row + 1) * rows_each].ravel()
            panels[0].xaxis.set_major_locator(MaxNLocator(MOST_STEPS, integer=True, steps=[1, 2, 2.5, 5, 10]))
            for index, (ax, name) in enumerate(zip(panels, names, strict=False)):
                chosen = points[(points["dataset"] == dataset) & (points["benchmark"] == name)]
                ax.set_axis_on()
                if index > 0:
                    ax.sharex(panels[0])  # unlike subplots(sharex=True), this hides no labels
                _draw_panel(ax, experiment, chosen)
                label = "average" if name == AVERAGE else benchmark_name(experiment, name)
                ax.set_title(label if len(datasets) == 1 else f"{label},\n{dataset}")
                if index % num_columns == 0:
                    ax.set_ylabel("accuracy, %")
                if index + num_columns >= len(names):
                    ax.set_xlabel("optimiser step")
        axes[0, 0].legend(loc="best", fontsize=8)
    return fig


def _draw_panel(ax: Axes, experiment: FineTuning, points: pd.DataFrame) -> None:
    has_many = len(experiment.methods) > MOST_CURVES
    main = experiment.main_contrast or ()
    others = [method for method in experiment.methods if has_many and method not in main]
    for method in experiment.methods:
        seeds = 100 * points[points["method"] == method].pivot_table(
            index="optimizer_step", columns="seed", values="accuracy"
        )
        mean, spread = seeds.mean(axis="columns"), seeds.std(axis="columns").fillna(0)
        if method in others:
            label = "other methods" if method == others[0] else None
            ax.plot(mean.index, mean, color=PALE, linewidth=0.8, zorder=1.5, label=label)
            continue
        colour = method_colour(experiment, method)
        ax.fill_between(mean.index, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
        style: Options = {"color": colour, "linewidth": 2, "marker": method_marker(experiment, method)}
        ax.plot(mean.index, mean, markersize=4, label=method_label(method), **style)
    ax.set_ylim(0, 100)
