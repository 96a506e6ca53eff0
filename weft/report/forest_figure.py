"""The forest plot: the main contrast and the gains over the base model, with a row per benchmark."""

import math
import textwrap
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from weft.config import BASE_RUN, FineTuning
from weft.report.counterparts import is_contrast_of_the_paper
from weft.report.drawing import (
    INK,
    PALE,
    Options,
    draw_interval,
    method_colour,
    method_marker,
    titled_figure,
)
from weft.report.labels import benchmark_label, difference_text, method_label, percent, summary_benchmark
from weft.report.paper_table import Group, accuracy_names, paper_groups
from weft.report.presentation import length_text
from weft.report.published_numbers import published_effects
from weft.report.results import Results
from weft.report.tables import compute_tables
from weft.stats import ABOVE, AVERAGE, BELOW, POWER

MOST_GROUPS = 4
"""Largest number of training sets and lengths with a row per benchmark; more have a row for each average."""
WIDTH, ROW_HEIGHT, GROUP_HEIGHT = 9.0, 0.24, 0.55  # inches
LABEL_WIDTH = 26  # characters
OFFSET = 0.17
"""Distance of the outermost of several methods from the middle of their row, in rows."""
BAND_COLOUR = "#e0e0e0"
PAPER_STYLE: Options = {"facecolor": "#fdf0e6", "edgecolor": "#e08a50", "linewidth": 1, "zorder": 0.5}
AVERAGE_BACKGROUND = "#f5f5f5"


CELL = ("dataset", "benchmark", "gen_length", "treatment", "control")
"""Columns of the contrasts table that identify a row."""
_Cells = Mapping[tuple[Any, ...], Mapping[Hashable, Any]]
"""Values of the columns `CELL` -> row of the contrasts table."""


@dataclass(frozen=True)
class _Row:
    """A row of the plot; ``cell`` is training set, benchmark and length in the contrasts table."""

    label: str
    cell: tuple[str, str, int | str]
    is_average: bool


def draw_forest(experiment: FineTuning, results: Results) -> Figure:
    """Draw treatment minus control on the left, and both minus the base model on the right.

    If the control is the base model, there is only the right side.

    Each training set and length has a panel with a row per benchmark and for the average; if there are many,
    a single panel has a row for the average of each.
    """
    contrasts = compute_tables(experiment, results, ["contrasts"])["contrasts"]
    contrasts = contrasts[contrasts["rules"] == experiment.scoring[0]]
    by_cell = {tuple(row[name] for name in CELL): row for row in contrasts.to_dict("records")}
    panels = _list_panels(experiment)
    num_rows = sum(len(rows) for _, rows in panels)
    size = (WIDTH, 1.5 + GROUP_HEIGHT * len(panels) + ROW_HEIGHT * num_rows)
    if experiment.gain_control is None:
        return _draw_gains_only(experiment, results, by_cell, panels, size=size)
    with titled_figure(experiment, results, "forest", size=size) as fig:
        ratios = [len(rows) + 1 for _, rows in panels]
        grid: Options = {"height_ratios": ratios, "width_ratios": (1.15, 1), "squeeze": False}
        axes = fig.subplots(len(panels), 2, **grid)
        for (left, right), (title, rows) in zip(axes, panels, strict=True):
            _draw_contrast(left, experiment, by_cell, rows)
            _draw_gains(right, experiment, by_cell, rows, experiment.comparisons[0])
            _label_rows(left, rows)
            _label_rows(right, rows, is_labelled=False)
            left.set_title(title, fontweight="bold")
            right.sharex(axes[0, 1])  # unlike subplots(sharex=True), this hides no labels
        treatment, control = map(method_label, experiment.comparisons[0])
        axes[-1, 0].set_xlabel(f"{treatment} minus {control}, points")
        axes[-1, 1].set_xlabel("gain over the base model, points")
        handles = [*axes[0, 1].get_legend_handles_labels()[0], *_keys(experiment, by_cell)]
        fig.legend(handles=handles, loc="outside upper right", ncols=len(handles), fontsize=8)
    return fig


def _draw_gains_only(
    experiment: FineTuning,
    results: Results,
    by_cell: _Cells,
    panels: list[tuple[str, list[_Row]]],
    *,
    size: tuple[float, float],
) -> Figure:
    """Draw the gains of the methods that are compared with the base model, a panel per training set."""
    methods = [treatment for treatment, control in experiment.comparisons if control == BASE_RUN]
    ratios = [len(rows) + 1 for _, rows in panels]
    with titled_figure(experiment, results, "forest", size=size) as fig:
        axes = fig.subplots(len(panels), 1, squeeze=False, sharex=True, height_ratios=ratios)[:, 0]
        for ax, (title, rows) in zip(axes, panels, strict=True):
            if len(methods) == 1:
                _draw_contrast(ax, experiment, by_cell, rows)
            else:
                _draw_gains(ax, experiment, by_cell, rows, methods)
            _label_rows(ax, rows)
            ax.set_title(title, fontweight="bold")
        treatment = f"{method_label(methods[0])}: " if len(methods) == 1 else ""
        axes[-1].set_xlabel(f"{treatment}gain over the base model, points")
        handles = [*axes[0].get_legend_handles_labels()[0], *_keys(experiment, by_cell)]
        if handles:
            fig.legend(handles=handles, loc="outside upper right", ncols=min(5, len(handles)), fontsize=8)
    return fig


