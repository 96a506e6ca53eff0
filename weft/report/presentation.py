"""The tables as readers see them: percent, labels, notes; made from the tables as numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from weft.config import FineTuning, StoredGenerations
from weft.report.labels import (
    PLUS_MINUS,
    benchmark_label,
    group_label,
    level_text,
    method_label,
    p_value_text,
    percent,
    percent_interval,
    percent_spread,
)
from weft.report.outputs import is_paper
from weft.report.published import D1, MIXED, TABLE_1_LENGTHS, WEFT_PAPER
from weft.stats import AVERAGE

TEXT_HEADINGS = {"run", "model", "method", "training set", "benchmark", "interval by", "contrast", "reading"}
"""Headings of the columns that are set flush left."""


@dataclass(frozen=True)
class Table:
    """A table for readers.

    Attributes:
        name: its file name without ending.
        title: one line.
        cells: text only, a column per heading.
        caption: the experiment's caption.
        notes: what a reader must know, a sentence each.
    """

    name: str
    title: str
    cells: pd.DataFrame
    caption: str
    notes: tuple[str, ...] = field(default=())


def present(experiment: FineTuning | StoredGenerations, name: str, frame: pd.DataFrame) -> Table:
    """Make a table readable.

    Args:
        experiment: where it comes from.
        name: one of `weft.report.outputs.list_tables`.
        frame: its numbers.
    """
    show, title, notes = _PRESENTATIONS[name]
    return Table(
        name=name,
        title=f"{experiment.title}: {title}",
        cells=show(experiment, frame),
        caption=experiment.caption.strip(),
        notes=notes(experiment, frame),
    )


def headline_headings(experiment: FineTuning | StoredGenerations) -> dict[str, str]:
    """Give the headline's columns their headings: key, such as sudoku_48, to label."""
    lengths = (
        experiment.sampling.gen_lengths if isinstance(experiment, FineTuning) else experiment.gen_lengths
    )
    names = [str(benchmark) for benchmark in experiment.benchmarks]
    if len(names) > 1:
        names.append(AVERAGE)
    headings = {
        headline_key(name, length): benchmark_label(experiment, name)
        + (f", {length}" if len(lengths) > 1 else "")
        for name in names
        for length in lengths
    }
    if is_paper(experiment):
        headings[headline_key(AVERAGE, MIXED)] = "average, lengths of the paper"
    return headings


def headline_key(benchmark: str, gen_length: int | str) -> str:
    """Name a column of the headline table."""
    return f"{benchmark}_{gen_length}"


def _show_scores(experiment: FineTuning | StoredGenerations, frame: pd.DataFrame) -> pd.DataFrame:
    cells = pd.DataFrame(
        {
            "run": frame["run"],
            "benchmark": [benchmark_label(experiment, name) for name in frame["benchmark"]],
            "length": frame["gen_length"].astype(str),
            "n": frame["n"].astype(str),
            "correct": frame["num_correct"].astype(str),
            "unscorable": frame["num_unscorable"].astype(str),
            "accuracy, %": frame["accuracy"].map(percent),
            f"{level_text(experiment.statistics.confidence)} interval": _intervals(frame),
            "interval by": frame["interval"],
        }
    )
    if "published_accuracy" in frame:
        cells["run"] = frame["method"]
        cells = cells.rename(columns={"run": "model"})
        cells.insert(7, "published, %", frame["published_accuracy"].map(percent))
    return cells


def _show_methods(experiment: FineTuning | StoredGenerations, frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "method": frame["method"].map(method_label),
            "training set": frame["dataset"].fillna(""),
            "benchmark": [benchmark_label(experiment, name) for name in frame["benchmark"]],
            "length": frame["gen_length"].astype(str),
            "seeds": frame["num_seeds"].astype(str),
            "mean, %": frame["mean"].map(percent),
            "sd": frame["sd"].map(percent),
            "minimum": frame["minimum"].map(percent),
            "maximum": frame["maximum"].map(percent),
            f"{level_text(experiment.statistics.confidence)} interval": _intervals(frame),
        }
    )


def _show_contrasts(experiment: FineTuning | StoredGenerations, frame: pd.DataFrame) -> pd.DataFrame:
    pairs = zip(frame["treatment"], frame["control"], strict=True)
    return pd.DataFrame(
        {
            "contrast": [f"{method_label(one)} minus {method_label(other)}" for one, other in pairs],
            "training set": frame["dataset"],
            "benchmark": [benchmark_label(experiment, name) for name in frame["benchmark"]],
            "length": frame["gen_length"].astype(str),
            "difference, points": [percent(one, is_signed=True) for one in frame["difference"]],
            f"{level_text(experiment.statistics.confidence)} interval": _intervals(frame, is_signed=True),
            "p": frame["p_value"].map(p_value_text),
            "reading": [
                reading(low, high) for low, high in zip(frame["ci_low"], frame["ci_high"], strict=True)
            ],
        }
    )


