"""The report page: a self-contained HTML file that can be sent by e-mail or archived.

The answers of a model are untrusted text. The template escapes all text, and the content security policy of
the page forbids browsers to load or execute anything.
"""

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from weft.config import Experiment
from weft.layout import ResultLayout
from weft.report.captions import TITLES, figure_caption
from weft.report.conclusions import draw_conclusions
from weft.report.costs import list_timings
from weft.report.labels import benchmark_label, full_caption, run_label
from weft.report.outputs import has_ablations
from weft.report.page_tables import TEXT_HEADINGS, PageTable, show_lengths, show_provenance, show_timings
from weft.report.page_template import load_template
from weft.report.presentation import TEXT_HEADINGS as TABLE_TEXT_HEADINGS
from weft.report.presentation import main_rows, present
from weft.report.results import Results, Sample
from weft.report.tables import Tables

ABLATION_FIGURES = ("contrasts", "gradient_share", "gradient_variance", "ratios")
ABLATION_TABLES = ("gradients", "ratios", "costs")


def render_page(
    experiment: Experiment, results: Results, tables: Tables, figures: Mapping[str, bytes]
) -> str:
    """Return the report page as HTML; the same inputs give the same text.

    Args:
        experiment: the experiment.
        results: its results.
        tables: its tables by name, in the order in which the page shows them.
        figures: its figures by name, as PNG.

    Returns:
        The page.
    """
    shown = {name: PageTable.of(present(experiment, name, frame)) for name, frame in tables.items()}
    runs = shown.pop("scores")
    drawn = {
        name: {
            "title": TITLES[name],
            "data": base64.b64encode(image).decode(),
            "caption": figure_caption(experiment, results, name),
        }
        for name, image in figures.items()
    }
    ablations = _take_ablations(experiment, tables, shown, drawn) if has_ablations(experiment) else None
    content = {
        "title": experiment.title,
        "caption": full_caption(experiment),
        "text_headings": TABLE_TEXT_HEADINGS | TEXT_HEADINGS,
        "conclusions": draw_conclusions(experiment, tables),
        "ablations": ablations,
        "tables": list(shown.values()),
        "figures": list(drawn.values()),
        "samples": [_show_sample(experiment, sample) for sample in results.samples],
        "traces": [_show_trace(run.run_id, run_label(run)) for run in results.traces],
        "costs": show_timings(list_timings(experiment, results)) if results.timings else None,
        "lengths": show_lengths(results.summaries) if results.summaries else None,
        "runs": runs,
        "provenance": show_provenance(results.provenance),
    }
    return load_template("index.html.j2").render(content)


class Ablations(NamedTuple):
    """The section on ablations."""

    contrasts: PageTable
    tables: list[PageTable]
    figures: list[dict[str, str]]


def _take_ablations(
    experiment: Experiment, tables: Tables, shown: dict[str, PageTable], drawn: dict[str, dict[str, str]]
) -> Ablations:
    """Remove the tables and figures of the ablations from the given mappings and return them."""
    averages = present(experiment, "contrasts", main_rows(experiment, tables["contrasts"]))
    cells = averages.cells
    same = [
        name
        for name in ("training set", "benchmark", "length", "scoring")
        if name in cells and cells[name].nunique() == 1
    ]
    has_average = len(experiment.benchmark_names) > 1
    contrasts = PageTable.of(replace(averages, cells=cells.drop(columns=same)))
    return Ablations(
        replace(contrasts, title="Paired comparisons" + (" on the average" if has_average else "")),
        tables=[shown.pop(name) for name in ABLATION_TABLES if name in shown],
        figures=[drawn.pop(name) for name in ABLATION_FIGURES if name in drawn],
    )


def _show_trace(run_id: str, name: str) -> dict[str, str]:
    page = ResultLayout.of("").page
    trace = ResultLayout.of("").trace(run_id)
    return {"link": trace.relative_to(page.parent).as_posix(), "name": name}


def _show_sample(experiment: Experiment, sample: Sample) -> dict[str, str | None]:
    extracted = sample.score.extracted
    return {
        "benchmark": benchmark_label(experiment, sample.score.benchmark),
        "verdict": str(sample.score.verdict),
        "run": sample.run_id,
        "question": _without_controls(sample.generation.question),
        "generation": _without_controls(sample.generation.generation),
        "extracted": None if extracted is None else _without_controls(extracted),
    }


def _without_controls(text: str) -> str:
    """Replace characters that HTML does not allow: control characters and lone surrogates."""
    return "".join(
        character if character.isprintable() or character in "\n\t " else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
