"""The figures of the gradient study: the share of each entropy quintile, and the relative variance."""

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from weft.config import FineTuning
from weft.report.drawing import (
    CONTROL_COLOUR,
    INK,
    PALE,
    Options,
    draw_interval,
    error_bars,
    method_colour,
    titled_figure,
)
from weft.report.labels import method_label
from weft.report.results import QUINTILES, Results

MOST_PANELS = 5
"""Maximum number of panels in a row."""
WIDEST_LINEAR = 5.0
"""Ratio of the largest to the smallest variance above which the scale is logarithmic."""


def draw_gradient_share(experiment: FineTuning, results: Results) -> Figure:
    """Draw the shares of weight and gradient by entropy quintile, a panel per data set and method."""
    panels = [
        (dataset, str(method), rows)
        for dataset, frame in results.gradients.items()
        for method, rows in frame.groupby("method", sort=False)
    ]
    num_columns = min(MOST_PANELS, len(panels))
    num_rows = math.ceil(len(panels) / num_columns)
    control = experiment.reference_method
    size = (max(6.5, 0.6 + 2.35 * num_columns), 1.9 + 2.15 * num_rows)
    with titled_figure(experiment, results, "gradient_share", size=size) as fig:
        axes = fig.subplots(num_rows, num_columns, squeeze=False, sharex=True, sharey=True)
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
        for ax, (dataset, method, rows) in zip(axes.flat, panels, strict=False):
            frame = results.gradients[dataset]
            colour = method_colour(experiment, method)
            _draw_shares(ax, rows, frame[frame["method"] == control], colour=colour, control=control)
            place = "" if len(experiment.dataset_names) == 1 else f", {dataset}"
            ax.set_title(f"{method_label(method)}{place}", fontsize=9, color=colour)
            ax.tick_params(labelbottom=True)
        for ax in axes[:, 0]:
            ax.set_ylabel("share, %")
        for ax in axes.flat[max(0, len(panels) - num_columns) : len(panels)]:
            ax.set_xlabel("entropy quintile")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside upper right", ncols=len(labels), fontsize=8.5)
    return fig


def draw_gradient_variance(experiment: FineTuning, results: Results) -> Figure:
    """Draw the relative variance of the gradient of a step, a row per method, a panel per data set."""
    # All quintiles of a method have the same variance.
    variances = {name: frame[frame["quintile"] == QUINTILES[0]] for name, frame in results.gradients.items()}
    every = pd.concat(variances.values(), ignore_index=True)
    methods = list(dict.fromkeys(every["method"]))
    size = (7.5, 1.7 + len(variances) * (0.5 + 0.27 * len(methods)))
    with titled_figure(experiment, results, "gradient_variance", size=size) as fig:
        axes = fig.subplots(len(variances), 1, squeeze=False, sharex=True)[:, 0]
        for ax, (dataset, rows) in zip(axes, variances.items(), strict=True):
            for row in rows.to_dict("records"):
                colour, height = method_colour(experiment, row["method"]), methods.index(row["method"])
                value, low, high = (row[f"relative_variance{end}"] for end in ("", "_low", "_high"))
                draw_interval(ax, height, value, low, high, color=colour)
                place: Options = {"transform": ax.get_yaxis_transform(), "va": "center"}  # to the right
                ax.text(1.01, height, f"{value:.3g}", fontsize=8, color=INK, **place)
                if row["method"] == experiment.reference_method:
                    ax.axvline(value, color=colour, linewidth=0.8, linestyle="--")
            ax.set_yticks(range(len(methods)), [method_label(name) for name in methods], fontsize=8.5)
            ax.set_ylim(len(methods) - 0.4, -0.6)
            ax.grid(visible=False, axis="y")
            ax.set_title("" if len(variances) == 1 else dataset)
        _scale_variances(axes[-1], every["relative_variance"])
    return fig


def _scale_variances(ax: Axes, values: pd.Series) -> None:
    if values.min() > 0 and values.max() / values.min() > WIDEST_LINEAR:
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_formatter("{x:g}")
    else:
        ax.set_xlim(left=0)
    ax.set_xlabel("relative variance")


def _draw_shares(ax: Axes, rows: pd.DataFrame, beside: pd.DataFrame, *, colour: str, control: str) -> None:
    quintiles = rows["quintile"]
    ax.bar(quintiles, 100 * rows["weight_share"], width=0.75, color="#dcdcdc", label="of the loss weight")
    if len(beside):
        label = f"of the gradient, {method_label(control)}"
        ax.plot(quintiles, 100 * beside["gradient_share"], color=CONTROL_COLOUR, linewidth=1.2, label=label)
    share, low, high = (100 * rows[f"gradient_share{end}"].to_numpy() for end in ("", "_low", "_high"))
    style: Options = {"fmt": "o", "markersize": 5, "elinewidth": 1.4, "label": "of the gradient"}
    ax.errorbar(quintiles, share, yerr=error_bars(share, low, high), color=colour, **style)
    ax.set_xticks(QUINTILES)
    ax.axhline(0, color=PALE, linewidth=0.8)
    ax.grid(visible=False, axis="x")