def reading(low: float, high: float) -> str:
    """Say on which side of zero an interval lies."""
    return "above zero" if low > 0 else "below zero" if high < 0 else "not distinguishable from zero"


def _show_headline(experiment: FineTuning | StoredGenerations, frame: pd.DataFrame) -> pd.DataFrame:
    rows = zip(frame["method"], frame["dataset"], strict=True)
    if isinstance(experiment, StoredGenerations):
        cells = {"model": pd.Series([f"{method}{dataset or ''}" for method, dataset in rows])}
    else:
        cells = {"method": pd.Series([group_label(method, dataset) for method, dataset in rows])}
    for key, heading in headline_headings(experiment).items():
        cells[heading] = frame[key].fillna("").astype(str)
    return pd.DataFrame(cells)


def _show_published(experiment: FineTuning | StoredGenerations, frame: pd.DataFrame) -> pd.DataFrame:
    groups = zip(frame["method"], frame["dataset"], strict=True)
    ours = zip(frame["ours"], frame["ours_sd"], strict=True)
    return pd.DataFrame(
        {
            "method": [group_label(method, dataset) for method, dataset in groups],
            "benchmark": [benchmark_label(experiment, name) for name in frame["benchmark"]],
            "length": frame["gen_length"].astype(str),
            "seeds": frame["num_seeds"].astype(str),
            "ours, %": [percent_spread(mean, sd) for mean, sd in ours],
            f"{WEFT_PAPER}, %": frame["weft_paper"].map(percent),
            f"{D1}, %": frame["d1"].map(percent),
        }
    )


def _intervals(frame: pd.DataFrame, *, is_signed: bool = False) -> list[str]:
    bounds = zip(frame["ci_low"], frame["ci_high"], strict=True)
    return [percent_interval(low, high, is_signed=is_signed) for low, high in bounds]


def _score_notes(experiment: FineTuning | StoredGenerations, frame: pd.DataFrame) -> tuple[str, ...]:
    notes = (
        "The intervals say how far an accuracy could be off because other questions might have been asked; "
        "they do not cover another training seed.",
        "Unscorable answers count as wrong. For Sudoku the units are the empty cells, correct counts whole boards.",
    )
    if "published_accuracy" in frame:
        notes += ("Published: d1's own table for this model; empty where it has none.",)
    return notes


def _method_notes(experiment: FineTuning | StoredGenerations, frame: pd.DataFrame) -> tuple[str, ...]:
    return (
        "Mean, sample standard deviation (sd), minimum and maximum over training seeds, in percent.",
        "Intervals by bootstrap over examples and seeds; of a single run over examples only.",
        "The average is the unweighted mean over the benchmarks.",
    )


def _contrast_notes(experiment: FineTuning | StoredGenerations, frame: pd.DataFrame) -> tuple[str, ...]:
    if len(frame) and min(frame["num_seeds_treatment"].min(), frame["num_seeds_control"].min()) == 1:
        covered = (
            "With a single seed per method the intervals cover the questions only, not the noise of training."
        )
    else:
        covered = "Paired bootstrap over examples (the same for both methods) and training seeds (within each method)."
    level = 1 - experiment.statistics.confidence
    return (covered, f"Of {len(frame)} such intervals {100 * level:g} % would exclude zero by chance alone.")


def _headline_notes(experiment: FineTuning | StoredGenerations, frame: pd.DataFrame) -> tuple[str, ...]:
    if isinstance(experiment, StoredGenerations):
        return ("Accuracy in percent; the second row is the published table, empty where it has nothing.",)
    spread = f"{PLUS_MINUS} sample standard deviation" if len(experiment.seeds) > 1 else "one seed, no spread"
    counts = f"Accuracy in percent: mean over {len(experiment.seeds)} training seeds, {spread}."
    notes = (
        counts,
        "The spread is that of the seeds; uncertainty from the questions is in the contrasts table.",
    )
    return notes + (_mixed_note(),) if is_paper(experiment) else notes


def _published_notes(experiment: FineTuning | StoredGenerations, frame: pd.DataFrame) -> tuple[str, ...]:
    return (
        "Empty: not published, or not known to us. Published numbers come from one seed.",
        _mixed_note(),
    )


def _mixed_note() -> str:
    lengths = ", ".join(f"{name} {length}" for name, length in TABLE_1_LENGTHS.items())
    return f"Length {MIXED}: the paper's average, which most likely uses {lengths} tokens (an inference)."


_Show = Callable[[FineTuning | StoredGenerations, pd.DataFrame], pd.DataFrame]
_Notes = Callable[[FineTuning | StoredGenerations, pd.DataFrame], tuple[str, ...]]
_PRESENTATIONS: Mapping[str, tuple[_Show, str, _Notes]] = {
    "scores": (_show_scores, "accuracy of every run", _score_notes),
    "methods": (_show_methods, "accuracy of every method over training seeds", _method_notes),
    "contrasts": (_show_contrasts, "paired comparison", _contrast_notes),
    "headline": (_show_headline, "accuracy", _headline_notes),
    "published": (_show_published, "beside the published numbers", _published_notes),
}
