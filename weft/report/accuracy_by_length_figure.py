"""Figure of the accuracy by the length of the answers."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weft.config import BASE_RUN, Experiment
from weft.report.accuracy_points import AccuracyPoints, collect_points, series_label
from weft.report.drawing import INK, Options, error_bars, method_colour, method_marker, titled_figure
from weft.report.labels import benchmark_name
from weft.report.published_numbers import D1, PublishedNumbers
from weft.report.results import Results

PANEL_WIDTH, PANEL_HEIGHT = 2.3, 2.3  # inches
MOST_METHODS = 7
"""Largest number of methods that are drawn; if there are more, only those of the main contrast are, or
without one the first."""


def draw_accuracy_by_length(experiment: Experiment, results: Results) -> Figure:
    """Draw a curve per method, with a row of panels per training set and a panel per benchmark."""
    points = collect_points(experiment, results)
    datasets, benchmarks = points.names("dataset") or [None], points.names("benchmark")
    methods = points.names("method")
    if len(methods) > MOST_METHODS:
        main = {BASE_RUN, *(experiment.main_contrast or methods[:MOST_METHODS])}
        methods = [name for name in methods if name in main]
    published = PublishedNumbers(experiment)
    size = (max(6.5, 0.6 + PANEL_WIDTH * len(benchmarks)), 1.6 + PANEL_HEIGHT * len(datasets))
    with titled_figure(experiment, results, "accuracy_by_length", size=size) as fig:
        axes = fig.subplots(len(datasets), len(benchmarks), squeeze=False, sharex=True)
        for row, dataset in zip(axes, datasets, strict=True):
            for ax, benchmark in zip(row, benchmarks, strict=True):
                for method in methods:
                    _draw_curve(ax, experiment, points, method, (dataset, benchmark))
                _draw_published(ax, experiment, published, (dataset, benchmark))
                place = f",\n{dataset}" if len(datasets) > 1 else ""
                ax.set_title(f"{benchmark_name(experiment, benchmark)}{place}")
                ax.set_xticks(range(len(experiment.gen_lengths)), list(map(str, experiment.gen_lengths)))
                ax.set_xlim(-0.4, len(experiment.gen_lengths) - 0.6)
            row[0].set_ylabel("accuracy, %")
        for ax in axes[-1]:
            ax.set_xlabel("length, tokens")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside upper right", ncols=min(5, len(labels)), fontsize=8.5)
    return fig


def _draw_curve(
    ax: Axes, experiment: Experiment, points: AccuracyPoints, method: str, place: tuple[str | None, str]
) -> None:
    dataset, benchmark = place
    means = points.means[(points.means["method"] == method) & (points.means["benchmark"] == benchmark)]
    means = means[means["dataset"].isna() | (means["dataset"] == dataset)].set_index("gen_length")
    means = 100 * means[["mean", "ci_low", "ci_high"]].reindex(experiment.gen_lengths)
    style: Options = {"fmt": f"-{method_marker(experiment, method)}", "markersize": 5, "elinewidth": 1.2}
    style |= {"color": method_colour(experiment, method), "label": series_label(experiment, method)}
    bars = error_bars(means["mean"], means["ci_low"], means["ci_high"])
    ax.errorbar(range(len(means)), means["mean"], yerr=bars, **style)


def _draw_published(
    ax: Axes, experiment: Experiment, published: PublishedNumbers, place: tuple[str | None, str]
) -> None:
    """Draw the accuracies of d1 for the base model and for SFT."""
    dataset, benchmark = place
    is_labelled = False
    for name in dict.fromkeys(run.method for run in experiment.runs):
        of_model = None if dataset is None or name == experiment.runs[0].method else dataset
        numbers = [published.accuracy(D1, name, (of_model, benchmark, x)) for x in experiment.gen_lengths]
        values = pd.Series(numbers).dropna() * 100
        if len(values):
            colour = method_colour(experiment, name) if experiment.is_sampled else INK
            style: Options = {"color": colour, "marker": "D", "markersize": 7, "fillstyle": "none"}
            label = None if is_labelled else "published by d1"
            is_labelled = True
            ax.plot(values.index, values, linestyle="none", label=label, **style)
