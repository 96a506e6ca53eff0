r"""Extraction of the answer from a generation: from a box or from answer tags.

    ... so we get \boxed{\frac{1}{2}}.</reasoning> <answer>1/2</answer>

Here `read_last_box` returns `\frac{1}{2}` and `read_answer_tags` returns `1/2`; the scoring ``d1`` uses
both, except for GSM8K (`weft.benchmarks.gsm8k`). The scoring ``strict`` uses `read_stated_answer`.
A generation may be a megabyte of any text, so each function passes over it a fixed number of times.

Source of the functions for d1: dllm-reasoning/d1 @ 837888f, eval/parser_helper.py and
eval/parse_and_get_acc.py.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from weft.benchmarks.endings import ANSWER_END, cut_at_end, has_end

BOX = "\\boxed"
FRAMED_BOX = "\\fbox"
ANSWER_START = "<answer>"
MAX_CHARACTERS = 1_000
"""Length of the longest answer that strict scoring judges, except for Sudoku."""
NO_ANSWER = f"no answer of at most {MAX_CHARACTERS} characters is stated"

_BRACE = re.compile(r"[{}]")
_BOX_OR_BRACE = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*\{)|(?P<escaped>\\[\\{}])|(?P<open>\{)|(?P<close>\})")
_BROKEN_BOX = re.compile(r"\\?(?:boxed|fbox)\s*\{(?P<content>[^{}]*?)[}>]?")
_SOMETHING = re.compile(r"[\w∞∅]")


def read_last_box(text: str) -> str | None:
    r"""Return the content of the last box, or the whole text if there is no box at all.

    A box written `\boxed 7$` (a space for the braces) takes precedence over every other box and ends at
    the next dollar sign. Any other form than a plain `\boxed{...}`, such as `\fbox`, is returned
    with its command, as in d1.

    Args:
        text: a generation.

    Returns:
        The content of the box; None if the braces of the last box are never closed.

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parser_helper.py, last_boxed_only_string and remove_boxed.
    """
    _, spaced_box, content = text.rpartition(BOX + " ")
    if spaced_box:
        return content.partition("$")[0]
    start = text.rfind(BOX)
    if start < 0:
        start = text.rfind(FRAMED_BOX)
    if start < 0:
        return text
    end = _find_closing_brace(text, start)
    if end is None:
        return None
    plain_start = BOX + "{"
    if text.startswith(plain_start, start):
        return text[start + len(plain_start) : end]
    return text[start : end + 1]


def read_answer_tags(text: str) -> str | None:
    """Return the stripped text between the first answer tag and the next closing tag, or None."""
    _, start, rest = text.partition(ANSWER_START)
    content, end, _ = rest.partition(ANSWER_END)
    return content.strip() if start and end else None


class StatedAnswer(NamedTuple):
    """The answer that a generation states.

    Attributes:
        text: the answer.
        is_boxed: True if it was in a box, as the prompts request; False if it was only in answer tags.
    """

    text: str
    is_boxed: bool


def read_stated_answer(generation: str) -> StatedAnswer | None:
    r"""Read the last answer that a generation states before its end.

    The answer is the content of the last closed `\boxed{...}` or `\fbox{...}`; of nested boxes, that of the
    inner. Without a closed box it is the text in the last answer tags. Boxes and tags without a letter, a
    digit, ∞ or ∅ are ignored. Tags that are never closed count only if an end token follows, because a text
    that fills its canvas may have been cut off within a number. If the tags hold only a box that lacks its
    backslash or its closing brace, or that ends with ">" instead, the content of that box counts.

    Args:
        generation: the model's answer.

    Returns:
        The stripped answer, or None if the generation states no answer.
    """
    text = cut_at_end(generation)
    boxed = _read_last_closed_box(text)
    if boxed is not None:
        return StatedAnswer(boxed, is_boxed=True)
    _, start, rest = text.rpartition(ANSWER_START)
    content, end, _ = rest.partition(ANSWER_END)
    content = content.strip()
    broken_box = _BROKEN_BOX.fullmatch(content.strip("$").strip())
    if broken_box:
        content = broken_box["content"].strip()
    is_whole = bool(start) and (bool(end) or has_end(generation))
    if not is_whole or not _SOMETHING.search(content):
        return None
    return StatedAnswer(content, is_boxed=broken_box is not None)


def read_short_answer(generation: str) -> StatedAnswer | None:
    """Return the stated answer; None if no answer is stated or it has more than MAX_CHARACTERS characters."""
    answer = read_stated_answer(generation)
    return answer if answer and len(answer.text) <= MAX_CHARACTERS else None


Step = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]
"""A pattern and its replacement."""


def rewrite(text: str, steps: Iterable[Step]) -> str:
    """Apply replacements in order, each to the whole text."""
    for pattern, replacement in steps:
        text = pattern.sub(replacement, text)
    return text


def _read_last_closed_box(text: str) -> str | None:
    """Return the content of the last box that is closed and holds a letter, a digit, ∞ or ∅."""
    open_groups: list[int | None] = []  # start of the content of a box; None for other braces
    last_start, last = -1, None
    for match in _BOX_OR_BRACE.finditer(text):
        if match.lastgroup in ("box", "open"):
            open_groups.append(match.end() if match.lastgroup == "box" else None)
        elif match.lastgroup == "close" and open_groups:
            start = open_groups.pop()
            if start is not None and start > last_start and _SOMETHING.search(text, start, match.start()):
                last_start, last = start, text[start : match.start()].strip()
    return last


def _find_closing_brace(text: str, start: int) -> int | None:
    """Return the position of the closing brace that brings the count of open braces to zero."""
    num_open = 0
    for brace in _BRACE.finditer(text, start):
        if brace.group() == "{":
            num_open += 1
            continue
        num_open -= 1
        # A closing brace before any opening brace makes the count -1, and the search continues.
        if num_open == 0:
            return brace.start()
    return None
