"""What all figures share: style, colours, title and footer, and how they are saved.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart.
"""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from weft.config import BASE_RUN, StoredGenerations
from weft.report.labels import full_caption
from weft.report.outputs import FIGURE_FORMATS, AnyExperiment

DPI = 150
INK, PALE = "#222222", "#8c8c8c"
BASE_COLOUR, CONTROL_COLOUR, TREATMENT_COLOUR = "#666666", "#0072B2", "#D55E00"
MUTED_COLOUR = "#6e6e6e"
OTHER_COLOURS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": PALE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "pdf.fonttype": 42,
    "svg.hashsalt": "weft",
}
LONGEST_WORD = 18  # characters


@contextmanager
def titled_figure(
    experiment: AnyExperiment, *, title: str, notes: str, size: tuple[float, float]
) -> Iterator[Figure]:
    """Give an empty figure, in our style, with a title above, and notes and caption below.

    Args:
        experiment: supplies the caption.
        title: above the figure.
        notes: how to read it.
        size: width and height, in inches.
    """
    with mpl.rc_context(STYLE):
        yield _empty_figure(experiment, title, notes, size)


def _empty_figure(experiment: AnyExperiment, title: str, notes: str, size: tuple[float, float]) -> Figure:
    fig = Figure(figsize=size, layout="constrained", dpi=DPI)
    fig.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    paragraphs = [notes, f"{experiment.title}. {full_caption(experiment)}"]
    width = int(size[0] * 17.5)  # characters of the footer's font in a line
    footer = "\n".join(textwrap.fill(paragraph, width) for paragraph in paragraphs)
    label = fig.supxlabel(footer, x=0.01, ha="left", fontsize=7, color="#555555", linespacing=1.4)
    label.set_parse_math(False)
    return fig


def save_figure(fig: Figure, path: Path) -> None:
    """Write all formats without dates and versions."""
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    }
    with mpl.rc_context(STYLE):
        for ending in FIGURE_FORMATS:
            fig.savefig(path.with_suffix(f".{ending}"), dpi=DPI, metadata=metadata[ending])


def method_colour(experiment: AnyExperiment, method: str) -> str:
    """Give a method the same colour in all figures; for stored generations a set of rules.

    Where there are more methods than colours, all but the base model and the main contrast are muted, so
    that no two are taken for each other; names tell them apart.
    """
    if isinstance(experiment, StoredGenerations):
        return (CONTROL_COLOUR, TREATMENT_COLOUR)[[str(one) for one in experiment.scoring].index(method) % 2]
    fixed = {
        BASE_RUN: BASE_COLOUR,
        experiment.contrast[0]: TREATMENT_COLOUR,
        experiment.contrast[1]: CONTROL_COLOUR,
    }
    others = [name for name in experiment.methods if name not in fixed]
    if method in fixed:
        return fixed[method]
    return MUTED_COLOUR if len(others) > len(OTHER_COLOURS) else OTHER_COLOURS[others.index(method)]


def printable(word: str) -> str:
    """Replace what the font cannot show by escapes, and shorten.

    The words come from training data in any script.
    """
    known = get_font(findfont(FontProperties(family=str(STYLE["font.family"])))).get_charmap()
    shown = "".join(
        one if one.isprintable() and ord(one) in known else one.encode("unicode_escape").decode()
        for one in word
    )
    return shown if len(shown) <= LONGEST_WORD else f"{shown[: LONGEST_WORD - 1]}…"
