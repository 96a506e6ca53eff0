"""Style, colours, title and footer of all figures, and the function that saves them.

Base model, control and treatment differ in lightness as well as in hue, so that they can be told apart in
print without colours, and each has a marker of its own.
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
from matplotlib.text import Text

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
BASE_COLOUR, CONTROL_COLOUR, TREATMENT_COLOUR = "#929292", "#00447c", "#c04a00"
MUTED_COLOUR = "#6e6e6e"
OTHER_COLOURS = ("#00836a", "#c2649a", "#8a6d00", "#3e8fc4", "#6a4fa3")
BASE_MARKER, CONTROL_MARKER, TREATMENT_MARKER = "s", "o", "^"
OTHER_MARKERS = ("D", "v", "P", "X", "p")
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
    "svg": {"Creator": None, "Date": None},
}
"""Format -> values that remove date and version from the file."""
FRAME = "frame"
"""Group id of the texts that the SVG file leaves out."""
LONGEST_WORD = 18
"""Maximum number of characters of a word; longer words are shortened."""


@contextmanager
def titled_figure(
    experiment: Experiment, results: Results, name: str, *, size: tuple[float, float], note: str = ""
) -> Iterator[Figure]:
    """Yield an empty figure with its title above and its caption and a note below; ``size`` is in inches."""
    with mpl.rc_context(STYLE):
        fig = Figure(figsize=size, layout="constrained", dpi=DPI)
        fig.suptitle(TITLES[name], x=0.01, ha="left", fontsize=12, fontweight="bold", gid=FRAME)
        caption = f"{figure_caption(experiment, results, name)} {note}".strip()
        width = int(size[0] * 17.5)  # characters of the footer's font in a line
        paragraphs = [caption, f"{experiment.title}. {full_caption(experiment)}"]
        footer = "\n".join(textwrap.fill(paragraph, width) for paragraph in paragraphs)
        label = fig.supxlabel(
            footer, x=0.01, ha="left", fontsize=7, color="#555555", linespacing=1.4, gid=FRAME
        )
        label.set_parse_math(False)
        yield fig


def save_figure(fig: Figure, out: Path) -> None:
    """Write a figure in all formats, without dates and versions; ``out`` is a path without ending.

    The SVG file has neither title nor footer, because the page shows them as text.
    """
    with mpl.rc_context(STYLE):
        for ending in FIGURE_FORMATS:
            if ending == "svg":
                _remove_frame(fig)
            with atomic_file(out.with_name(f"{out.name}.{ending}")) as temporary:
                fig.savefig(temporary, dpi=DPI, format=ending, metadata=METADATA[ending])


def _remove_frame(fig: Figure) -> None:
    """Remove title and footer, and reduce the height of the figure by theirs."""
    fig.draw_without_rendering()
    texts = [artist for artist in fig.findobj(Text) if artist.get_gid() == FRAME]
    height = sum(text.get_window_extent().height for text in texts) / fig.dpi
    for text in texts:
        text.remove()
    fig.set_size_inches(fig.get_figwidth(), max(1.0, fig.get_figheight() - height))


def method_colour(experiment: Experiment, method: str) -> str:
    """Return the colour of a method in all figures; for stored generations, the colour of a scoring.

    If there are more methods than colours, all methods outside the main contrast have the same colour, so
    that equal colours do not suggest that two of them belong together.
    """
    if not experiment.is_sampled:
        return (CONTROL_COLOUR, TREATMENT_COLOUR)[_scoring_index(experiment, method) % 2]
    fixed = _fixed_styles(experiment, CONTROL_COLOUR, TREATMENT_COLOUR) | {BASE_RUN: BASE_COLOUR}
    if method in fixed:
        return fixed[method]
    others = _other_methods(experiment)
    colours = (*_free_styles(experiment, CONTROL_COLOUR, TREATMENT_COLOUR), *OTHER_COLOURS)
    return MUTED_COLOUR if len(others) > len(colours) else colours[others.index(method)]


def method_marker(experiment: Experiment, method: str) -> str:
    """Return the marker of a method in all figures; for stored generations, the marker of a scoring."""
    if not experiment.is_sampled:
        return (CONTROL_MARKER, TREATMENT_MARKER)[_scoring_index(experiment, method) % 2]
    fixed = _fixed_styles(experiment, CONTROL_MARKER, TREATMENT_MARKER) | {BASE_RUN: BASE_MARKER}
    markers = (*_free_styles(experiment, CONTROL_MARKER, TREATMENT_MARKER), *OTHER_MARKERS)
    return fixed.get(method) or markers[_other_methods(experiment).index(method) % len(markers)]


def _fixed_styles(experiment: Experiment, control: str, treatment: str) -> dict[str, str]:
    """Return the styles of the control and the treatment of the main contrast, if there is one."""
    return dict(zip(experiment.main_contrast or (), (treatment, control), strict=False))


def _free_styles(experiment: Experiment, control: str, treatment: str) -> tuple[str, ...]:
    """Return the styles of control and treatment without a main contrast, for the first other methods."""
    return () if experiment.main_contrast else (control, treatment)


def _scoring_index(experiment: Experiment, scoring: str) -> int:
    return [str(name) for name in experiment.scoring].index(scoring)


def _other_methods(experiment: Experiment) -> list[str]:
    """Return the methods, or models of an evaluation, outside the main contrast."""
    main = {BASE_RUN, *(experiment.main_contrast or ())}
    return list(dict.fromkeys(run.method for run in experiment.runs if run.method not in main))


def error_bars(value: Any, low: Any, high: Any) -> Any:
    """Return the lengths of error bars below and above a value, at least 0."""
    below, above = np.subtract(value, low), np.subtract(high, value)
    return np.maximum([np.atleast_1d(below), np.atleast_1d(above)], 0)


def draw_interval(ax: Axes, height: float | int, value: float, low: float, high: float, **style: Any) -> None:
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
