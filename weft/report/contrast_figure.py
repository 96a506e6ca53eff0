"""The figure of the paired differences, with a row per contrast and a panel per benchmark."""

import itertools
import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weft.config import BASE_RUN, FineTuning, Sampled
from weft.report.drawing import INK, draw_interval, method_colour, titled_figure
from weft.report.labels import benchmark_label, method_label
from weft.report.presentation import length_text
from weft.report.results import Results
from weft.report.tables import compute_tables
from weft.stats import ABOVE, BELOW

PANEL_WIDTH, LABEL_WIDTH, ROW_HEIGHT = 2.3, 1.7, 0.24  # inches
TITLE_WIDTH = 28  # characters
AVERAGE_BACKGROUND = "#f4f4f4"

Line = tuple[str | None, str]
"""Treatment and control of a row; a row without treatment is the heading of its control."""


def draw_contrasts(experiment: Sampled, results: Results) -> Figure:
    """Draw the differences between methods, or models, with their intervals, by the first scoring."""
    contrasts = compute_tables(experiment, results, ["contrasts"])["contrasts"]
    contrasts = contrasts[contrasts["rules"] == experiment.scoring[0]]
    benchmarks = list(dict.fromkeys(contrasts["benchmark"]))
    places = list(dict.fromkeys(zip(contrasts["dataset"], contrasts["gen_length"], strict=True)))
    lines = list_lines(experiment)
    size = (LABEL_WIDTH + PANEL_WIDTH * len(benchmarks), 1.9 + len(places) * (0.5 + ROW_HEIGHT * len(lines)))
    with titled_figure(experiment, results, "contrasts", size=size) as fig:
        axes = fig.subplots(len(places), len(benchmarks), squeeze=False, sharex=True, sharey=True)
        for row, (dataset, length) in zip(axes, places, strict=True):
            is_of_set = contrasts["dataset"].isna() if dataset is None else contrasts["dataset"] == dataset
            is_here = is_of_set & (contrasts["gen_length"] == length)
            for ax, benchmark in zip(row, benchmarks, strict=True):
                chosen = contrasts[is_here & (contrasts["benchmark"] == benchmark)]
                if chosen.empty:  # a mix of lengths has an average only
                    ax.spines[:].set_visible(False)
                    ax.grid(visible=False)
                    continue
                _draw_differences(ax, experiment, chosen, lines)
                ax.set_title(textwrap.fill(benchmark_label(experiment, benchmark), TITLE_WIDTH), fontsize=9)
                if len(benchmarks) > 1 and benchmark == benchmarks[-1]:
                    ax.set_facecolor(AVERAGE_BACKGROUND)
            if len(places) > 1:
                row[0].set_ylabel(", ".join(filter(None, [dataset, length_text(length)])))
        for ax in axes[-1]:
            ax.set_xlabel("points")
        for ax in axes[:, 0]:
            _label_lines(ax, lines)
    return fig


def list_lines(experiment: Sampled) -> list[Line]:
    """Return the rows of the figure: the heading of each control, followed by its contrasts."""
    pairs = [pair for pair in experiment.comparisons if not _is_gain(experiment, pair[1])]
    controls = list(dict.fromkeys(control for _, control in pairs))
    groups = ([pair for pair in pairs if pair[1] == control] for control in controls)
    headed = ([(None, control), *group] for control, group in zip(controls, groups, strict=True))
    return list(itertools.chain.from_iterable(headed))


def _is_gain(experiment: Sampled, control: str) -> bool:
    """Return True if a difference is a gain over the base model, which the forest plot shows."""
    return isinstance(experiment, FineTuning) and control == BASE_RUN


def _draw_differences(ax: Axes, experiment: Sampled, rows: pd.DataFrame, lines: list[Line]) -> None:
    for row in rows.to_dict("records"):
        pair = row["treatment"], row["control"]
        if pair not in lines:
            continue
        colour = method_colour(experiment, row["treatment"]) if pair == experiment.main_contrast else INK
        difference, low, high = (100 * row[name] for name in ("difference", "ci_low", "ci_high"))
        face = colour if row["conclusion"] in {ABOVE, BELOW} else "white"
        draw_interval(ax, lines.index(pair), difference, low, high, color=colour, markerfacecolor=face)
    ax.axvline(0, color=INK, linewidth=0.8)
    ax.grid(visible=False, axis="y")
    for height, (treatment, _) in enumerate(lines):
        if treatment is None and height:
            ax.axhline(height - 0.5, color="#cccccc", linewidth=0.8)


def _label_lines(ax: Axes, lines: list[Line]) -> None:
    labels = [
        f"minus {method_label(control)}" if treatment is None else method_label(treatment)
        for treatment, control in lines
    ]
    ax.set_yticks(range(len(lines)), labels, fontsize=8.5)
    for label, (treatment, _) in zip(ax.get_yticklabels(), lines, strict=True):
        label.set_fontweight("bold" if treatment is None else "normal")
    ax.set_ylim(len(lines) - 0.4, -0.6)
