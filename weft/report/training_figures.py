"""The figures of the training runs: loss, entropy of the training tokens, and time per step."""

import itertools
import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weft.config import FineTuning
from weft.report.costs import list_timings, time_ratio
from weft.report.drawing import (
    INK,
    PALE,
    TREATMENT_COLOUR,
    Options,
    method_colour,
    titled_figure,
)
from weft.report.labels import method_label, seconds_text
from weft.report.results import Results

MOST_PANELS = 4
"""Maximum number of panels in a row."""


def draw_training_loss(experiment: FineTuning, results: Results) -> Figure:
    """Draw the smoothed loss of each optimiser step, a panel per data set and method."""
    methods, datasets = list(experiment.methods), experiment.dataset_names
    divisors = {method: settings.divisor.replace("_", " ") for method, settings in experiment.methods.items()}
    num_columns = min(MOST_PANELS, len(methods))
    rows_per_dataset = math.ceil(len(methods) / num_columns)
    size = (max(6.5, 3.4 * num_columns), 1.5 + 2.5 * rows_per_dataset * len(datasets))
    with titled_figure(experiment, results, "training_loss", size=size) as fig:
        axes = fig.subplots(rows_per_dataset * len(datasets), num_columns, squeeze=False, sharex=True)
        for block, dataset in zip(np.split(axes, len(datasets)), datasets, strict=True):
            for ax, method in itertools.zip_longest(block.flat, methods):
                if method is None:
                    ax.set_axis_off()
                    continue
                losses = {
                    run.seed: pd.Series({step.optimizer_step: step.loss for step in results.logs[run.run_id]})
                    for run in experiment.trained_runs
                    if (run.method, run.dataset) == (method, dataset)
                }
                _draw_losses(ax, pd.DataFrame(losses), colour=method_colour(experiment, method))
                place = "" if len(datasets) == 1 else f" on {dataset}"
                ax.set_title(f"{method_label(method)}{place}: sum / {divisors[method]}")
        for ax in axes[-1]:
            ax.set_xlabel("optimiser step")
        for ax in axes[:, 0]:
            ax.set_ylabel("loss, nats")
    return fig


def draw_token_entropy(experiment: FineTuning, results: Results) -> Figure:
    """Draw the distribution of the token entropies, a panel per data set."""
    datasets = experiment.dataset_names
    with titled_figure(experiment, results, "token_entropy", size=(6.5, 1.3 + 3.2 * len(datasets))) as fig:
        axes = fig.subplots(len(datasets), 1, squeeze=False)[:, 0]
        for ax, dataset in zip(axes, datasets, strict=True):
            _draw_entropy_histogram(ax, results.probes[dataset])
            if len(datasets) > 1:
                ax.set_title(dataset)
    return fig


def draw_time_per_step(experiment: FineTuning, results: Results) -> Figure:
    """Draw the wall time of an optimiser step per method, with the ratio of the main contrast, if any."""
    timings = list_timings(experiment, results)
    methods, datasets = list(experiment.methods), experiment.dataset_names
    size = (7.0, 1.5 + len(datasets) * (0.5 + 0.42 * len(methods)))
    with titled_figure(experiment, results, "time_per_step", size=size) as fig:
        axes = fig.subplots(len(datasets), 1, squeeze=False, sharex=True)[:, 0]
        for ax, dataset in zip(axes, datasets, strict=True):
            for height, method in enumerate(methods):
                chosen = timings[(timings["dataset"] == dataset) & (timings["method"] == method)]
                _draw_time(ax, chosen["seconds_per_step"], height, method_colour(experiment, method))
            ax.set_yticks(range(len(methods)), [method_label(method) for method in methods])
            ax.grid(visible=False, axis="y")
            ax.invert_yaxis()
            ax.set_xlim(0, 1.18 * timings["seconds_per_step"].max())
            title = [] if len(datasets) == 1 else [dataset]
            if experiment.contrast is not None and experiment.gain_control is not None:
                ratio = time_ratio(experiment, timings, dataset)
                shown = "not known" if np.isnan(ratio) else f"{ratio:.2f}"
                title.append(f"{' / '.join(map(method_label, experiment.contrast))}: {shown}")
            ax.set_title(": ".join(title))
        axes[-1].set_xlabel("seconds per optimiser step")
    return fig


def _draw_losses(ax: Axes, losses: pd.DataFrame, *, colour: str) -> None:
    is_finite = pd.DataFrame(np.isfinite(losses))
    window = max(1, len(losses) // 10)
    smooth = losses.where(is_finite).rolling(window, center=True, min_periods=1).mean().where(is_finite)
    ax.plot(smooth.index, smooth, color=colour, linewidth=0.7, alpha=0.45)
    ax.plot(smooth.index, smooth.mean(axis="columns", skipna=False), color=colour, linewidth=2)
    _mark_broken_steps(ax, is_finite)
    ax.tick_params(labelbottom=True)  # because there may be no panel below


def _mark_broken_steps(ax: Axes, is_finite: pd.DataFrame) -> None:
    """Mark the steps whose loss is not finite, and name their seeds; the lines have a gap there."""
    place: Options = {"transform": ax.get_xaxis_transform(), "color": INK}
    texts = []
    for seed in is_finite.columns[~is_finite.all()]:
        steps = is_finite.index[~is_finite[seed]]
        ax.plot(steps, [0.96] * len(steps), "x", markersize=5, clip_on=False, **place)
        counts = f"{len(steps)} of {len(is_finite)} steps, first {steps[0]}"
        texts.append(f"seed {seed}: loss not finite in {counts}")
    if texts:
        ax.text(is_finite.index[0], 0.9, "\n".join(texts), fontsize=7.5, va="top", **place)


def _draw_time(ax: Axes, seconds: pd.Series, height: int, colour: str) -> None:
    ax.barh(height, seconds.median(), height=0.6, color=colour, alpha=0.85)
    ax.plot(seconds, [height] * len(seconds), "o", color=INK, markersize=3, alpha=0.7)
    place: Options = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
    ax.annotate(f"{seconds_text(seconds.median())} s", (seconds.max(), height), **place)


def _draw_entropy_histogram(ax: Axes, probe: pd.DataFrame) -> None:
    bins = list(np.linspace(0, max(1e-6, float(probe["entropy"].max())), 41))
    kinds = (("padding", True, PALE), ("answer tokens", False, TREATMENT_COLOUR))
    for label, is_padding, colour in kinds:
        entropy = probe["entropy"][probe["is_padding"] == is_padding].clip(lower=0)  # may be -1e-8
        if len(entropy):
            weights = np.full(len(entropy), 100 / len(entropy))
            name = f"{label} (n = {len(entropy):,})"
            ax.hist(entropy, bins=bins, weights=weights, color=colour, alpha=0.65, label=name)
    ax.set_yscale("log")
    ax.set_xlabel("entropy, nats")
    ax.set_ylabel("share of the tokens of a kind, % (log scale)")
    ax.legend(loc="upper right", fontsize=8)
