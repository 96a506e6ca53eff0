"""Compare two sets of results number by number.

Every function returns a `Comparison`. Times and wording are not compared: columns and fields with seconds are
ignored, and of all texts only the fields in `JSON_TEXTS` are compared. A row, a column or a numeric field
that is missing on one side is a difference.
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"
Table = list[dict[str, str]]

JSON_TEXTS = frozenset({"generation", "verdict", "extracted", "example_id"})
"""Text fields of JSON lines that are results and not wording."""

TIME_NAME = re.compile(r"second|runtime|duration", re.IGNORECASE)
"""Names of columns and fields that hold times."""

NUMBER = re.compile(r"[-+−]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
AROUND_NUMBERS = re.compile(r"[\s±()\[\],;%/–-]|\bto\b")
TRUTH = {"True": 1.0, "False": 0.0}


@dataclass(frozen=True)
class Comparison:
    """Result of a comparison.

    Attributes:
        name: what was compared, such as the path of a table.
        num_compared: numbers and texts that were compared.
        differences: one line for each difference.
    """

    name: str
    num_compared: int
    differences: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Format the comparison as a line with counts and the first difference."""
        if not self.differences:
            return f"same       {self.name}: {self.num_compared} compared"
        return (
            f"DIFFERENT  {self.name}: {len(self.differences)} differences in {self.num_compared} compared; "
            f"first: {self.differences[0]}"
        )


def numbers_in(cell: str) -> list[float] | None:
    """Parse a table cell that consists of numbers, such as ``0.5``, ``84.9 ± 0.8`` or ``True``.

    Args:
        cell: text of the cell.

    Returns:
        The numbers in order, or None if the cell is empty or holds words.
    """
    if cell in TRUTH:
        return [TRUTH[cell]]
    numbers = [float(text.replace("−", "-")) for text in NUMBER.findall(cell)]
    if not numbers or AROUND_NUMBERS.sub("", NUMBER.sub("", cell)):
        return None
    return numbers


def compare_tables(name: str, base: Table, current: Table) -> Comparison:
    """Compare the numbers of two tables.

    Rows are matched by their text cells if these identify them on both sides, and by position otherwise.

    Args:
        name: what is compared.
        base: rows before the change, by column.
        current: rows after the change.

    Returns:
        The comparison.
    """
    columns = [column for column in _number_columns(base) if not TIME_NAME.search(column)]
    present = set(_columns(current))
    differences = [f"column {column!r} is missing" for column in columns if column not in present]
    added = [column for column in _number_columns(current) if column not in _columns(base)]
    differences += [f"column {column!r} is new" for column in added if not TIME_NAME.search(column)]
    if len(base) != len(current):
        differences.append(f"{len(base)} rows -> {len(current)} rows")
    num_compared = 0
    for label, row, other in _matched_rows(base, current):
        for column in columns:
            if column not in present:
                continue
            before, after = row[column] or "", other[column] or ""
            num_compared += len(numbers_in(before) or ["empty"])
            if not _same_cell(before, after):
                differences.append(f"row {label}, column {column!r}: {before!r} -> {after!r}")
    return Comparison(name, num_compared, differences)


def compare_csv(name: str, base: str, current: str) -> Comparison:
    """Compare the numbers of two CSV texts; see `compare_tables`."""
    return compare_tables(name, *(list(csv.DictReader(io.StringIO(text))) for text in (base, current)))


def compare_json_lines(
    name: str, base: str, current: str, *, only: Sequence[str] | None = None
) -> Comparison:
    """Compare the numbers and the texts of `JSON_TEXTS` of two JSON Lines texts, line by line.

    Args:
        name: what is compared.
        base: text before the change.
        current: text after the change.
        only: names of the fields to compare; all if None.

    Returns:
        The comparison.
    """
    before, after = ([json.loads(line) for line in text.splitlines()] for text in (base, current))
    differences = []
    if len(before) != len(after):
        differences.append(f"{len(before)} lines -> {len(after)} lines")
    num_compared = 0
    for number, (row, other) in enumerate(zip(before, after, strict=False), start=1):
        if only is not None:
            row, other = ({key: item[key] for key in only if key in item} for item in (row, other))  # noqa: PLW2901
        leaves, others = dict(_leaves(row)), dict(_leaves(other))
        num_compared += len(leaves)
        differences += [
            f"line {number}, {path}: {leaves.get(path, 'missing')!r} -> {others.get(path, 'missing')!r}"
            for path in {**leaves, **others}
            if not _same_value(leaves.get(path, _MISSING), others.get(path, _MISSING))
        ]
    return Comparison(name, num_compared, differences)


def compare_tensors(name: str, base: Path, current: Path) -> Comparison:
    """Compare two safetensors files bit by bit.

    Args:
        name: what is compared.
        base: file before the change.
        current: file after the change.

    Returns:
        The comparison; it counts tensors.
    """
    before, after = _raw_tensors(base), _raw_tensors(current)
    differences = [f"tensor {key!r} is missing" for key in before if key not in after]
    differences += [f"tensor {key!r} is new" for key in after if key not in before]
    differences += [f"tensor {key!r} differs" for key in before if key in after and before[key] != after[key]]
    return Comparison(name, len(before), differences)


_MISSING = object()


def _raw_tensors(file: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Read data type, shape and bytes of every tensor of a safetensors file."""
    content = file.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    return {
        key: (
            entry["dtype"],
            tuple(entry["shape"]),
            content[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]],
        )
        for key, entry in header.items()
        if key != "__metadata__"
    }


def _columns(rows: Table) -> list[str]:
    return list(rows[0]) if rows else []


def _number_columns(rows: Table) -> list[str]:
    return [column for column in _columns(rows) if any(numbers_in(row[column] or "") for row in rows)]


def _matched_rows(base: Table, current: Table) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Yield a label and both rows of each pair."""
    number_columns = {*_number_columns(base), *_number_columns(current)}
    texts = [column for column in _columns(base) if column in _columns(current)]
    texts = [column for column in texts if column not in number_columns]

    def keyed(rows: Table) -> dict[tuple[str, ...], dict[str, str]]:
        return {tuple(row[column] for column in texts): row for row in rows}

    before, after = keyed(base), keyed(current)
    is_unique = len(before) == len(base) and len(after) == len(current)
    if is_unique and before.keys() == after.keys():
        for key, row in before.items():
            yield " ".join(filter(None, key)), row, after[key]
        return
    for number, (row, other) in enumerate(zip(base, current, strict=False), start=1):
        yield str(number), row, other


def _same_cell(before: str, after: str) -> bool:
    numbers, others = numbers_in(before), numbers_in(after)
    if numbers is None and others is None:  # both are empty, or words in a column of numbers
        return (before == "") == (after == "")
    pairs = zip_longest(numbers or [], others or [])
    return all(_same_value(number, other) for number, other in pairs)


def _same_value(before: object, after: object) -> bool:
    if isinstance(before, float) and isinstance(after, float) and math.isnan(before):
        return math.isnan(after)
    return before == after


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield path and value of every number, Boolean and compared text below a JSON value."""
    items: Iterable[tuple[str, Json]]
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = ((str(index), item) for index, item in enumerate(value))
    else:
        name = next(part for part in reversed(path.split("/")) if not part.isdigit()) if path else ""
        if TIME_NAME.search(name):
            return
        if isinstance(value, int | float) or value is None or name in JSON_TEXTS:
            yield path, value
        return
    for key, item in items:
        yield from _leaves(item, f"{path}/{key}" if path else key)
