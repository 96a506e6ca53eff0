"""Links from the page to the files beside it, and the BibTeX entries of the paper and of weft."""

import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from weft.layout import FIGURE_FORMATS, ResultLayout, provenance_file
from weft.report.outputs import table_formats

FORMAT_NAMES = {"csv": "CSV", "md": "Markdown", "tex": "LaTeX", "png": "PNG", "pdf": "PDF", "svg": "SVG"}
"""Ending of a file -> name of its format."""


@dataclass(frozen=True)
class Link:
    """A link to a file.

    Attributes:
        text: text of the link.
        target: path of the file, relative to the page.
    """

    text: str
    target: str


@dataclass(frozen=True)
class Files:
    """The files of a table or figure.

    Attributes:
        formats: the file in each of its formats.
        provenance: path of the provenance file of their folder, relative to the page.
    """

    formats: tuple[Link, ...]
    provenance: str


def table_files(name: str) -> Files:
    """Return the files of a table, given its name."""
    layout = ResultLayout.of("")
    return _files(layout.table(name), table_formats(name))


def figure_files(name: str) -> Files:
    """Return the files of a figure, given its name."""
    layout = ResultLayout.of("")
    return _files(layout.figure(name), FIGURE_FORMATS)


def link_to(path: Path) -> str:
    """Return the path of a file in the results folder ``ResultLayout.of("")``, relative to the page."""
    return Path(os.path.relpath(path, ResultLayout.of("").page.parent)).as_posix()


def load_bibtex() -> str:
    """Return the BibTeX entries of the paper and of weft."""
    return resources.files("weft.report").joinpath("templates/citation.bib").read_text(encoding="utf-8")


def _files(first: Path, formats: tuple[str, ...]) -> Files:
    links = [Link(FORMAT_NAMES[ending], link_to(first.with_suffix(f".{ending}"))) for ending in formats]
    return Files(tuple(links), link_to(provenance_file(first.parent)))
