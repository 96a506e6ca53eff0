"""Convert the tables to text for readers: numbers in percent, with labels and notes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from weft.config import Experiment
from weft.report import measurement_cells, notes, score_cells
from weft.report.cells import Cells, group_labels, name_custom_scoring
from weft.report.counterparts import has_paper_lengths
from weft.report.labels import (
    benchmark_label,
    custom_note,
    full_caption,
    join_words,
    model_heading,
    summary_benchmark,
)
from weft.report.outputs import PAPER_TABLE, list_headlines
from weft.report.paper_table import paper_cells
from weft.report.published_numbers import MIXED
from weft.stats import AVERAGE

TEXT_HEADINGS = {
    "run", "model", "method", "training set", "benchmark", "method of interval", "contrast", "conclusion",
    "tokens", "normalised over", "scoring", "question", "reason", "word",
}  # fmt: skip
"""Headings of left-aligned columns."""
MAY_BE_CONSTANT = ("model", "contrast", "training set", "length")
"""Headings of columns that are replaced by a sentence if all rows have the same value."""
MAY_BE_EMPTY = ("steps, mean", "sampling, s", "GPU hours")
"""Headings of columns that are left out if no value is known."""


@dataclass(frozen=True)
class Table:
    """A table for readers.

    Attributes:
        name: name of the table's files without their ending.
        experiment: title of the experiment.
        subject: what the table shows, in a few words.
        cells: the cells as text, with the headings as column names.
        caption: caption of the experiment.
        notes: sentences that define the numbers.
    """

    name: str
    experiment: str
    subject: str
    cells: pd.DataFrame
    caption: str
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Title of the experiment and subject of the table."""
        return f"{self.experiment}: {self.subject}"


def present(experiment: Experiment, name: str, frame: pd.DataFrame) -> Table:
    """Convert the numbers of a table to text.

    Args:
        experiment: the experiment.
        name: one of `weft.report.outputs.list_tables`.
        frame: the numbers.

    Returns:
        The table for readers.
    """
    scoring = list_headlines(experiment).get(name)
    if scoring is not None:
        by_scoring = f" ({scoring} scoring)" if len(experiment.applied_scorings) > 1 else ""
        subject, cells = f"accuracy{by_scoring}", _headline_cells(experiment, frame, scoring)
        sentences = notes.on_headline(experiment, scoring)
    else:
        subject, make_cells = _PRESENTATIONS[name]
        if experiment.model_names:
            subject = SUBJECTS_OF_MODELS.get(name, subject)
        shown = name_custom_scoring(experiment, frame)
        cells, sentences = make_cells(experiment, shown), notes.table_notes(experiment, name, shown)
    if experiment.custom_benchmarks and (scoring is not None or "benchmark" in frame):
        sentences = (*sentences, custom_note(experiment))
    table, shared = _drop_constant(pd.DataFrame(cells))
    return Table(name, experiment.title, subject, table, full_caption(experiment), (*shared, *sentences))


