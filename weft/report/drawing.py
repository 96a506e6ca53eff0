"""Style, colours, title and footer of all figures, and the function that saves them.

The colours are those of Okabe and Ito, which readers with any colour vision can tell apart.
"""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from weft.config import BASE_RUN, Experiment
from weft.layout import FIGURE_FORMATS
from weft.records.files import atomic_file
from weft.report.captions import TITLES, figure_caption
from weft.report.labels import full_caption
from weft.report.results import Results

Options = dict[str, Any]
"""Keyword arguments of a function of matplotlib."""
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
METADATA: dict[str, Options] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}
"""Format -> values that remove date and version from the file."""
LONGEST_WORD = 18
"""Maximum number of characters of a word; longer words are shortened."""


@contextmanager
def titled_figure(
    experiment: Experiment, results: Results, name: str, *, size: tuple[float, float], note: str = ""
) -> Iterator[Figure]:
    """Yield an empty figure with its title above and its caption and a note below; ``size`` is in inches."""
    with mpl.rc_context(STYLE):
        fig = Figure(figsize=size, layout="constrained", dpi=DPI)
        fig.suptitle(TITLES[name], x=0.01, ha="left", fontsize=12, fontweight="bold")
        caption = f"{figure_caption(experiment, results, name)} {note}".strip()
        width = int(size[0] * 17.5)  # characters of the footer's font in a line
        paragraphs = [caption, f"{experiment.title}. {full_caption(experiment)}"]
        footer = "\n".join(textwrap.fill(paragraph, width) for paragraph in paragraphs)
        label = fig.supxlabel(footer, x=0.01, ha="left", fontsize=7, color="#555555", linespacing=1.4)
        label.set_parse_math(False)
        yield fig


def save_figure(fig: Figure, out: Path) -> None:
    """Write a figure in all formats, without dates and versions; ``out`` is a path without ending."""
    with mpl.rc_context(STYLE):
        for ending in FIGURE_FORMATS:
            with atomic_file(out.with_name(f"{out.name}.{ending}")) as temporary:
                fig.savefig(temporary, dpi=DPI, format=ending, metadata=METADATA[ending])


def method_colour(experiment: Experiment, method: str) -> str:
    """Return the colour of a method in all figures; for stored generations, the colour of a scoring.

    If there are more methods than colours, all methods outside the main contrast have the same colour, so
    that equal colours do not suggest that two of them belong together.
    """
    if not experiment.contrasts:
        index = [str(name) for name in experiment.scoring].index(method)
        return (CONTROL_COLOUR, TREATMENT_COLOUR)[index % 2]
    treatment, control = experiment.contrasts[0]
    fixed = {BASE_RUN: BASE_COLOUR, treatment: TREATMENT_COLOUR, control: CONTROL_COLOUR}
    others = list(dict.fromkeys(run.method for run in experiment.runs if run.method not in fixed))
    if method in fixed:
        return fixed[method]
    return MUTED_COLOUR if len(others) > len(OTHER_COLOURS) else OTHER_COLOURS[others.index(method)]


def error_bars(value: Any, low: Any, high: Any) -> Any:
    """Return the lengths of error bars below and above a value, at least 0."""
    below, above = np.subtract(value, low), np.subtract(high, value)
    return np.maximum([np.atleast_1d(below), np.atleast_1d(above)], 0)


def draw_interval(ax: Axes, height: int, value: float, low: float, high: float, **style: Any) -> None:
    """Draw a point with a horizontal error bar; ``style`` holds further arguments of ``errorbar``."""
    options: Options = {"fmt": "o", "markersize": 5.5, "elinewidth": 1.5} | style
    ax.errorbar([value], [height], xerr=error_bars(value, low, high), **options)


def printable(word: str) -> str:
    """Escape the characters that the font lacks, and shorten a long word.

    Words come from training data and may be in any script.
    """
    known = get_font(findfont(FontProperties(family=str(STYLE["font.family"])))).get_charmap()
    shown = "".join(
        character
        if character.isprintable() and ord(character) in known
        else character.encode("unicode_escape").decode()
        for character in word
    )
    return shown if len(shown) <= LONGEST_WORD else f"{shown[: LONGEST_WORD - 1]}…"
