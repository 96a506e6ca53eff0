"""Rows of data files of other projects, as JSON objects without a fixed form.

`weft.data.questions` and `weft.data.datasets` convert them to records.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from weft.data.hub import cached_commit
from weft.data.jsonl import read_numbered_rows
from weft.data.offline import explain_renewal
from weft.errors import DataError, describe_error, shorten, show
from weft.provenance import file_sha256
from weft.records import JsonObject, Record
from weft.records.files import read_text

RecordT = TypeVar("RecordT", bound=Record)
_INVISIBLE = {"Zs", "Zl", "Zp", "Cc", "Cf"}
"""Unicode categories of spaces, control characters, and format characters such as the zero-width space."""


@dataclass(frozen=True, kw_only=True)
class Loaded(Generic[RecordT]):
    """Loaded questions or examples, and the entries of their provenance that describe the source.

    Attributes:
        records: the questions or examples, in file order or training order.
        inputs: local files from which they were read.
        notes: further entries of the provenance.
        num_repeated: number of repeated examples that were left out.
        report: what was recognised in the data, as lines of text.
    """

    records: list[RecordT]
    inputs: Sequence[Path] = ()
    notes: JsonObject = field(default_factory=dict)
    num_repeated: int = 0
    report: Sequence[str] = ()


def read_rows(path: Path) -> list[JsonObject]:
    """Read the rows of a file: CSV or Parquet by its ending, otherwise JSON Lines.

    All values of a CSV file are read as text, so that a Sudoku puzzle keeps its leading zeros.
    """
    remedy = explain_renewal(path)
    if path.suffix not in {".csv", ".parquet"}:
        return [row for _, row in read_numbered_rows(path, remedy=remedy)]
    text = read_text(path, remedy=remedy) if path.suffix == ".csv" else ""
    try:
        if path.suffix == ".csv":
            return [dict(row) for row in csv.DictReader(io.StringIO(text), strict=True)]
        import pyarrow.parquet

        rows: list[JsonObject] = pyarrow.parquet.read_table(path).to_pylist()
    except Exception as error:  # pyarrow raises errors of many types for a damaged file
        raise DataError(
            f"{path} must be a {path.suffix} file: {shorten(describe_error(error))}; {remedy}"
        ) from error
    return rows


def take_text(row: JsonObject, field: str) -> str:
    """Return the text in a field of a row, or the first text of a list; otherwise raise a ValueError."""
    value = row.get(field)
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, str) or not first.strip() or not is_unicode(first):
        names = sorted(map(str, row))
        raise ValueError(f"field {field!r} must contain text, got {first!r:.80}; the row has {show(names)}")
    return first


def is_unicode(text: str) -> bool:
    """Return False if a text contains a lone surrogate, which no tokenizer accepts."""
    return re.search("[\ud800-\udfff]", text) is None


def is_blank(text: str) -> bool:
    """Return True if a text has no visible character: only spaces, control and format characters."""
    return all(unicodedata.category(character) in _INVISIBLE for character in text)


def describe_files(files: Sequence[Path]) -> list[JsonObject]:
    """Return the name, the commit on the hub and the SHA-256 of downloaded files, for the provenance."""
    return [{"file": file.name, "commit": cached_commit(file), "sha256": file_sha256(file)} for file in files]
