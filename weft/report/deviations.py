"""The deviations from the paper, read from ``docs/deviations.md``.

The page lists them, so that it can be read without the repository.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from weft.config.places import CHECKOUT
from weft.records.files import read_text

DEVIATIONS_FILE = CHECKOUT / "docs/deviations.md"
"""The document in the repository, or its copy in an installed package."""
ENTRY = re.compile(r"^- \*\*(\d+)\. (.+?)\.?\*\* *(.*?)(?=^- |^#|\Z)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[(.+?)\]\(.+?\)")


@dataclass(frozen=True)
class Deviation:
    """A numbered deviation.

    Attributes:
        number: its number, which never changes.
        title: its title.
        text: what differs, in one line.
    """

    number: int
    title: str
    text: str


def load_deviations(path: Path = DEVIATIONS_FILE) -> list[Deviation]:
    """Read the deviations, sorted by number.

    Args:
        path: the document.

    Returns:
        The deviations; none if the document does not exist.
    """
    if not path.is_file():
        return []
    entries = [
        Deviation(int(number), title, _in_one_line(text))
        for number, title, text in ENTRY.findall(read_text(path))
    ]
    return sorted(entries, key=lambda entry: entry.number)


def _in_one_line(text: str) -> str:
    """Remove line ends, and the marks of links and code."""
    return " ".join(LINK.sub(r"\1", text).replace("`", "").split())
