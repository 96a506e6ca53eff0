"""Texts in place of the figures, for readers who cannot see them. They state the numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from weft.config import Experiment
from weft.report.captions import TITLES
from weft.report.costs import list_timings
from weft.report.labels import (
    benchmark_label,
    group_label,
    method_label,
    percent,
    percent_interval,
    percent_spread,
    summary_benchmark,
)
from weft.report.presentation import length_text, main_rows
from weft.report.results import Results
from weft.report.tables import Tables
from weft.stats import AVERAGE

MOST_NUMBERS = 12
"""Largest number of items in a text; listening to more of them takes longer than reading a table."""
WORDS_PER_END = 3
"""Number of words at each end of the ranking by entropy."""
LAST_STEPS = 10
"""The loss at the end of a training run is the mean over this many optimiser steps."""


def alt_text(experiment: Experiment, results: Results, tables: Tables, name: str) -> str:
    """Return the text in place of a figure.

    Args:
        experiment: the experiment.
        results: its results.
        tables: its tables.
        name: name of the figure, one of `weft.report.outputs.list_figures`.

    Returns:
        The title of the figure and its most important numbers.
    """
    list_items = _ITEMS.get(name)
    items = [] if list_items is None else list_items(experiment, results, tables)
    if not items:
        return f"{TITLES[name]}. The tables of this page contain the numbers."
    shown = "; ".join(items[:MOST_NUMBERS])
    num_left = len(items) - MOST_NUMBERS
    return f"{TITLES[name]}. {shown}{f'; and {num_left} more' if num_left > 0 else ''}."


def _accuracies(experiment: Experiment, _: Results, tables: Tables) -> list[str]:
    if not experiment.is_sampled:
        return _stored_accuracies(experiment, tables["scores"])
    methods = tables["methods"]
    is_shown = methods["benchmark"] == summary_benchmark(experiment)
    rows = methods[is_shown & (methods["rules"] == experiment.scoring[0])]
    return [
        f"{_group(row)}, {length_text(row['gen_length'])}: {percent_spread(row['mean'], row['sd'])} %"
        for row in rows.to_dict("records")
    ]


def _stored_accuracies(experiment: Experiment, scores: pd.DataFrame) -> list[str]:
    rows = scores[scores["rules"] == experiment.scoring[0]]
    return [
        f"{benchmark_label(experiment, row['benchmark'])}, {length_text(row['gen_length'])}: "
        f"{percent(row['accuracy'])} %"
        + (
            ""
            if pd.isna(row["published_accuracy"])
            else f", published {percent(row['published_accuracy'])} %"
        )
        for row in rows.to_dict("records")
    ]


def _differences(experiment: Experiment, _: Results, tables: Tables) -> list[str]:
    return [
        f"{method_label(row['treatment'])} minus {method_label(row['control'])}"
        f"{'' if row['dataset'] is None else ', trained on ' + row['dataset']}, "
        f"{length_text(row['gen_length'])}: "
        f"{percent(row['difference'], is_signed=True)} points, "
        + (
            "no interval"
            if pd.isna(row["ci_low"])
            else f"interval {percent_interval(row['ci_low'], row['ci_high'], is_signed=True)}"
        )
        for row in main_rows(experiment, tables["contrasts"]).to_dict("records")
    ]


def _curves(_: Experiment, __: Results, tables: Tables) -> list[str]:
    averages = tables["learning_curves"]
    items = []
    for label, rows in _by_group(averages[averages["benchmark"] == AVERAGE]):
        means, steps = rows["mean"].map(percent).tolist(), rows["optimizer_step"].tolist()
        items.append(f"{label}: {means[0]} % after {steps[0]} steps, {means[-1]} % after {steps[-1]} steps")
    return items


def _losses(experiment: Experiment, results: Results, _: Tables) -> list[str]:
    last = [
        {"method": run.method, "dataset": run.dataset, "loss": step.loss}
        for run in experiment.trained_runs
        for step in results.logs[run.run_id][-LAST_STEPS:]
    ]
    groups = _by_group(pd.DataFrame(last))
    return [f"{label}: {rows['loss'].mean():.2f} nats at the end" for label, rows in groups]


def _entropies(_: Experiment, results: Results, __: Tables) -> list[str]:
    items = []
    for dataset, probe in results.probes.items():
        entropy = probe["entropy"][~probe["is_padding"]]
        low, median, high = entropy.quantile([0.1, 0.5, 0.9])
        items.append(
            f"{dataset}: {len(entropy):,} answer tokens with a median of {median:.2f} nats; a tenth lies "
            f"below {low:.2f} and a tenth above {high:.2f}"
        )
    return items


def _words(_: Experiment, results: Results, __: Tables) -> list[str]:
    items = []
    for dataset, ranking in results.word_rankings.items():
        for end, words in zip(("highest", "lowest"), ranking.ends(WORDS_PER_END), strict=True):
            pairs = zip(words["word"], words["mean_entropy"], words["count"], strict=True)
            named = ", ".join(f"{word} {entropy:.2f} nats (n = {count:,})" for word, entropy, count in pairs)
            items.append(f"{dataset}, {end} entropy: {named}")
    return items


def _ratios(_: Experiment, __: Results, tables: Tables) -> list[str]:
    rows = tables["ratios"]
    rows = rows[(rows["kind"] == "answer") & (rows["reference"] == "answer")]
    return [
        f"{row['dataset']}: median ratio {row['q50']:.2f}, from {row['q05']:.2f} (5 %) to {row['q95']:.2f} "
        "(95 %)"
        for row in rows.to_dict("records")
    ]


def _gradient_shares(_: Experiment, __: Results, tables: Tables) -> list[str]:
    items = []
    for label, rows in _by_group(tables["gradients"]):
        shares = rows["gradient_share"].map(percent).tolist()
        items.append(
            f"{label}: {shares[0]} % of the gradient from the tokens of lowest entropy, {shares[-1]} % from "
            "those of highest entropy"
        )
    return items


def _gradient_variances(_: Experiment, __: Results, tables: Tables) -> list[str]:
    groups = _by_group(tables["gradients"])
    return [f"{label}: relative variance {rows['relative_variance'].iloc[0]:.3g}" for label, rows in groups]


def _times(experiment: Experiment, results: Results, _: Tables) -> list[str]:
    groups = _by_group(list_timings(experiment, results))
    return [f"{label}: {rows['seconds_per_step'].median():.3g} s" for label, rows in groups]


def _by_group(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the name of each method with its training set, and its rows."""
    for (method, dataset), rows in frame.groupby(["method", "dataset"], sort=False):
        yield group_label(str(method), str(dataset)), rows


def _group(row: Mapping[Any, Any]) -> str:
    return group_label(row["method"], None if pd.isna(row["dataset"]) else row["dataset"])


_ITEMS: Mapping[str, Callable[[Experiment, Results, Tables], Sequence[str]]] = {
    "accuracy": _accuracies,
    "accuracy_by_length": _accuracies,
    "forest": _differences,
    "contrasts": _differences,
    "learning_curves": _curves,
    "training_loss": _losses,
    "token_entropy": _entropies,
    "entropy_words": _words,
    "word_cloud": _words,
    "ratios": _ratios,
    "gradient_share": _gradient_shares,
    "gradient_variance": _gradient_variances,
    "time_per_step": _times,
}
"""Name of a figure -> function that lists its numbers."""
