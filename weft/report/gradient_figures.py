"""The figures of the gradient study: which tokens the mean gradient comes from, and how noisy a step is."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from weft.config import FineTuning
from weft.report.drawing import CONTROL_COLOUR, INK, PALE, method_colour, titled_figure
from weft.report.labels import method_label
from weft.report.load import QUINTILES, load_gradients

MOST_PANELS = 5  # side by side
WIDEST_LINEAR = 5.0  # ratio of largest to smallest variance above which the scale is logarithmic


def draw_gradient_share(experiment: FineTuning, root: Path, tables: Path) -> Figure:
    """Draw the shares of weight and gradient by entropy quintile, a panel per method and data set.

    Args:
        experiment: the experiment.
        root: its results folder, with gradients/.
        tables: not needed.

    Raises:
        DataError: a gradient study is missing or cut off.
    """
    gradients = load_gradients(experiment, root)
    panels = list(gradients.groupby(["dataset", "method"], sort=False))
    num_columns = min(MOST_PANELS, len(panels))
    num_rows = math.ceil(len(panels) / num_columns)
    control = experiment.contrast[1]
    note = (
        "Answer tokens in five groups of equal size by their entropy under the base model, 1 the surest; "
        "shares are of all tokens, what is missing to 100 % is padding's. Gradient: the part of the mean "
        "gradient that comes from a group, projected on the whole; bars: "
        "95 % interval over draws of masks."
    )
    size = (max(6.5, 0.6 + 2.35 * num_columns), 1.9 + 2.15 * num_rows)
    with titled_figure(experiment, title="Where the gradient comes from", notes=note, size=size) as fig:
        axes = fig.subplots(num_rows, num_columns, squeeze=False, sharex=True, sharey=True)
        for ax in axes.flat[len(panels) :]:
            ax.set_axis_off()
        for ax, ((dataset, method), rows) in zip(axes.flat, panels, strict=False):
            beside = gradients[(gradients["dataset"] == dataset) & (gradients["method"] == control)]
            colour = method_colour(experiment, str(method))
            _draw_shares(ax, rows, beside, colour=colour, control=control)
            where = "" if len(experiment.datasets) == 1 else f", {dataset}"
            ax.set_title(f"{method_label(str(method))}{where}", fontsize=9, color=colour)
            ax.tick_params(labelbottom=True)
        for ax in axes[:, 0]:
            ax.set_ylabel("share, %")
        for ax in axes.flat[max(0, len(panels) - num_columns) : len(panels)]:
            ax.set_xlabel("entropy quintile")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside upper right", ncols=len(labels), fontsize=8.5)
    return fig


def draw_gradient_variance(experiment: FineTuning, root: Path, tables: Path) -> Figure:
    """Draw the relative variance of a step's gradient, a dot per method, a panel per data set.

    Args:
        experiment: the experiment.
        root: its results folder, with gradients/.
        tables: not needed.

    Raises:
        DataError: a gradient study is missing or cut off.
    """
    variances = one_row_per_method(load_gradients(experiment, root))
    methods, datasets = list(dict.fromkeys(variances["method"])), list(experiment.datasets)
    note = (
        "E|g − E g|² / |E g|² of the gradient g of one optimiser step before training, over draws of times "
        "and masks; bars: 95 % interval over draws; dashed: the control. Smaller is less noise."
    )
    size = (7.5, 1.7 + len(datasets) * (0.5 + 0.27 * len(methods)))
    with titled_figure(experiment, title="Noise of the gradient", notes=note, size=size) as fig:
        axes = fig.subplots(len(datasets), 1, squeeze=False, sharex=True)[:, 0]
        for ax, dataset in zip(axes, datasets, strict=True):
            for row in variances[variances["dataset"] == dataset].to_dict("records"):
                colour = method_colour(experiment, row["method"])
                _draw_interval(ax, row, methods.index(row["method"]), colour=colour)
                if row["method"] == experiment.contrast[1]:
                    ax.axvline(row["relative_variance"], color=colour, linewidth=0.8, linestyle="--")
            ax.set_yticks(range(len(methods)), [method_label(one) for one in methods], fontsize=8.5)
            ax.set_ylim(len(methods) - 0.4, -0.6)
            ax.grid(visible=False, axis="y")
            ax.set_title("" if len(datasets) == 1 else dataset)
        values = variances["relative_variance"]
        if values.min() > 0 and values.max() / values.min() > WIDEST_LINEAR:
            axes[-1].set_xscale("log")
            axes[-1].xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
            axes[-1].xaxis.set_minor_locator(NullLocator())
            axes[-1].xaxis.set_major_formatter("{x:g}")
        else:
            axes[-1].set_xlim(left=0)
        axes[-1].set_xlabel("relative variance")
    return fig


def one_row_per_method(gradients: pd.DataFrame) -> pd.DataFrame:
    """Keep what is the same in all quintiles of a method: one row per data set and method."""
    return gradients[gradients["quintile"] == QUINTILES[0]].reset_index(drop=True)


def _draw_shares(ax: Axes, rows: pd.DataFrame, beside: pd.DataFrame, *, colour: str, control: str) -> None:
    quintiles = rows["quintile"]
    ax.bar(quintiles, 100 * rows["weight_share"], width=0.75, color="#dcdcdc", label="of the loss weight")
    if len(beside):
        label = f"of the gradient, {method_label(control)}"
        ax.plot(quintiles, 100 * beside["gradient_share"], color=CONTROL_COLOUR, linewidth=1.2, label=label)
    share, low, high = (100 * rows[f"gradient_share{end}"].to_numpy() for end in ("", "_low", "_high"))
    ax.errorbar(
        quintiles,
        share,
        yerr=np.maximum([share - low, high - share], 0),
        fmt="o",
        markersize=5,
        elinewidth=1.4,
        color=colour,
        label="of the gradient",
    )
    ax.set_xticks(QUINTILES)
    ax.axhline(0, color=PALE, linewidth=0.8)
    ax.grid(visible=False, axis="x")


def _draw_interval(ax: Axes, row: dict[Any, Any], height: int, *, colour: str) -> None:
    value, low, high = (row[f"relative_variance{end}"] for end in ("", "_low", "_high"))
    ends = np.maximum([[value - low], [high - value]], 0)
    ax.errorbar([value], [height], xerr=ends, fmt="o", markersize=5.5, elinewidth=1.5, color=colour)
    beside = ax.get_yaxis_transform()  # in a column of their own, at the right edge
    ax.text(1.01, height, f"{value:.3g}", transform=beside, va="center", fontsize=8, color=INK)
