"""The tables of the page, including those without a file of their own: lengths, times and provenance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from weft.layout import STORED_ENDING, ResultLayout
from weft.records import LengthSummary, Provenance
from weft.report.downloads import Files, table_files
from weft.report.labels import percent, seconds_text
from weft.report.markup import WIDE
from weft.report.presentation import Table

LENGTHS = {
    "num_examples": "examples",
    "mean_length": "tokens per example, mean",
    "median_length": "tokens per example, median",
    "p95_length": "tokens per example, 95th percentile",
    "max_length": "tokens per example, largest",
    "mean_prompt_length": "tokens per prompt, mean",
    "median_prompt_length": "tokens per prompt, median",
    "max_prompt_length": "tokens per prompt, largest",
    "length_limit": "tokens that are kept per example",
    "num_tokens": "tokens",
    "num_tokens_cut": "tokens cut off",
    "num_cut_off": "examples cut off",
    "share_tokens_cut": "tokens cut off, %",
    "share_cut_off": "examples cut off, %",
    "share_end_of_turn_cut_off": "examples without end of turn, %",
    "num_with_answer_tag": "examples with answer tag",
    "share_answer_tag_cut_off": "of these the tag is cut off, %",
    "num_heldout": "examples held out",
    "num_too_long": "examples left out as too long",
}
"""Field of `weft.records.LengthSummary` -> heading of its row."""
TEXT_HEADINGS = {
    "quantity", "commit", "settings", "versions", "device", "python", "training seeds", "results",
    "source of the questions", "licence", "file", "benchmark, length",
}  # fmt: skip
"""Headings of left-aligned columns."""
LONG = 16
"""Number of rows above which a table is folded."""
RUNS = f"{ResultLayout.of('').run('').name}/"
"""Beginning of the paths of training runs in the results folder."""
LONGEST_PRINTED = 60
"""Number of rows above which a table is not printed."""
SHORT_DIGEST = 12
"""Number of characters that the page shows of a commit or digest."""


@dataclass(frozen=True)
class PageTable:
    """A table in the form that the template shows.

    Attributes:
        title: heading of the table.
        headings: headings of the columns.
        rows: cells as text.
        notes: sentences that define the numbers.
        files: files with the table; None if the table is on the page only.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: str = ""
    files: Files | None = None

    @property
    def is_long(self) -> bool:
        """True if the page shows the table only on request."""
        return len(self.rows) > LONG

    @property
    def is_printed(self) -> bool:
        """True if the table is printed although it is folded on the page."""
        return len(self.rows) <= LONGEST_PRINTED

    @classmethod
    def of(cls, table: Table) -> "PageTable":
        """Return a table for readers; a wide headline table is transposed."""
        headings = [str(heading) for heading in table.cells.columns]
        rows = [[str(cell) for cell in row] for row in table.cells.itertuples(index=False)]
        if table.name.startswith("headline") and len(headings) > max(WIDE, len(rows)):
            headings, *rows = [list(column) for column in zip(headings, *rows, strict=True)]
            has_lengths = any(", " in heading for heading, *_ in rows)
            headings[0] = "benchmark, length" if has_lengths else "benchmark"
        title = table.subject[0].upper() + table.subject[1:]
        return cls(title, headings, rows, " ".join(table.notes), table_files(table.name))


def show_lengths(summaries: Mapping[str, LengthSummary]) -> PageTable:
    """Return the lengths of the training sets, a column per data set and a row per quantity."""
    rows = []
    for name, heading in LENGTHS.items():
        values = [getattr(summary, name) for summary in summaries.values()]
        if values != [None] * len(values):
            rows.append([heading, *(_length(name, value) for value in values)])
    notes = (
        "Held-out examples are not counted. Lengths are in tokens of the model, without padding and before "
        "examples are cut."
    )
    return PageTable("Lengths of the training examples", ["quantity", *summaries], rows, notes)


def _length(name: str, value: int | float | None) -> str:
    if value is None:
        return ""
    return percent(value) if name.startswith("share_") else f"{value:,.10g}"


def show_timings(timings: pd.DataFrame) -> PageTable:
    """Return the wall times of the training runs, see `weft.report.costs.list_timings`."""
    cells = pd.DataFrame(
        {
            "run": timings["run"],
            "optimiser steps": timings["num_steps"].astype(str),
            "seconds per step": timings["seconds_per_step"].map(seconds_text),
            "training, s": timings["train_seconds"].map("{:.1f}".format),
            "processes": timings["num_processes"].astype(str),
            "device": timings["device"],
        }
    )
    notes = (
        "Times are wall times of the optimiser steps; the seconds per step are a median. Timings were taken "
        "on a machine that other jobs may have shared."
    )
    return PageTable("Wall times of the training runs", list(cells.columns), cells.to_numpy().tolist(), notes)


def show_provenance(provenance: Mapping[str, Provenance]) -> PageTable:
    """Return the provenance, with a single row for all results that were made in the same way.

    Args:
        provenance: provenance of each result, by its path in the results folder.

    Returns:
        The table. Training seeds are the seeds of training runs only; the questions and the training examples
        have seeds of their own, which are settings.
    """
    groups: dict[tuple[object, ...], dict[str, Provenance]] = {}
    for name, item in provenance.items():
        versions = tuple(sorted(item.versions.items()))
        made_by = item.commit, item.dirty, item.experiment_digest, item.source_digest
        groups.setdefault((*made_by, item.device, item.python, versions), {})[name] = item
    headings = ["commit", "settings", "device", "python", "training seeds", "results", "versions"]
    notes = (
        "A row contains all results that were made in the same way. The column settings is the digest of the "
        "experiment file."
    )
    return PageTable("Provenance", headings, [_provenance_row(group) for group in groups.values()], notes)


def _provenance_row(group: Mapping[str, Provenance]) -> list[str]:
    first = next(iter(group.values()))
    seeds = {item.seed for name, item in group.items() if name.startswith(RUNS) and item.seed is not None}
    folders = Counter(name.removesuffix(STORED_ENDING).partition("/")[0] for name in group)
    versions = ", ".join(f"{name} {version}" for name, version in sorted(first.versions.items()))
    return [
        (first.commit or "no commit")[:SHORT_DIGEST] + (" with changes" if first.dirty else ""),
        first.experiment_digest[:SHORT_DIGEST],
        first.device,
        first.python,
        ", ".join(map(str, sorted(seeds))),
        f"{len(group)}: " + ", ".join(f"{name} {count}" for name, count in folders.items()),
        f"weft {first.weft_version}, {versions}",
    ]
