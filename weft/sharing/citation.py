"""How weft is cited, read from CITATION.cff (format: https://citation-file-format.github.io)."""

from pathlib import Path

from pydantic import Field

from weft.config.places import CHECKOUT
from weft.config.yaml_file import read_yaml
from weft.errors import DataError
from weft.records import Record
from weft.records.files import validate_record

CITATION_FILE = CHECKOUT / "CITATION.cff"


class CitedAuthor(Record):
    """A person, or a group with a name."""

    name: str | None = None
    """Name of a group."""
    family_names: str | None = Field(default=None, alias="family-names")
    """Family name of a person."""
    given_names: str | None = Field(default=None, alias="given-names")
    """Given names of a person."""

    @property
    def full_name(self) -> str:
        """The name as it is written."""
        return self.name or f"{self.given_names or ''} {self.family_names or ''}".strip()

    @property
    def kind(self) -> str:
        """Type in the vocabulary of schema.org."""
        return "Organization" if self.name else "Person"


class Identifier(Record):
    """An identifier of a publication."""

    value: str
    """The identifier, such as arXiv:2509.20863."""


class CitedWork(Record):
    """A publication that weft builds on."""

    title: str
    """Title."""
    authors: list[CitedAuthor]
    """Authors, in order."""
    year: int
    """Year of publication."""
    identifiers: list[Identifier]
    """Identifiers."""


class Citation(Record):
    """The content of CITATION.cff that archives repeat."""

    title: str
    """Title of weft."""
    version: str
    """Version of weft."""
    license: str
    """Licence of weft, as SPDX names it."""
    authors: list[CitedAuthor]
    """Authors of weft."""
    references: list[CitedWork]
    """The paper first."""


def read_citation(path: Path = CITATION_FILE) -> Citation:
    """Read CITATION.cff.

    Args:
        path: the file.

    Returns:
        The citation.

    Raises:
        DataError: the file is missing or malformed.
    """
    remedy = "restore the file"
    content = read_yaml(path, remedy=remedy)
    return validate_record(content, Citation, place=str(path), error=DataError, remedy=remedy)
