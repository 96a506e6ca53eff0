"""Read JSON Lines files that people write, strictly: a doubtful line is an error with file and line.

JSON that Python's parser would accept silently is refused: NaN and Infinity (which pandas writes), numbers
that overflow, keys given twice, and lone surrogates, which no tokenizer accepts. Blank lines are skipped.
"""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weft.data.formats import LATIN1, Format, fill_paths, recognise_path, recognise_text
from weft.errors import DataError
from weft.records import JsonObject
from weft.records.files import MAX_DEPTH, is_deeper, numbered_lines, read_text

SHOWN_CHARACTERS = 80
"""Length to which a line is truncated in a message."""
MAX_DIGITS = 4300
"""Largest number of digits of an integer that Python converts to text."""
TOO_DEEP = f"its brackets are nested too deep, more than {MAX_DEPTH} levels"
BLANK = " \t\r"
"""Characters of a blank line besides its end."""
_BLANK = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile(r"\\u[dD]|[\ud800-\udfff]")


def read_numbered_rows(path: Path, *, remedy: str) -> Iterator[tuple[str, JsonObject]]:
    """Yield the place, "FILE, line N", and the JSON object of each line that is not blank.

    Args:
        path: the file.
        remedy: advice for a missing file or a malformed line.

    Yields:
        Places and objects, in file order.

    Raises:
        DataError: the file is missing or in another format, or a line is malformed.
    """
    known = recognise_path(path)
    if known is not None:
        raise wrong_format(str(path), path, known, remedy=remedy)
    try:
        text = read_text(path, remedy=remedy)
    except DataError as error:
        if isinstance(error.__cause__, UnicodeDecodeError):
            raise DataError(f"{error}; {fill_paths(path, LATIN1)}") from error
        raise
    yield from number_lines(path, text, remedy=remedy)


def number_lines(path: Path, text: str, *, remedy: str) -> Iterator[tuple[str, JsonObject]]:
    """Yield place and object of each line of JSON Lines that is not blank; see `read_numbered_rows`."""
    is_first = True
    for place, line in numbered_lines(path, text):
        if not line.strip(BLANK):
            continue
        try:
            row = parse_strictly(line)
        except (ValueError, RecursionError) as error:
            known = recognise_text(text) if is_first else None
            if known is not None:
                raise wrong_format(place, path, known, remedy=remedy) from error
            raise DataError(
                f"{place}: expected a JSON object, got {_cut(line)} ({_explain(error)}); {remedy}"
            ) from error
        is_first = False
        yield place, row


def number_items(path: Path, text: str, *, remedy: str) -> Iterator[tuple[str, JsonObject]]:
    """Yield the place, "FILE, row N", and the object of each item of a JSON list.

    Args:
        path: the file.
        text: its content, which begins with a bracket.
        remedy: advice for a malformed item.

    Yields:
        Places and objects, in file order.

    Raises:
        DataError: an item is malformed, or more text follows the list.
    """
    decoder = _StrictDecoder()
    position, number = _skip_blank(text, text.index("[") + 1), 0
    is_open = text[position : position + 1] != "]"
    while is_open:
        number += 1
        place = f"{path}, row {number}"
        try:
            row, end = decoder.raw_decode(text, position)
            if not isinstance(row, dict):
                raise ValueError(f"this is a {type(row).__name__}")
            _check_depth(row)
            _check_surrogates(row, text, position, end)
            after = _skip_blank(text, end)
            if text[after : after + 1] not in (",", "]"):
                raise json.JSONDecodeError("Expecting ',' or ']'", text, after)
        except (ValueError, RecursionError) as error:
            shown = _cut(text[position : position + SHOWN_CHARACTERS + 1])
            raise DataError(
                f"{place}: expected a JSON object in a list, got {shown} ({_explain(error)}); {remedy}"
            ) from error
        yield place, row
        is_open = text[after] == ","
        position = _skip_blank(text, after + 1) if is_open else after
    end = _skip_blank(text, position + 1)
    if end < len(text):
        shown = _cut(text[end : end + SHOWN_CHARACTERS + 1])
        raise DataError(f"{path}: expected the end of the file after the JSON list, got {shown}; {remedy}")


def _skip_blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def wrong_format(
    place: str, path: Path, known: Format, *, expected: str = "JSON Lines", remedy: str
) -> DataError:
    """Return the error for a file in a format that is not read, with the command that converts it."""
    return DataError(
        f"{place}: expected {expected}, got {known.name}; {fill_paths(path, known.advice)}; {remedy}"
    )


def parse_strictly(line: str) -> JsonObject:
    """Return the JSON object of a line; raise ValueError or RecursionError if it is not strictly valid."""
    value = parse_value(line)
    if not isinstance(value, dict):
        raise ValueError(f"this is a {type(value).__name__}")
    return value


def parse_value(text: str) -> object:
    """Return a JSON value; raise ValueError or RecursionError if it is not strictly valid."""
    value = json.loads(text, cls=_StrictDecoder)
    _check_depth(value)
    _check_surrogates(value, text, 0, len(text))
    return value


def _check_depth(value: object) -> None:
    if is_deeper(value, MAX_DEPTH):
        raise ValueError(TOO_DEEP)


def _check_surrogates(value: object, text: str, start: int, end: int) -> None:
    # An escape or a raw surrogate is the rare reason to look at all texts of a value.
    if _SURROGATE.search(text, start, end):
        _require_unicode(value)


class _StrictDecoder(json.JSONDecoder):
    def __init__(self) -> None:
        super().__init__(
            parse_constant=_refuse_constant,
            parse_float=_parse_float,
            parse_int=_parse_int,
            object_pairs_hook=_make_object,
        )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON; write null or leave the key out")


def _parse_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits:.40} is too large; write it as text")
    return number


def _parse_int(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits is too long; write it as text")
    return int(digits)


def _make_object(pairs: list[tuple[str, Any]]) -> JsonObject:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {_cut(repeated)} is given twice")
    return row


def _require_unicode(row: object) -> None:
    """Raise ValueError if a key or a text in a row contains a lone surrogate."""
    pending: list[tuple[str, Any]] = [("", row)]
    while pending:
        name, value = pending.pop()
        if isinstance(value, dict):
            pending += [(f"{name}.{key}", part) for key, item in value.items() for part in (key, item)]
        elif isinstance(value, list):
            pending += [(f"{name}.{index}", item) for index, item in enumerate(value)]
        elif isinstance(value, str) and (match := re.search("[\ud800-\udfff]", value)):
            raise ValueError(
                f"{_cut(name.removeprefix('.'))} holds {match[0]!r}, half of a surrogate pair, which is "
                "not valid Unicode"
            )


def _explain(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return TOO_DEEP
    if isinstance(error, json.JSONDecodeError):
        if error.msg == "Extra data":
            return f"more text follows the object at column {error.colno}; each object needs its own line"
        line = f"line {error.lineno}, " if error.lineno > 1 else ""
        return f"{error.msg}, {line}column {error.colno}"
    return str(error)


def _cut(text: str) -> str:
    return repr(text) if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]!r}..."
