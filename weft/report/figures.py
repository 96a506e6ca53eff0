"""The figures, each as PNG and PDF; the same numbers give the same bytes."""

import itertools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from weft.config import FineTuning
from weft.report.accuracy_figure import draw_accuracy
from weft.report.contrast_figure import draw_contrasts
from weft.report.drawing import (
    CONTROL_COLOUR,
    INK,
    PALE,
    TREATMENT_COLOUR,
    method_colour,
    printable,
    save_figure,
    titled_figure,
)
from weft.report.gradient_figures import draw_gradient_share, draw_gradient_variance
from weft.report.labels import method_label
from weft.report.load import load_history, load_probe, load_timings
from weft.report.outputs import AnyExperiment, list_figures
from weft.report.ratio_figure import draw_ratios

NUM_WORDS = 12  # shown at each end of the entropy ranking
MOST_PANELS = 4  # side by side
MIN_OCCURRENCES = 20  # answer tokens that a word must have to be ranked


def make_figures(experiment: AnyExperiment, root: Path, tables: Path, out: Path) -> None:
    """Draw an experiment's figures.

    Args:
        experiment: the experiment.
        root: its results folder, with runs/, probe/ and, where they are studied, gradients/.
        tables: folder with its tables.
        out: folder for the files of `weft.report.outputs.figure_files`.

    Raises:
        DataError: a table, history, timing, probe or gradient file is missing or cut off.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in list_figures(experiment):
        save_figure(_DRAWINGS[name](experiment, root, tables), out / name)


def draw_training_loss(experiment: FineTuning, root: Path, tables: Path) -> Figure:
    """Draw the smoothed loss of every optimiser step, a panel per method and data set."""
    history = load_history(experiment, root)
    methods, datasets = list(experiment.methods), list(experiment.datasets)
    divisors = {method: settings.divisor.replace("_", " ") for method, settings in experiment.methods.items()}
    note = (
        "Thin: single seeds; thick: their mean; smoothed by a centred running mean over a tenth of the steps."
    )
    if len(set(divisors.values())) > 1:
        note += (
            " The methods divide the summed loss by different counts: the panels' scales cannot be compared."
        )
    num_columns = min(MOST_PANELS, len(methods))
    rows_per_dataset = math.ceil(len(methods) / num_columns)
    size = (max(6.5, 3.4 * num_columns), 1.5 + 2.5 * rows_per_dataset * len(datasets))
    with titled_figure(experiment, title="Training loss", notes=note, size=size) as fig:
        axes = fig.subplots(rows_per_dataset * len(datasets), num_columns, squeeze=False, sharex=True)
        for block, dataset in zip(np.split(axes, len(datasets)), datasets, strict=True):
            for ax, method in itertools.zip_longest(block.flat, methods):
                if method is None:
                    ax.set_axis_off()
                    continue
                own = history[(history["method"] == method) & (history["dataset"] == dataset)]
                _draw_losses(ax, own, colour=method_colour(experiment, method))
                where = "" if len(datasets) == 1 else f" on {dataset}"
                ax.set_title(f"{method_label(method)}{where}: sum / {divisors[method]}")
        for ax in axes[-1]:
            ax.set_xlabel("optimiser step")
        for ax in axes[:, 0]:
            ax.set_ylabel("loss, nats")
    return fig


def draw_token_entropy(experiment: FineTuning, root: Path, tables: Path) -> Figure:
    """Draw the distribution of token entropies and the least and most uncertain words."""
    datasets = list(experiment.datasets)
    note = (
        "Entropy of each answer token under the base model with the whole answer masked (WeFT's probe before "
        f"training). Words: mean over their tokens, words with at least {MIN_OCCURRENCES} tokens."
    )
    size = (8.5, 1.3 + 4.4 * len(datasets))
    with titled_figure(experiment, title="Token entropy", notes=note, size=size) as fig:
        axes = fig.subplots(len(datasets), 2, squeeze=False, width_ratios=(1.15, 1))
        for (left, right), dataset in zip(axes, datasets, strict=True):
            probe = load_probe(root, dataset)
            where = "" if len(datasets) == 1 else f", {dataset}"
            _draw_entropy_histogram(left, probe)
            left.set_title(f"All tokens{where}")
            _draw_words(right, rank_words(probe))
            right.set_title(f"Most and least uncertain words{where}")
    return fig


def rank_words(probe: pd.DataFrame, *, min_occurrences: int = MIN_OCCURRENCES) -> pd.DataFrame:
    """Rank words by mean entropy and keep both ends.

    Args:
        probe: a row per answer token: word, entropy (nats), is_padding.
        min_occurrences: answer tokens that a word must have.

    Returns:
        At most twice `NUM_WORDS` rows, no word twice, most uncertain first: entropy (mean, nats),
        num_tokens, is_uncertain; indexed by word.
    """
    words = probe[~probe["is_padding"]].groupby("word")["entropy"].agg(["mean", "size"])
    words = words[words["size"] >= min_occurrences].reset_index()
    words = words.sort_values(["mean", "word"], ascending=[False, True], ignore_index=True)
    words = words.rename(columns={"mean": "entropy", "size": "num_tokens"}).set_index("word")
    per_end = min(NUM_WORDS, (len(words) + 1) // 2)
    top, bottom = words.iloc[:per_end], words.iloc[max(per_end, len(words) - per_end) :]
    return pd.concat([top.assign(is_uncertain=True), bottom.assign(is_uncertain=False)])


def draw_time_per_step(experiment: FineTuning, root: Path, tables: Path) -> Figure:
    """Draw the wall time of an optimiser step per method, and the ratio of the contrast's two."""
    timings = load_timings(experiment, root)
    methods, datasets = list(experiment.methods), list(experiment.datasets)
    kinds = sorted({f"{row.num_processes} × {row.device}" for row in timings.itertuples()})
    note = (
        "Bars: median over runs of each run's median step; dots: runs. Other jobs may have shared the "
        f"machine. Processes × device: {', '.join(kinds)}."
    )
    size = (7.0, 1.5 + len(datasets) * (0.5 + 0.42 * len(methods)))
    with titled_figure(experiment, title="Time per optimiser step", notes=note, size=size) as fig:
        axes = fig.subplots(len(datasets), 1, squeeze=False, sharex=True)[:, 0]
        for ax, dataset in zip(axes, datasets, strict=True):
            for height, method in enumerate(methods):
                own = timings[(timings["dataset"] == dataset) & (timings["method"] == method)]
                _draw_time(ax, own["seconds_per_step"], height, method_colour(experiment, method))
            ax.set_yticks(range(len(methods)), [method_label(method) for method in methods])
            ax.grid(visible=False, axis="y")
            ax.invert_yaxis()
            ax.set_xlim(0, 1.18 * timings["seconds_per_step"].max())
            ax.set_title(_ratio_title(experiment, dataset, time_ratio(experiment, timings, dataset)))
        axes[-1].set_xlabel("seconds per optimiser step")
    return fig


