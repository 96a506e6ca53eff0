"""The figure of the masking-rate ratios: the answer tokens by both references."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weft.config import FineTuning
from weft.report.drawing import CONTROL_COLOUR, INK, TREATMENT_COLOUR, titled_figure
from weft.report.load import load_probe
from weft.report.ratios import LARGE, REFERENCES, compute_ratios

SHOWN_SHARE = 0.999  # of the answer tokens; the histogram ends there
HEADROOM = 1.45  # for the legend, which then never lies on bars or lines


def draw_ratios(experiment: FineTuning, root: Path, tables: Path) -> Figure:
    """Draw the distribution of the answer tokens' ratios by both references, a panel per data set."""
    datasets = list(experiment.datasets)
    note = (
        "Ratio r = √H / mean √H of each answer token's entropy H under the base model with the whole answer "
        "masked. The mean is over the example's answer tokens, or over these and its padding; a token with "
        f"ratio r is masked with probability r/(1 + r) on average. Beyond the right end: at most "
        f"{100 * (1 - SHOWN_SHARE):.1f} % of a distribution."
    )
    size = (8.5, 1.6 + 3.0 * len(datasets))
    with titled_figure(experiment, title="Masking-rate ratios", notes=note, size=size) as fig:
        axes = fig.subplots(len(datasets), 1, squeeze=False)[:, 0]
        for ax, dataset in zip(axes, datasets, strict=True):
            ratios = compute_ratios(load_probe(root, dataset))
            _draw_histograms(ax, ratios[~ratios["is_padding"]])
            ax.set_title("" if len(datasets) == 1 else dataset)
    return fig


def _draw_histograms(ax: Axes, ratios: pd.DataFrame) -> None:
    end = max(LARGE, *(float(ratios[reference].quantile(SHOWN_SHARE)) for reference in REFERENCES))
    bins = list(np.linspace(0, end, 61))
    colours = (CONTROL_COLOUR, TREATMENT_COLOUR)
    for (reference, name), colour in zip(REFERENCES.items(), colours, strict=True):
        values = ratios[reference]
        low, middle, high = values.quantile([0.05, 0.5, 0.95])
        label = (
            f"mean over {name}:\nmean {values.mean():.2f}, median {middle:.2f}, "
            f"5 to 95 %: {low:.2f} to {high:.2f}"
        )
        look: dict[str, Any] = {"weights": np.full(len(values), 100 / len(values)), "histtype": "stepfilled"}
        ax.hist(values, bins=bins, color=colour, alpha=0.4, edgecolor="none", **look)
        ax.hist(values, bins=bins, color=colour, linewidth=1.4, label=label, **look | {"histtype": "step"})
        ax.axvline(values.mean(), ymax=1 / HEADROOM, color=colour, linewidth=1.2, linestyle="--")
    ax.axvline(1, ymax=1 / HEADROOM, color=INK, linewidth=0.7)
    ax.set_xlim(0, end)
    ax.set_ylim(top=HEADROOM * ax.get_ylim()[1])
    ax.set_xlabel("ratio r (dashed: means)")
    ax.set_ylabel("share of the answer tokens, %")
    ax.legend(loc="upper right", fontsize=8)
