"""The report page: one HTML file with everything inside, so that it can be mailed or archived.

Model output is untrusted: the template escapes all text, and the page's own security policy lets
browsers load and run nothing.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from weft.config import FineTuning
from weft.errors import DataError
from weft.report.captions import caption
from weft.report.conclusions import compare_rules, draw_conclusions
from weft.report.figures import time_ratio
from weft.report.html import load_template
from weft.report.labels import benchmark_label, full_caption, method_label, percent, run_label
from weft.report.load import Sample, load_provenance, load_table, load_timings, load_training_data
from weft.report.markup import WIDE
from weft.report.outputs import (
    AnyExperiment,
    has_ablations,
    list_figures,
    list_tables,
    trace_file,
)
from weft.report.presentation import TEXT_HEADINGS, Table, corrected_rows, present

FIGURE_TITLES = {
    "accuracy": "Accuracy per benchmark",
    "contrasts": "Differences of accuracy",
    "training_loss": "Training loss",
    "token_entropy": "Token entropy under the base model",
    "ratios": "Masking-rate ratios of the answer tokens",
    "gradient_share": "Where the gradient comes from",
    "gradient_variance": "Noise of the gradient",
    "time_per_step": "Time per optimiser step",
}
ABLATION_FIGURES = ("contrasts", "gradient_share", "gradient_variance", "ratios")
ABLATION_TABLES = ("gradients", "ratios", "costs")
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
}
"""Names in the summaries of the training sets -> what readers see; others are shown as they are."""
PAGE_TEXT_HEADINGS = TEXT_HEADINGS | {
    "quantity",
    "commit",
    "settings",
    "versions",
    "device",
    "python",
    "training seeds",
}
SHORT_DIGEST = 12  # characters of a commit or digest
RECORDED_ONCE = ("commit", "dirty", "experiment_digest", "source_digest", "device", "python")


@dataclass(frozen=True)
class PageTable:
    """A table as the template sees it.

    Attributes:
        title: one line.
        headings: one per column.
        rows: text cells.
        notes: what a reader must know.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: str = ""

    @classmethod
    def of(cls, table: Table) -> "PageTable":
        """Take over a table for readers; a wide headline is turned on its side."""
        headings = [str(heading) for heading in table.cells.columns]
        rows = [[str(cell) for cell in row] for row in table.cells.itertuples(index=False)]
        if table.name.startswith("headline") and len(headings) > max(WIDE, len(rows)):
            headings, *rows = [list(column) for column in zip(headings, *rows, strict=True)]
        return cls(table.subject[0].upper() + table.subject[1:], headings, rows, " ".join(table.notes))


def make_page(
    experiment: AnyExperiment,
    root: Path,
    tables: Path,
    figures: Path,
    out: Path,
    *,
    samples: Sequence[Sample] = (),
) -> None:
    """Make the report page of an experiment from its results.

    Args:
        experiment: the experiment.
        root: its results folder, with runs/ and the provenance files.
        tables: folder with its tables.
        figures: folder with its figures.
        out: the HTML file to write.
        samples: generations to show; `weft.report.load.load_samples` chooses some.

    Raises:
        DataError: a table, figure or timing is missing.
    """
    frames = {name: load_table(tables, name) for name in list_tables(experiment)}
    timings = load_timings(experiment, root) if isinstance(experiment, FineTuning) else None
    images = {name: _read_image(figures / f"{name}.png") for name in list_figures(experiment)}
    write_page(
        experiment,
        frames=frames,
        images=images,
        timings=timings,
        lengths=load_training_data(experiment, root) if isinstance(experiment, FineTuning) else {},
        provenance=load_provenance(root),
        samples=samples,
        traces=_find_traces(experiment, out.parent),
        out=out,
    )


def write_page(
    experiment: AnyExperiment,
    *,
    frames: Mapping[str, pd.DataFrame],
    images: Mapping[str, bytes],
    timings: pd.DataFrame | None,
    lengths: Mapping[str, Mapping[str, int | float]],
    provenance: Sequence[Mapping[str, Any]],
    samples: Sequence[Sample],
    traces: Mapping[str, str],
    out: Path,
) -> None:
    """Write the page; the same inputs give the same bytes.

    Args:
        experiment: the experiment.
        frames: its tables by name, in the order in which they are shown.
        images: its figures by name, as PNG.
        timings: wall times of the training runs; None if nothing was trained.
        lengths: what is known about the lengths of each training set; may be empty.
        provenance: contents of the provenance files.
        samples: generations to show.
        traces: pages with answers step by step: relative link to name; may be empty.
        out: the HTML file to write.
    """
    shown = {name: PageTable.of(present(experiment, name, frame)) for name, frame in frames.items()}
    runs = shown.pop("scores")
    drawn = {name: _figure(experiment, name, image, frames) for name, image in images.items()}
    ablations = _take_ablations(experiment, shown, drawn, frames)
    content = {
        "title": experiment.title,
        "caption": full_caption(experiment),
        "text_headings": PAGE_TEXT_HEADINGS,
        "conclusions": draw_conclusions(experiment, dict(frames)),
        "rules": compare_rules(experiment, frames["scores"]),
        "ablations": ablations,
        "lengths": _length_table(lengths) if lengths else None,
        "tables": list(shown.values()),
        "runs": runs,
        "figures": list(drawn.values()),
        "samples": [_visible(experiment, sample) for sample in samples],
        "traces": [{"link": link, "name": name} for link, name in traces.items()],
        "costs": None if timings is None else _cost_table(timings),
        "cost_sentences": _cost_sentences(experiment, timings),
        "provenance": _provenance_table(provenance),
    }
    page = load_template("index.html.j2").render(content)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8", newline="\n")


