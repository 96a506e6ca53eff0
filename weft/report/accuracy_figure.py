"""The accuracy figure: means with confidence intervals, and single training seeds or published numbers."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weft.config import Experiment
from weft.report.accuracy_points import AccuracyPoints, collect_points, series_label
from weft.report.drawing import INK, Options, error_bars, method_colour, method_marker, titled_figure
from weft.report.labels import benchmark_label, benchmark_name
from weft.report.presentation import length_text
from weft.report.results import Results
from weft.stats import AVERAGE

WIDEST = 14.0  # inches
MOST_BESIDE = 7
"""Number of methods that are drawn side by side; more methods get a row each."""
ROW_PANEL_WIDTH, ROW_HEIGHT = 2.3, 0.27  # inches
TITLE_WIDTH = 28  # characters


def draw_accuracy(experiment: Experiment, results: Results) -> Figure:
    """Draw the accuracies in a panel per data set and generation length, or, for many methods, in rows."""
    points = collect_points(experiment, results)
    if len(points.names("method")) > MOST_BESIDE:
        return _draw_rows(experiment, results, points)
    datasets, lengths = points.names("dataset") or [None], points.names("gen_length")
    benchmarks = points.names("benchmark")
    panel_width = max(2.4, len(benchmarks) * (0.55 + 0.16 * len(points.names("method"))))
    width = min(WIDEST, max(6.5, 0.9 + panel_width * len(lengths)))
    with titled_figure(experiment, results, "accuracy", size=(width, 1.6 + 2.6 * len(datasets))) as fig:
        axes = fig.subplots(len(datasets), len(lengths), squeeze=False, sharey=True, sharex=True)
        for row, dataset in enumerate(datasets):
            axes[row, 0].set_ylabel("accuracy, %")
            for ax, length in zip(axes[row], lengths, strict=True):
                _draw_panel(ax, experiment, points, points.panel(dataset, length))
                title = [f"trained on {dataset}"] if len(datasets) > 1 else []
                title += [length_text(length)] if len(lengths) > 1 else []
                ax.set_title(", ".join(title))
        _label_benchmarks(axes, experiment, benchmarks, panel_width=width / len(lengths))
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside upper right", ncols=min(5, len(labels)), fontsize=8.5)
    return fig


def _draw_panel(ax: Axes, experiment: Experiment, points: AccuracyPoints, panel: AccuracyPoints) -> None:
    """Draw a point per benchmark and method, with the methods of a benchmark side by side."""
    methods, benchmarks = points.names("method"), points.names("benchmark")
    gap = 0.7 / max(3, len(methods))
    for index, method in enumerate(methods):
        left = (index - (len(methods) - 1) / 2) * gap
        means = panel.means[panel.means["method"] == method].set_index("benchmark")
        means = 100 * means[["mean", "ci_low", "ci_high"]].reindex(benchmarks)
        style: Options = {"fmt": method_marker(experiment, method), "markersize": 6, "elinewidth": 1.6}
        style["clip_on"] = False  # so that a marker at 0 is whole
        style |= {"color": method_colour(experiment, method), "label": series_label(experiment, method)}
        lengths = error_bars(means["mean"], means["ci_low"], means["ci_high"])
        ax.errorbar(np.arange(len(means)) + left, means["mean"], yerr=lengths, **style)
        dots = panel.dots[panel.dots["method"] == method]
        places = [benchmarks.index(name) + left + 0.35 * gap for name in dots["benchmark"]]
        if places:
            ax.plot(places, 100 * dots["accuracy"], linestyle="none", **_dot_style(experiment, method))


def _draw_rows(experiment: Experiment, results: Results, points: AccuracyPoints) -> Figure:
    """Draw a row per method and a panel per benchmark, which is readable for any number of methods."""
    datasets, lengths = points.names("dataset") or [None], points.names("gen_length")
    places = [(dataset, length) for dataset in datasets for length in lengths]
    methods, benchmarks = points.names("method"), points.names("benchmark")
    num_columns, num_methods = len(benchmarks), len(methods)
    size = (1.6 + ROW_PANEL_WIDTH * num_columns, 1.9 + len(places) * (0.5 + ROW_HEIGHT * num_methods))
    note = "Each panel has its own scale."
    with titled_figure(experiment, results, "accuracy", size=size, note=note) as fig:
        axes = fig.subplots(len(places), num_columns, squeeze=False, sharex="col", sharey=True)
        for row, (dataset, length) in zip(axes, places, strict=True):
            panel = points.panel(dataset, length)
            for ax, benchmark in zip(row, benchmarks, strict=True):
                _draw_benchmark(ax, experiment, methods, panel, benchmark)
                ax.set_title(textwrap.fill(benchmark_label(experiment, benchmark), TITLE_WIDTH), fontsize=9)
            if len(places) > 1:
                row[0].set_ylabel(f"{dataset}, {length_text(length)}")
        for ax in axes[-1]:
            ax.set_xlabel("accuracy, %")
        axes[0, 0].set_yticks(range(num_methods), [series_label(experiment, name) for name in methods])
        axes[0, 0].set_ylim(num_methods - 0.4, -0.6)
    return fig


def _draw_benchmark(
    ax: Axes, experiment: Experiment, methods: list[str], panel: AccuracyPoints, benchmark: str
) -> None:
    for height, method in enumerate(methods):
        colour = method_colour(experiment, method)
        means, dots = (
            frame[(frame["method"] == method) & (frame["benchmark"] == benchmark)]
            for frame in (panel.means, panel.dots)
        )
        mean, low, high = (100 * means[name] for name in ("mean", "ci_low", "ci_high"))
        style: Options = {"fmt": method_marker(experiment, method), "markersize": 5, "elinewidth": 1.5}
        style["color"] = colour
        ax.errorbar(mean, [height] * len(means), xerr=error_bars(mean, low, high), **style)
        heights = [height + 0.3] * len(dots)
        ax.plot(100 * dots["accuracy"], heights, "o", color=colour, markersize=2.4, alpha=0.55)
    ax.grid(visible=False, axis="y")


def _dot_style(experiment: Experiment, method: str) -> Options:
    """Return the style of single seeds, or of published numbers."""
    if not experiment.is_sampled:
        return {"color": INK, "marker": "D", "markersize": 5, "fillstyle": "none", "label": "as published"}
    return {"color": method_colour(experiment, method), "marker": "o", "markersize": 2.6, "alpha": 0.55}


def _label_benchmarks(
    axes: np.ndarray, experiment: Experiment, benchmarks: list[str], *, panel_width: float
) -> None:
    label = benchmark_label if experiment.is_sampled else benchmark_name
    width = max(9, int(panel_width / len(benchmarks) * 11))  # characters
    labels = [textwrap.fill(label(experiment, name), width) for name in benchmarks]
    for ax in axes.flat:
        ax.set_xticks(range(len(benchmarks)), labels, fontsize=8)
        ax.set_xlim(-0.6, len(benchmarks) - 0.4)
        ax.set_ylim(bottom=0)
        ax.grid(visible=False, axis="x")
        if AVERAGE in benchmarks:
            ax.axvline(benchmarks.index(AVERAGE) - 0.5, color="#cccccc", linewidth=0.8)