def _list_panels(experiment: FineTuning) -> list[tuple[str, list[_Row]]]:
    """Return the title and the rows of each panel."""
    groups = paper_groups(experiment)
    titles = _group_titles(groups)
    if len(groups) <= MOST_GROUPS:
        rows = [[_row(experiment, group, name) for name in accuracy_names(experiment)] for group in groups]
        return list(zip(titles, rows, strict=True))
    name = summary_benchmark(experiment)
    cells = [(group.dataset, name, group.gen_length) for group in groups]
    averages = [_Row(title, cell, name == AVERAGE) for title, cell in zip(titles, cells, strict=True)]
    return [(benchmark_label(experiment, name).capitalize(), averages)]


def _row(experiment: FineTuning, group: Group, name: str) -> _Row:
    label = benchmark_label(experiment, name, scoring=experiment.scoring[0])
    cell = group.dataset, name, group.lengths.get(name, group.gen_length)
    return _Row(textwrap.shorten(label, LABEL_WIDTH, placeholder="…"), cell, name == AVERAGE)


def _group_titles(groups: list[Group]) -> list[str]:
    """Return what distinguishes each group: its training set, its length, or both."""
    has_datasets = len({group.dataset for group in groups}) > 1
    has_lengths = len({group.gen_length for group in groups}) > 1
    return [
        ", ".join([group.dataset] * has_datasets + [length_text(group.gen_length)] * has_lengths)
        for group in groups
    ]


def _draw_contrast(ax: Axes, experiment: FineTuning, by_cell: _Cells, rows: list[_Row]) -> None:
    pair = experiment.comparisons[0]
    low, high = (100 * effect for effect in published_effects())
    for height, row in enumerate(rows):
        numbers = by_cell[*row.cell, *pair]
        detectable = 100 * numbers["minimum_detectable_difference"]
        if not math.isnan(detectable):
            ax.barh(height, 2 * detectable, left=-detectable, height=0.8, color=BAND_COLOUR, zorder=0.4)
        if row.is_average and is_contrast_of_the_paper(experiment):
            ax.barh(height, high - low, left=low, height=0.8, **PAPER_STYLE)
        _draw_row(ax, experiment, height, numbers, pair[0])
        text = difference_text(numbers["difference"], numbers["ci_low"], numbers["ci_high"])
        place: Options = {"transform": ax.get_yaxis_transform(), "va": "center"}
        weight = "bold" if row.is_average else "normal"
        ax.text(1.01, height, text, fontsize=8, fontweight=weight, color=INK, **place)
    ax.axvline(0, color=INK, linewidth=0.8)


def _draw_gains(
    ax: Axes, experiment: FineTuning, by_cell: _Cells, rows: list[_Row], methods: Sequence[str]
) -> None:
    """Draw the gains of some methods, the last of them uppermost."""
    offsets = np.linspace(-OFFSET, OFFSET, len(methods)).tolist()
    for method, offset in zip(reversed(methods), offsets, strict=True):
        for height, row in enumerate(rows):
            numbers = by_cell[*row.cell, method, BASE_RUN]
            label = method_label(method) if height == 0 else None
            _draw_row(ax, experiment, height + offset, numbers, method, label=label)
    ax.axvline(0, color=INK, linewidth=0.8)


def _draw_row(
    ax: Axes,
    experiment: FineTuning,
    height: float | int,
    numbers: Mapping[Hashable, Any],
    method: str,
    **style: Any,
) -> None:
    """Draw a difference; its marker is filled if it differs from zero after the correction."""
    colour = method_colour(experiment, method)
    face = colour if numbers["conclusion"] in {ABOVE, BELOW} else "white"
    difference, low, high = (100 * numbers[name] for name in ("difference", "ci_low", "ci_high"))
    options: Options = {"fmt": method_marker(experiment, method), "color": colour, "markerfacecolor": face}
    draw_interval(ax, height, difference, low, high, **options, **style)


def _label_rows(ax: Axes, rows: list[_Row], *, is_labelled: bool = True) -> None:
    ax.set_yticks(range(len(rows)), [row.label for row in rows] if is_labelled else [""] * len(rows))
    for label, row in zip(ax.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.is_average else "normal")
    ax.set_ylim(len(rows) - 0.45, -0.55)
    ax.grid(visible=False, axis="y")
    if len(rows) > 1 and rows[-1].is_average and not rows[0].is_average:
        ax.axhspan(len(rows) - 1.5, len(rows), color=AVERAGE_BACKGROUND, linewidth=0, zorder=0.1)
        ax.axhline(len(rows) - 1.5, color=PALE, linewidth=0.6)


def _keys(experiment: FineTuning, by_cell: _Cells) -> list[Patch]:
    """Return the legend of the areas behind the points."""
    low, high = (percent(effect, is_signed=True) for effect in published_effects())
    keys = []
    if is_contrast_of_the_paper(experiment):
        style = PAPER_STYLE | {"label": f"averages in the paper ({low} to {high})"}
        keys.append(Patch(**style))
    if any(not math.isnan(row["minimum_detectable_difference"]) for row in by_cell.values()):
        keys.append(Patch(color=BAND_COLOUR, label=f"power below {100 * POWER:g} %"))
    return keys