def _figure(
    experiment: AnyExperiment, name: str, image: bytes, frames: Mapping[str, pd.DataFrame]
) -> dict[str, str]:
    """Give the template a figure: its title, its data, and what its numbers are."""
    data = base64.b64encode(image).decode()
    return {"alt": FIGURE_TITLES[name], "data": data, "caption": caption(experiment, name, frames)}


def _take_ablations(
    experiment: AnyExperiment,
    tables: dict[str, PageTable],
    figures: dict[str, dict[str, str]],
    frames: Mapping[str, pd.DataFrame],
) -> dict[str, Any] | None:
    """Take tables and figures of the ablations out of the others; None if there are no ablations."""
    if not has_ablations(experiment):
        return None
    averages = present(experiment, "contrasts", corrected_rows(experiment, frames["contrasts"]))
    cells = averages.cells
    same = [name for name in ("training set", "benchmark", "length", "rules") if _is_constant(cells, name)]
    table = PageTable.of(replace(averages, cells=cells.drop(columns=same)))
    return {
        "contrasts": replace(table, title="Paired comparisons on the average"),
        "tables": [tables.pop(name) for name in ABLATION_TABLES if name in tables],
        "figures": [figures.pop(name) for name in ABLATION_FIGURES if name in figures],
    }


def _is_constant(cells: pd.DataFrame, heading: str) -> bool:
    return heading in cells and cells[heading].nunique() == 1


def _length_table(lengths: Mapping[str, Mapping[str, int | float]]) -> PageTable:
    """Put the data sets beside each other, a row per quantity."""
    names = list(dict.fromkeys(name for numbers in lengths.values() for name in numbers))
    rows = [
        [LENGTHS.get(name, name.replace("_", " ")), *(_length(name, of.get(name)) for of in lengths.values())]
        for name in names
    ]
    notes = "Examples after holding out; lengths before cutting, in tokens of the model, without padding."
    return PageTable("Training data", ["quantity", *lengths], rows, notes)


def _length(name: str, value: int | float | None) -> str:
    if value is None:
        return ""
    return percent(value) if name.startswith("share_") else f"{value:,.10g}"


def _find_traces(experiment: AnyExperiment, folder: Path) -> dict[str, str]:
    """Name the traces beside the page, by their relative links."""
    runs = experiment.traced_runs
    return {trace_file(run): run_label(run) for run in runs if (folder / trace_file(run)).exists()}


def _read_image(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: the page needs this figure, {error.strerror}; make the figures first"
        ) from error


def _visible(experiment: AnyExperiment, sample: Sample) -> dict[str, Any]:
    """Replace what HTML does not allow, control characters and halves of characters, by a sign."""
    texts = {name: _without_controls(value) for name, value in sample._asdict().items()}
    return texts | {"benchmark": benchmark_label(experiment, sample.benchmark)}


def _without_controls(text: str | None) -> str | None:
    if text is None:
        return None
    return "".join(
        one if one.isprintable() or one in "\n\t " else "\N{REPLACEMENT CHARACTER}" for one in text
    )


def _cost_table(timings: pd.DataFrame) -> PageTable:
    headings = ["run", "optimiser steps", "seconds per step", "training, s", "processes", "device"]
    rows = [
        [
            str(row["run"]),
            str(row["num_steps"]),
            f"{row['seconds_per_step']:.3g}",
            f"{row['train_seconds']:.1f}",
            str(row["num_processes"]),
            str(row["device"]),
        ]
        for row in timings.to_dict("records")
    ]
    notes = (
        "Wall time of the optimiser steps; the seconds per step are a median. Other jobs may have run beside."
    )
    return PageTable("Cost", headings, rows, notes)


def _cost_sentences(experiment: AnyExperiment, timings: pd.DataFrame | None) -> list[str]:
    if timings is None or not isinstance(experiment, FineTuning):
        return []
    treatment, control = (method_label(name) for name in experiment.contrast)
    return [
        f"An optimiser step of {treatment} took {time_ratio(experiment, timings, dataset):.2f} times as long "
        f"as one of {control} (trained on {dataset}; median over runs)."
        for dataset in experiment.datasets
    ]


def _provenance_table(provenance: Sequence[Mapping[str, Any]]) -> PageTable:
    """Group results that were made in the same way; a second row says that something changed in between."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for record in provenance:
        versions = tuple(sorted(record.get("versions", {}).items()))
        groups.setdefault((*(record.get(name) for name in RECORDED_ONCE), versions), []).append(record)
    headings = ["commit", "settings", "device", "python", "training seeds", "results", "versions"]
    rows = [_provenance_row(records) for records in groups.values()]
    notes = "One row for all results that were made in the same way; settings: digest of the experiment file."
    return PageTable("Provenance", headings, rows, notes)


def _provenance_row(records: Sequence[Mapping[str, Any]]) -> list[str]:
    one = records[0]
    seeds = sorted({record["seed"] for record in records if record.get("seed") is not None})
    commit = str(one.get("commit") or "no commit")[:SHORT_DIGEST] + (
        " with changes" if one.get("dirty") else ""
    )
    versions = ", ".join(f"{name} {version}" for name, version in sorted(one.get("versions", {}).items()))
    return [
        commit,
        str(one.get("experiment_digest") or "")[:SHORT_DIGEST],
        str(one.get("device") or ""),
        str(one.get("python") or ""),
        ", ".join(str(seed) for seed in seeds),
        str(len(records)),
        f"weft {one.get('weft_version', '')}, {versions}",
    ]
