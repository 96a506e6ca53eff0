r"""Restore text that was damaged on its way into a file.

    restore("\\\\boxed{\\\\frac{1}{2}}")  returns  "\\boxed{\\frac{1}{2}}", which was escaped twice
    restore("\x0crac{1}{2}")  returns  "\\frac{1}{2}", whose \f was taken for a form feed

Each pattern passes over the text once, in linear time.
"""

import html
import re
from html.entities import html5

_INVISIBLE = dict.fromkeys([0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xFE0F, 0x20E3])
_ENTITY = re.compile(r"&(?:[A-Za-z]{2,8}|#[0-9]{1,5}|#x[0-9A-Fa-f]{1,4});")

# Form feeds, backspaces and the like occur in no other text; tabs and ends of lines do.
_EATEN = re.compile(
    r"[\x07\x08\x0b\x0c](?=[a-z])"
    r"|\t(?=ext(?:bf|it|rm|sf|tt)?\{|(?:imes|heta|frac|riangle|binom)(?![A-Za-z]))"
    r"|\r(?=(?:ight|angle)(?![A-Za-z])|m\{)"
    r"|\n(?=(?:eq|abla)(?![A-Za-z]))"
)
_LETTER_OF = {"\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r"}

# A row of a matrix may begin with letters (1\\x), but not with the name of a command.
_NAMES = (
    "boxed|fbox|[dtc]?frac|sqrt|text(?:bf|it|rm)?|math(?:bb|bf|cal|it|rm)|begin|end|left|right|times|cdot|div|"
    "pm|pi|infty|theta|alpha|beta|circ|degree|overline|binom|log|ln|sin|cos|tan|quad|qquad|approx|leq?|geq?|"
    "cup|cap|in|ldots|dots"
)
_DOUBLED_COMMAND = re.compile(rf"(?<!\\)(?:\\\\)++(?=(?:{_NAMES})(?![A-Za-z])|[$%])")
_DOUBLED_ROW_END = re.compile(r"(?<!\\)(?:\\\\){2,}+(?!\\)")
_BACKSLASHES = re.compile(r"\\+")


def restore(text: str) -> str:
    r"""Return a text without the traces of an encoding that was applied twice or never undone.

    Characters without a width are removed, HTML entities such as `&lt;` are replaced, and control characters
    that stand for the beginning of a command, such as a form feed for the `\f` of `\frac`, are written as the
    command. Two backslashes before the name of a command become a single one; if a text has only even numbers
    of backslashes and one such name, all are halved.
    """
    text = text.translate(_INVISIBLE)
    text = _ENTITY.sub(_read_entity, text)
    text = _EATEN.sub(lambda eaten: "\\" + _LETTER_OF[eaten[0]], text)
    if _DOUBLED_COMMAND.search(text) and all(len(run) % 2 == 0 for run in _BACKSLASHES.findall(text)):
        return _BACKSLASHES.sub(lambda run: run[0][::2], text)
    return _DOUBLED_ROW_END.sub(r"\\\\", _DOUBLED_COMMAND.sub(r"\\", text))


def _read_entity(entity: re.Match[str]) -> str:
    """Return the character of an entity, or the text as it is if there is no entity of this name."""
    is_number = entity[0].startswith("&#")
    return html.unescape(entity[0]) if is_number else html5.get(entity[0][1:], entity[0])
