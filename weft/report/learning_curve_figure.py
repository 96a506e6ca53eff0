"""Figure of the accuracy on validation questions during training."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weft.config import FineTuning
from weft.report.drawing import method_colour, titled_figure
from weft.report.labels import benchmark_name, method_label
from weft.report.learning_curves import list_points
from weft.report.results import Results
from weft.stats import AVERAGE

MOST_COLUMNS = 3
"""Maximum number of panels in a row."""


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
