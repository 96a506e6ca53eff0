"""Split of a data set and a part of its rows, as the libraries of the field write them.

``train``, ``train[:1000]``, ``train[100:200]``, ``train[:10%]``, and ``train:1000`` for the first 1000 rows.
"""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

RowT = TypeVar("RowT")
_BOUND = r"\d{1,12}%?"
_SPLIT = re.compile(
    rf"(?P<name>[\w.-]+)(?::(?P<first>{_BOUND})|\[(?P<start>{_BOUND})?:(?P<stop>{_BOUND})?\])?"
)


@dataclass(frozen=True)
class Split:
    """A split and a range of its rows.

    Attributes:
        name: name of the split; None for ``train``, or for the only one.
        start: first row of the range, counted from 0, or a percentage such as "10%"; empty for the first row.
        stop: row before which the range ends, or a percentage; empty for the end of the split.
    """

    name: str | None = None
    start: str = ""
    stop: str = ""

    def take(self, rows: Iterable[RowT]) -> Iterator[RowT]:
        """Yield the rows of the range; no row behind the range is read, unless a percentage is asked for.

        Args:
            rows: all rows of the split.

        Yields:
            The rows in the range.

        Raises:
            ValueError: there are fewer rows than the range has.
        """
        if "%" in self.start + self.stop:
            everything = list(rows)
            first, end = (_count(bound, len(everything)) for bound in (self.start, self.stop or "100%"))
            yield from everything[first:end]
            return
        start, stop = int(self.start or 0), int(self.stop) if self.stop else None
        number = 0
        for number, row in enumerate(itertools.islice(rows, stop), start=1):
            if number > start:
                yield row
        if number < max(start, stop or 0):
            raise ValueError(f"at least {max(start, stop or 0)} rows, got {number}")


def parse_split(text: str) -> Split:
    """Parse a split such as ``train[:1000]``; raise a ValueError if the text has another form."""
    match = _SPLIT.fullmatch(text)
    if match is None:
        raise ValueError(f"a split must have a form such as train, train[:1000] or train[:10%], got {text!r}")
    split = Split(match["name"], match["start"] or "", match["stop"] or match["first"] or "")
    bounds = [bound for bound in (split.start, split.stop) if bound]
    if any(bound.endswith("%") and int(bound[:-1]) > 100 for bound in bounds):
        raise ValueError(f"a split must have at most 100%, got {text!r}")
    is_counted = len(bounds) == 2 and not any("%" in bound for bound in bounds)
    if is_counted and int(split.start) >= int(split.stop):
        raise ValueError(f"a split must have a row, got {text!r}")
    return split


def check_split(text: str | None) -> str | None:
    """Return a split of an experiment; raise a ValueError if it has another form than `parse_split` reads."""
    if text is not None:
        parse_split(text)
    return text


def _count(bound: str, number: int) -> int:
    """Return a bound as a number of rows; percentages are rounded as in the library datasets."""
    return round(int(bound[:-1]) * number / 100) if bound.endswith("%") else int(bound or 0)
