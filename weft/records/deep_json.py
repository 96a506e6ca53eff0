"""Read JSON that a stranger's program has written, of which only a few fields matter.

Python's parser fails at about a thousand nested lists, and at integers of more than 4,300 digits. In a file
of generations such a value can only stand in a field that is not used, and is no reason to refuse an answer.
"""

import json
import re
from typing import Any

KEPT_DEPTH = 64
"""Number of lists and objects around a value beyond which a value is read as null."""
MAX_DIGITS = 4300
"""Largest number of digits of an integer that Python converts."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


def parse_leniently(text: str) -> Any:
    """Return a JSON value; NaN and Infinity are allowed.

    Args:
        text: the JSON text. It may contain lone surrogates, which a byte-level tokenizer can produce.

    Returns:
        The value. Values that are nested too deep for Python are None, and too long integers are infinite.

    Raises:
        ValueError: the text is not JSON.
    """
    try:
        return json.loads(text, parse_int=_parse_int)
    except RecursionError:
        return json.loads(_without_deep_values(text), parse_int=_parse_int)


def _parse_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


def _without_deep_values(text: str) -> str:
    """Return a JSON text in which each value below `KEPT_DEPTH` lists and objects is null."""
    kept, depth, start = [], 0, 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "[{":
            depth += 1
            if depth == KEPT_DEPTH + 1:
                kept += [text[start : token.start()], "null"]
        elif mark in "]}":
            if depth == KEPT_DEPTH + 1:
                start = token.end()
            depth -= 1
    return "".join([*kept, text[start:]]) if depth <= KEPT_DEPTH else "".join(kept)
