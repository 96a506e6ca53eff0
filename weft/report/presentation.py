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
from weft.report.outputs import AnyExperiment, is_paper
from weft.report.published import D1, MIXED, NUM_QUESTIONS, TABLE_1_LENGTHS, WEFT_PAPER
from weft.stats import AVERAGE

TEXT_HEADINGS = {"run", "model", "method", "training set", "benchmark", "interval by", "contrast", "reading"}
"""Headings of the columns that are set flush left."""


@dataclass(frozen=True)
class Table:
    """A table for readers.

    Attributes:
        name: its file name without ending.
        experiment: the experiment's title.
        subject: what the table shows, a few words.
        cells: text only, a column per heading.
        caption: the experiment's caption.
        notes: what a reader must know, a sentence each.
    """

    name: str
    experiment: str
    subject: str
    cells: pd.DataFrame
    caption: str
    notes: tuple[str, ...] = field(default=())

    @property
    def title(self) -> str:
        """Experiment and subject in one line."""
        return f"{self.experiment}: {self.subject}"


def present(experiment: AnyExperiment, name: str, frame: pd.DataFrame) -> Table:
    """Make a table readable.

    Args:
        experiment: where it comes from.
        name: one of `weft.report.outputs.list_tables`.
        frame: its numbers.
    """
    show, subject, notes = _PRESENTATIONS[name]
    return Table(
        name=name,
        experiment=experiment.title,
        subject=subject,
        cells=show(experiment, frame),
        caption=experiment.caption.strip(),
        notes=notes(experiment, frame),
    )


def headline_headings(experiment: AnyExperiment) -> dict[str, str]:
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


def _show_scores(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
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
        sizes = frame["benchmark"].map(NUM_QUESTIONS).astype(str)
        cells["n"] = frame["n"].astype(str) + " of " + sizes
        cells.insert(7, "published, %", frame["published_accuracy"].map(percent))
    return cells


def _show_methods(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
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


def _show_contrasts(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
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


def _show_headline(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
    rows = zip(frame["method"], frame["dataset"], strict=True)
    if isinstance(experiment, StoredGenerations):
        cells = {"model": pd.Series([f"{method}{dataset or ''}" for method, dataset in rows])}
    else:
        cells = {"method": pd.Series([group_label(method, dataset) for method, dataset in rows])}
    for key, heading in headline_headings(experiment).items():
        cells[heading] = frame[key].fillna("").astype(str)
    return pd.DataFrame(cells)


def _show_published(experiment: AnyExperiment, frame: pd.DataFrame) -> pd.DataFrame:
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


def _score_notes(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    notes: tuple[str, ...] = (
        "The intervals say how far an accuracy could be off because other questions might have been asked; "
        "they do not cover another training seed.",
        "Unscorable answers count as wrong. For Sudoku the units are the empty cells; correct counts whole "
        "boards.",
    )
    if "published_accuracy" in frame:
        notes += ("Published: d1's own table for this model, over all questions; empty where it has none.",)
    return notes


def _method_notes(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    return (
        "Mean, sample standard deviation (sd), minimum and maximum over training seeds, in percent.",
        "Intervals by bootstrap over examples and seeds; of a single run over examples only.",
        "The average is the unweighted mean over the benchmarks.",
    )


def _contrast_notes(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    if len(frame) and min(frame["num_seeds_treatment"].min(), frame["num_seeds_control"].min()) == 1:
        covered = (
            "With a single seed per method the intervals cover the questions only, not the noise of training."
        )
    else:
        covered = (
            "Paired bootstrap over examples, the same for both methods, and over training seeds, "
            "within each method."
        )
    level = 1 - experiment.statistics.confidence
    chance = (
        f"Were there no difference anywhere, about {100 * level:g} % of such intervals would still exclude "
        f"zero; here are {len(frame)}."
    )
    return covered, chance


def _headline_notes(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    if isinstance(experiment, StoredGenerations):
        return (
            "Accuracy in percent. The second row is the published table, empty where it has nothing, over "
            "all questions; the generations at hand may answer a part of them, see n in the scores table.",
        )
    spread = f"{PLUS_MINUS} sample standard deviation" if len(experiment.seeds) > 1 else "one seed, no spread"
    counts = f"Accuracy in percent: mean over {len(experiment.seeds)} training seeds, {spread}."
    notes = (
        counts,
        "The spread is that of the seeds; uncertainty from the questions is in the contrasts table.",
    )
    return (*notes, _mixed_note()) if is_paper(experiment) else notes


def _published_notes(experiment: AnyExperiment, frame: pd.DataFrame) -> tuple[str, ...]:
    return (
        "Empty: not published, or not known to us. Published numbers come from one seed.",
        _mixed_note(),
    )


def _mixed_note() -> str:
    lengths = ", ".join(f"{name} {length}" for name, length in TABLE_1_LENGTHS.items())
    return f"Lengths of the paper ({MIXED}): its averages most likely use {lengths} tokens; an inference."


_Show = Callable[[AnyExperiment, pd.DataFrame], pd.DataFrame]
_Notes = Callable[[AnyExperiment, pd.DataFrame], tuple[str, ...]]
_PRESENTATIONS: Mapping[str, tuple[_Show, str, _Notes]] = {
    "scores": (_show_scores, "accuracy of every run", _score_notes),
    "methods": (_show_methods, "accuracy of every method over training seeds", _method_notes),
    "contrasts": (_show_contrasts, "paired comparison", _contrast_notes),
    "headline": (_show_headline, "accuracy", _headline_notes),
    "published": (_show_published, "beside the published numbers", _published_notes),
}
