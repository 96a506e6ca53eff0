"""The figure of the masking-rate ratios of the answer tokens."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weft.config import FineTuning
from weft.report.captions import SHOWN_SHARE
from weft.report.drawing import CONTROL_COLOUR, INK, TREATMENT_COLOUR, Options, titled_figure
from weft.report.ratios import LARGE, REFERENCES, compute_ratios
from weft.report.results import Results

HEADROOM = 1.45
"""Height of the panel relative to its bars, so that the legend does not cover them."""


def draw_ratios(experiment: FineTuning, results: Results) -> Figure:
    """Draw the distribution of the answer tokens' ratios for both references, in a panel per data set."""
    datasets = experiment.dataset_names
    with titled_figure(experiment, results, "ratios", size=(8.5, 1.6 + 3.0 * len(datasets))) as fig:
        axes = fig.subplots(len(datasets), 1, squeeze=False)[:, 0]
        for ax, dataset in zip(axes, datasets, strict=True):
            ratios = compute_ratios(results.probes[dataset])
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
        style: Options = {"bins": bins, "weights": np.full(len(values), 100 / len(values))}
        ax.hist(values, color=colour, alpha=0.4, edgecolor="none", histtype="stepfilled", **style)
        ax.hist(values, color=colour, linewidth=1.4, label=label, histtype="step", **style)
        ax.axvline(values.mean(), ymax=1 / HEADROOM, color=colour, linewidth=1.2, linestyle="--")
    ax.axvline(1, ymax=1 / HEADROOM, color=INK, linewidth=0.7)
    ax.set_xlim(0, end)
    ax.set_ylim(top=HEADROOM * ax.get_ylim()[1])
    ax.set_xlabel("ratio r (dashed: means)")
    ax.set_ylabel("share of the answer tokens, %")
    ax.legend(loc="upper right", fontsize=8)