def _drop_constant(cells: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Remove empty columns, and some with the same value in all rows; a sentence says what it is."""
    constant = {
        heading: cells[heading].iloc[0]
        for heading in MAY_BE_CONSTANT
        if heading in cells and len(cells) > 1 and cells[heading].nunique() == 1 and cells[heading].iloc[0]
    }
    texts = [
        f"the {heading} is {value}" + (" tokens" if heading == "length" else "")
        for heading, value in constant.items()
    ]
    empty = [name for name in MAY_BE_EMPTY if name in cells and len(cells) > 1 and cells[name].eq("").all()]
    return cells.drop(columns=[*constant, *empty]), (f"In all rows, {join_words(texts)}.",) if texts else ()


def headline_headings(experiment: Experiment, scoring: str) -> dict[str, str]:
    """Return the columns of a headline table as a mapping from key, such as sudoku_48, to heading."""
    lengths = experiment.gen_lengths
    names = list(experiment.benchmark_names)
    if len(names) > 1:
        names.append(AVERAGE)
    if scoring != experiment.scoring[0]:
        names = [name for name in names if name not in experiment.custom_benchmarks]
    headings = {
        headline_key(name, length): benchmark_label(experiment, name, scoring=scoring)
        + (f", {length}" if len(lengths) > 1 else "")
        for name in names
        for length in lengths
    }
    if has_paper_lengths(experiment):
        headings[headline_key(AVERAGE, MIXED)] = "average, lengths of the paper"
    return headings


def headline_key(benchmark: str, gen_length: int | str) -> str:
    """Return the name of a column of a headline table."""
    return f"{benchmark}_{gen_length}"


def main_rows(experiment: Experiment, contrasts: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the averages by the first scoring, or of the only benchmark."""
    is_main = contrasts["benchmark"] == summary_benchmark(experiment)
    return contrasts[is_main & (contrasts["rules"] == experiment.scoring[0])]


def at_main_length(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows at the lengths of the paper or, without these, at the largest length."""
    lengths = rows["gen_length"].unique().tolist()
    return rows[rows["gen_length"] == (MIXED if MIXED in lengths else max(lengths, key=int))]


def length_text(gen_length: int | str) -> str:
    """Format the length of answers."""
    return "lengths of the paper" if gen_length == MIXED else f"{gen_length} tokens"


def _headline_cells(experiment: Experiment, frame: pd.DataFrame, scoring: str) -> Cells:
    if not experiment.is_sampled:
        return _stored_headline_cells(experiment, frame, scoring)
    cells: Cells = {model_heading(experiment): group_labels(frame)}
    for key, heading in headline_headings(experiment, scoring).items():
        cells[heading] = frame[key].fillna("").astype(str)
    return cells


def _stored_headline_cells(experiment: Experiment, frame: pd.DataFrame, scoring: str) -> Cells:
    """Return a row per benchmark, and the accuracies at each length, with the published ones, as columns."""
    names = [*experiment.benchmark_names, *([AVERAGE] if len(experiment.benchmark_names) > 1 else [])]
    cells: Cells = {"benchmark": [benchmark_label(experiment, name, scoring=scoring) for name in names]}
    for length in experiment.gen_lengths:
        keys = [headline_key(name, length) for name in names]
        for index, suffix in enumerate(("", " published")[: len(frame)]):
            cells[f"{length} tokens{suffix}, %"] = frame.iloc[index][keys].fillna("").astype(str).tolist()
    return cells


SUBJECTS_OF_MODELS = {
    "scores": "scores of every model",
    "methods": "accuracy of every model, averages included",
}
"""Name of a table of an evaluation -> its subject."""
_PRESENTATIONS: Mapping[str, tuple[str, Callable[[Experiment, pd.DataFrame], Cells]]] = {
    PAPER_TABLE: ("accuracy and gain", paper_cells),
    "scores": ("accuracy of every run", score_cells.score_cells),
    "methods": ("accuracy of every method over training seeds", score_cells.method_cells),
    "gains": ("gain over the base model", score_cells.gain_cells),
    "contrasts": ("paired comparison", score_cells.contrast_cells),
    "seeds": ("differences by training seed", score_cells.seed_cells),
    "rules": ("comparison of the scorings", score_cells.scoring_cells),
    "learning_curves": ("accuracy on validation questions during training", measurement_cells.curve_cells),
    "learning_speed": ("optimiser steps to half of the gain", measurement_cells.speed_cells),
    "costs": ("costs", measurement_cells.cost_cells),
    "gradients": ("origin of the gradient", measurement_cells.gradient_cells),
    "ratios": ("masking-rate ratios", measurement_cells.ratio_cells),
    "words": ("words with the highest and the lowest entropy", measurement_cells.word_cells),
    "answers": ("format and length of the answers", measurement_cells.answer_cells),
    "agreement": ("verdicts that equal those of d1's own code", score_cells.agreement_cells),
    "unscorable": ("answers that cannot be scored", score_cells.unscorable_cells),
    "published": ("comparison with the published numbers", score_cells.published_cells),
}
