"""The accuracy figure: means with intervals, and beside them single seeds or published numbers."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weft.config import FineTuning, StoredGenerations
from weft.report.drawing import INK, method_colour, titled_figure
from weft.report.labels import UNITS, benchmark_label, benchmark_name, level_text, method_label
from weft.report.load import load_table
from weft.report.outputs import AnyExperiment
from weft.stats import AVERAGE

WIDEST = 14.0  # inches
MOST_BESIDE = 7  # methods side by side; more are put below each other
ROW_PANEL_WIDTH, ROW_HEIGHT = 2.3, 0.27  # inches
TITLE_WIDTH = 28  # characters


@dataclass(frozen=True)
class _Points:
    """What is drawn: means with intervals, and single runs; accuracies are fractions."""

    means: pd.DataFrame  # method, dataset, benchmark, gen_length, mean, ci_low, ci_high
    runs: pd.DataFrame  # method, dataset, benchmark, gen_length, accuracy; may be empty

    @property
    def benchmarks(self) -> list[str]:
        return list(dict.fromkeys(self.means["benchmark"]))

    @property
    def methods(self) -> list[str]:
        return list(dict.fromkeys(self.means["method"]))

    @property
    def lengths(self) -> list[int]:
        return list(dict.fromkeys(self.means["gen_length"]))

    @property
    def datasets(self) -> list[str | None]:
        named = [name for name in dict.fromkeys(self.means["dataset"]) if name is not None]
        return named or [None]

    def panel(self, dataset: str | None, length: int) -> "_Points":
        """Select one data set and length; untrained models are part of every data set."""
        means, runs = (
            frame[(frame["dataset"].isna() | (frame["dataset"] == dataset)) & (frame["gen_length"] == length)]
            for frame in (self.means, self.runs)
        )
        return _Points(means, runs)


def draw_accuracy(experiment: AnyExperiment, root: Path, tables: Path) -> Figure:
    """Draw the accuracies, a panel per data set and generation length; many methods in rows.

    Args:
        experiment: the experiment.
        root: not needed.
        tables: folder with its tables.

    Raises:
        DataError: a table is missing.
    """
    points = _load_points(experiment, tables)
    if len(points.methods) > MOST_BESIDE:
        return _draw_rows(experiment, points)
    datasets, lengths = points.datasets, points.lengths
    panel_width = max(2.4, len(points.benchmarks) * (0.55 + 0.16 * len(points.methods)))
    width = min(WIDEST, max(6.5, 0.9 + panel_width * len(lengths)))
    size = (width, 1.6 + 2.6 * len(datasets))
    with titled_figure(experiment, title="Accuracy", notes=_note(experiment), size=size) as fig:
        axes = fig.subplots(len(datasets), len(lengths), squeeze=False, sharey=True, sharex=True)
        for row, dataset in enumerate(datasets):
            axes[row, 0].set_ylabel("accuracy, %")
            for ax, length in zip(axes[row], lengths, strict=True):
                _draw_panel(ax, experiment, points, points.panel(dataset, length))
                named = [f"trained on {dataset}"] if len(datasets) > 1 else []
                named += [f"{length} tokens"] if len(lengths) > 1 else []
                ax.set_title(", ".join(named))
        _label_benchmarks(axes, experiment, points.benchmarks, panel_width=width / len(lengths))
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside upper right", ncols=min(5, len(labels)), fontsize=8.5)
    return fig


def _load_points(experiment: AnyExperiment, tables: Path) -> _Points:
    scores = load_table(tables, "scores")
    if isinstance(experiment, StoredGenerations):
        scores = scores.assign(method=scores["rules"], mean=scores["accuracy"])  # rules in place of methods
        known = scores["published_accuracy"].notna() & (scores["rules"] == experiment.scoring[0])
        return _Points(scores, scores[known].assign(accuracy=scores["published_accuracy"]))
    methods = load_table(tables, "methods")
    methods, scores = (frame[frame["rules"] == experiment.scoring[0]] for frame in (methods, scores))
    trained = scores[scores["dataset"].notna()]
    if AVERAGE in set(methods["benchmark"]):
        keys = ["method", "dataset", "run", "gen_length"]
        averages = trained.groupby(keys, as_index=False)["accuracy"].mean().assign(benchmark=AVERAGE)
        trained = pd.concat([trained, averages], ignore_index=True)
    return _Points(methods, trained)


def _note(experiment: AnyExperiment) -> str:
    level = level_text(experiment.statistics.confidence)
    if isinstance(experiment, StoredGenerations):
        units = [f"{unit} by {rules}" for (_, rules), unit in UNITS.items() if rules in experiment.scoring]
        return (
            f"Bars: {level} interval over questions. Diamonds: as published, where known. Sudoku: "
            f"{', '.join(units)}."
        )
    return f"Large: mean; bars: {level} interval over questions and seeds; small: single seeds."


def _draw_panel(ax: Axes, experiment: AnyExperiment, points: _Points, panel: _Points) -> None:
    """Draw a point per benchmark and method; the methods of a benchmark stand side by side."""
    gap = 0.7 / max(3, len(points.methods))
    for index, method in enumerate(points.methods):
        left = (index - (len(points.methods) - 1) / 2) * gap
        means = panel.means[panel.means["method"] == method].set_index("benchmark")
        means = 100 * means[["mean", "ci_low", "ci_high"]].reindex(points.benchmarks)
        below, above = means["mean"] - means["ci_low"], means["ci_high"] - means["mean"]
        ax.errorbar(
            np.arange(len(means)) + left,
            means["mean"],
            yerr=np.maximum([below, above], 0),
            fmt="o",
            markersize=6,
            elinewidth=1.6,
            color=method_colour(experiment, method),
            label=_label(experiment, method),
        )
        runs = panel.runs[panel.runs["method"] == method]
        places = [points.benchmarks.index(name) + left + 0.35 * gap for name in runs["benchmark"]]
        if places:
            look = _run_look(experiment, method)
            ax.plot(places, 100 * runs["accuracy"], linestyle="none", **look)


def _draw_rows(experiment: AnyExperiment, points: _Points) -> Figure:
    """Draw a row per method and a panel per benchmark, so that any number of methods can be read."""
    places = [(dataset, length) for dataset in points.datasets for length in points.lengths]
    num_columns, num_methods = len(points.benchmarks), len(points.methods)
    size = (1.6 + ROW_PANEL_WIDTH * num_columns, 1.9 + len(places) * (0.5 + ROW_HEIGHT * num_methods))
    note = f"{_note(experiment)} Each panel has its own scale."
    with titled_figure(experiment, title="Accuracy", notes=note, size=size) as fig:
        axes = fig.subplots(len(places), num_columns, squeeze=False, sharex="col", sharey=True)
        for row, (dataset, length) in zip(axes, places, strict=True):
            panel = points.panel(dataset, length)
            for ax, benchmark in zip(row, points.benchmarks, strict=True):
                _draw_benchmark(ax, experiment, points.methods, panel, benchmark)
                ax.set_title(textwrap.fill(benchmark_label(experiment, benchmark), TITLE_WIDTH), fontsize=9)
            if len(places) > 1:
                row[0].set_ylabel(f"{dataset}, {length} tokens")
        for ax in axes[-1]:
            ax.set_xlabel("accuracy, %")
        axes[0, 0].set_yticks(range(num_methods), [_label(experiment, one) for one in points.methods])
        axes[0, 0].set_ylim(num_methods - 0.4, -0.6)
    return fig


def _draw_benchmark(
    ax: Axes, experiment: AnyExperiment, methods: list[str], panel: _Points, benchmark: str
) -> None:
    assert isinstance(experiment, FineTuning), (
        "stored generations have a set of rules or two in place of methods"
    )
    for height, method in enumerate(methods):
        colour = method_colour(experiment, method)
        own, runs = (
            frame[(frame["method"] == method) & (frame["benchmark"] == benchmark)]
            for frame in (panel.means, panel.runs)
        )
        means = 100 * own[["mean", "ci_low", "ci_high"]]
        below, above = means["mean"] - means["ci_low"], means["ci_high"] - means["mean"]
        look: dict[str, Any] = {"fmt": "o", "markersize": 5, "elinewidth": 1.5, "color": colour}
        ax.errorbar(means["mean"], [height] * len(own), xerr=np.maximum([below, above], 0), **look)
        heights = [height + 0.3] * len(runs)
        ax.plot(100 * runs["accuracy"], heights, "o", color=colour, markersize=2.4, alpha=0.55)
    ax.grid(visible=False, axis="y")


def _label(experiment: AnyExperiment, method: str) -> str:
    return f"rules {method}" if isinstance(experiment, StoredGenerations) else method_label(method)


def _run_look(experiment: AnyExperiment, method: str) -> dict[str, Any]:
    """Say how single seeds look, or published numbers."""
    if isinstance(experiment, StoredGenerations):
        return {"color": INK, "marker": "D", "markersize": 5, "fillstyle": "none", "label": "as published"}
    return {"color": method_colour(experiment, method), "marker": "o", "markersize": 2.6, "alpha": 0.55}


def _label_benchmarks(
    axes: np.ndarray, experiment: AnyExperiment, benchmarks: list[str], *, panel_width: float
) -> None:
    label = benchmark_name if isinstance(experiment, StoredGenerations) else benchmark_label
    room = max(9, int(panel_width / len(benchmarks) * 11))  # characters beside each other, per benchmark
    labels = [textwrap.fill(label(experiment, name), room) for name in benchmarks]
    for ax in axes.flat:
        ax.set_xticks(range(len(benchmarks)), labels, fontsize=8)
        ax.set_xlim(-0.6, len(benchmarks) - 0.4)
        ax.set_ylim(bottom=0)
        ax.grid(visible=False, axis="x")
        if AVERAGE in benchmarks:
            ax.axvline(benchmarks.index(AVERAGE) - 0.5, color="#cccccc", linewidth=0.8)