def time_ratio(experiment: FineTuning, timings: pd.DataFrame, dataset: str) -> float:
    """Divide the contrast's median seconds per optimiser step: treatment by control."""
    own = timings[timings["dataset"] == dataset]
    medians = own.groupby("method")["seconds_per_step"].median()
    return float(medians[experiment.contrast[0]] / medians[experiment.contrast[1]])


def _draw_losses(ax: Axes, history: pd.DataFrame, *, colour: str) -> None:
    losses = history.pivot_table(index="optimizer_step", columns="seed", values="loss")
    smooth = losses.rolling(max(1, len(losses) // 10), center=True, min_periods=1).mean()
    ax.plot(smooth.index, smooth, color=colour, linewidth=0.7, alpha=0.45)
    ax.plot(smooth.index, smooth.mean(axis="columns"), color=colour, linewidth=2)
    ax.set_ylim(bottom=0)
    ax.tick_params(labelbottom=True)  # there may be no panel below


def _draw_time(ax: Axes, seconds: pd.Series, height: int, colour: str) -> None:
    ax.barh(height, seconds.median(), height=0.6, color=colour, alpha=0.85)
    ax.plot(seconds, [height] * len(seconds), "o", color=INK, markersize=3, alpha=0.7)
    place: dict[str, Any] = {"xytext": (8, 0), "textcoords": "offset points", "va": "center"}
    ax.annotate(f"{seconds.median():.3g} s", (seconds.max(), height), **place)


def _draw_entropy_histogram(ax: Axes, probe: pd.DataFrame) -> None:
    bins = list(np.linspace(0, max(1e-6, float(probe["entropy"].max())), 41))
    kinds = (("padding", True, PALE), ("answer tokens", False, TREATMENT_COLOUR))
    for label, is_padding, colour in kinds:
        entropy = probe["entropy"][probe["is_padding"] == is_padding].clip(lower=0)  # rounding: -1e-8
        if len(entropy):
            weights = np.full(len(entropy), 100 / len(entropy))
            name = f"{label} (n = {len(entropy):,})"
            ax.hist(entropy, bins=bins, weights=weights, color=colour, alpha=0.65, label=name)
    ax.set_yscale("log")
    ax.set_xlabel("entropy, nats")
    ax.set_ylabel("share of the tokens of a kind, % (log scale)")
    ax.legend(loc="upper right", fontsize=8)


def _draw_words(ax: Axes, words: pd.DataFrame) -> None:
    if words.empty:
        ax.text(0.5, 0.5, "no word occurs often enough", ha="center", va="center", transform=ax.transAxes)
        ax.set_axis_off()
        return
    heights = np.arange(len(words)) + np.where(words["is_uncertain"], 0.0, 1.0)  # a gap between the two ends
    colours = np.where(words["is_uncertain"], TREATMENT_COLOUR, CONTROL_COLOUR)
    ax.barh(heights, words["entropy"], color=list(colours), alpha=0.85, height=0.75)
    ax.set_yticks(heights, [printable(str(word)) for word in words.index], fontsize=7.5)
    for label in ax.get_yticklabels():
        label.set_parse_math(False)
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("mean entropy, nats")


def _ratio_title(experiment: FineTuning, dataset: str, ratio: float) -> str:
    treatment, control = (method_label(name) for name in experiment.contrast)
    where = "" if len(experiment.datasets) == 1 else f"{dataset}: "
    return f"{where}{treatment} / {control} = {ratio:.2f}"


_DRAWINGS: Mapping[str, Callable[[Any, Path, Path], Figure]] = {
    "accuracy": draw_accuracy,
    "contrasts": draw_contrasts,
    "training_loss": draw_training_loss,
    "token_entropy": draw_token_entropy,
    "ratios": draw_ratios,
    "gradient_share": draw_gradient_share,
    "gradient_variance": draw_gradient_variance,
    "time_per_step": draw_time_per_step,
}
