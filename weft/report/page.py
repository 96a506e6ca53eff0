"""The report page: a self-contained HTML file that can be sent by e-mail or archived.

The answers of a model are untrusted text. The template escapes all text, and the content security policy of
the page forbids browsers to load anything, or to execute anything but the script of the example browser. The
page links to the files beside it, but does not need them.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from weft.config import Experiment, FineTuning, StoredGenerations
from weft.records import Verification
from weft.report.alt_texts import alt_text
from weft.report.browser import Browser, trace_link
from weft.report.captions import TITLES, figure_caption
from weft.report.conclusions import draw_conclusions
from weft.report.costs import list_timings
from weft.report.data_cards import DataCard, list_data_cards, show_benchmarks
from weft.report.deviations import load_deviations
from weft.report.downloads import Files, figure_files, load_bibtex, table_files
from weft.report.first_screen import first_figure, first_table
from weft.report.labels import full_caption, run_label
from weft.report.outputs import has_ablations
from weft.report.page_settings import main_settings, resolved_yaml
from weft.report.page_tables import TEXT_HEADINGS, PageTable, show_lengths, show_provenance, show_timings
from weft.report.page_template import load_template
from weft.report.page_verification import show_verification
from weft.report.presentation import TEXT_HEADINGS as TABLE_TEXT_HEADINGS
from weft.report.presentation import main_rows, present
from weft.report.results import Results
from weft.report.shown_text import printable
from weft.report.tables import Tables

EMBEDDED_FORMAT = "svg"
"""Format of the figures in the page, one of `weft.layout.FIGURE_FORMATS`."""
POINTS_PER_INCH = 72
PIXELS_PER_INCH = 110
"""Size of the figures on the page. It makes the smallest letters of a figure, 7 points, 10.7 pixels high."""
TRAINING = {
    "learning_curves", "learning_speed", "training_loss", "token_entropy", "entropy_words", "word_cloud",
    "words", "ratios", "gradients", "gradient_share", "gradient_variance",
}  # fmt: skip
"""Tables and figures of the section on training."""
COST = {"costs", "time_per_step"}
"""Tables and figures of the section on cost."""


@dataclass(frozen=True)
class PageFigure:
    """A figure in the form that the template shows.

    Attributes:
        title: its title.
        uri: the image as a data URI.
        width: width on a wide screen, in pixels.
        alt: text in place of the image.
        caption: caption without that of the experiment, which the page shows once.
        files: files with the figure.
    """

    title: str
    uri: str
    width: int
    alt: str
    caption: str
    files: Files


def render_page(
    experiment: Experiment,
    results: Results,
    tables: Tables,
    figures: Mapping[str, bytes],
    browser: Browser | None = None,
    *,
    verification: Verification | None = None,
) -> str:
    """Return the report page as HTML; the same inputs give the same text.

    Args:
        experiment: the experiment.
        results: its results.
        tables: its tables by name, in the order in which the page shows them.
        figures: its figures by name, in the format `EMBEDDED_FORMAT`.
        browser: its example browser; None for a page without one.
        verification: outcome of verifying all results; None if they were not verified.

    Returns:
        The page.
    """
    drawn = {
        name: PageFigure(
            title=TITLES[name],
            uri=f"data:image/svg+xml;base64,{base64.b64encode(image).decode()}",
            width=round(PIXELS_PER_INCH * _figure_width(image)),
            alt=alt_text(experiment, results, tables, name),
            caption=figure_caption(experiment, results, name),
            files=figure_files(name),
        )
        for name, image in figures.items()
    }
    shown = {name: PageTable.of(present(experiment, name, frame)) for name, frame in tables.items()}
    first = first_figure(drawn)
    further = {name: figure for name, figure in drawn.items() if name != first}
    content = {
        "title": experiment.title,
        "caption": full_caption(experiment),
        "text_headings": TABLE_TEXT_HEADINGS | TEXT_HEADINGS,
        "conclusions": draw_conclusions(experiment, tables),
        "first_figure": drawn[first],
        "first_table": first_table(experiment, tables),
        "comparisons": _show_comparisons(experiment, tables),
        "figures": [figure for name, figure in further.items() if name not in TRAINING | COST],
        "tables": [table for name, table in shown.items() if name not in TRAINING | COST],
        "browser": browser,
        "traces": [{"link": trace_link(run), "name": run_label(run)} for run in results.traces],
        "training_figures": [figure for name, figure in further.items() if name in TRAINING],
        "training_tables": [table for name, table in shown.items() if name in TRAINING],
        "cost_figures": [figure for name, figure in further.items() if name in COST],
        "cost_tables": [
            *(table for name, table in shown.items() if name in COST),
            *([show_timings(list_timings(experiment, results))] if results.timings else []),
        ],
        **_show_data(experiment, results),
        "main_settings": main_settings(experiment),
        "settings": resolved_yaml(experiment),
        "deviations": load_deviations(),
        "provenance": show_provenance(results.provenance),
        "verification": None if verification is None else show_verification(verification),
        "downloads": [
            *((shown[name].title, "table", table_files(name)) for name in tables),
            *((TITLES[name], "figure", figure_files(name)) for name in figures),
        ],
        "bibtex": load_bibtex(),
    }
    return load_template("index.html.j2").render(content)


def _figure_width(image: bytes) -> float:
    """Return the width of an SVG file of matplotlib in inches."""
    width = re.search(rb'<svg [^>]*?width="([\d.]+)pt"', image)
    assert width is not None, "matplotlib writes the width in points"
    return float(width[1]) / POINTS_PER_INCH


def _show_comparisons(experiment: Experiment, tables: Tables) -> PageTable | None:
    """Return all comparisons by the first scoring on the average, without columns of a single value."""
    if not has_ablations(experiment) or "contrasts" not in tables:
        return None
    averages = present(experiment, "contrasts", main_rows(experiment, tables["contrasts"]))
    cells = averages.cells
    same = [name for name in ("benchmark", "scoring") if name in cells and cells[name].nunique() == 1]
    has_average = len(experiment.benchmark_names) > 1
    table = PageTable.of(replace(averages, cells=cells.drop(columns=same)))
    return replace(table, title="Paired comparisons" + (" on the average" if has_average else ""))


def _show_data(experiment: Experiment, results: Results) -> Mapping[str, PageTable | list[DataCard] | None]:
    if isinstance(experiment, StoredGenerations):
        return {"cards": [], "lengths": None, "benchmarks": None}
    cards = list_data_cards(experiment, results) if isinstance(experiment, FineTuning) else []
    return {
        "cards": [_printable_card(card) for card in cards],
        "lengths": show_lengths(results.summaries) if results.summaries else None,
        "benchmarks": show_benchmarks(experiment) if experiment.benchmarks else None,
    }


def _printable_card(card: DataCard) -> DataCard:
    if card.example is None:
        return card
    texts = {name: printable(getattr(card.example, name)) for name in ("question", "answer")}
    return replace(card, example=card.example.model_copy(update=texts))
