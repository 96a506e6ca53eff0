r"""Where an answer may stand in a generation: the last box, or the first pair of answer tags.

    ... so we get \boxed{\frac{1}{2}}.</reasoning> <answer>1/2</answer>

`read_last_box` gives `\frac{1}{2}`, `read_answer_tags` gives `1/2`.  GSM8K reads boxes in its own
way, see `weft.benchmarks.gsm8k`.  A generation may be a megabyte of anything: each function here
passes over the text a fixed number of times.

The rules `d1` read by these two, the rules `strict` by `read_stated_answer`.

Source of the former: dllm-reasoning/d1 @ 837888f, eval/parser_helper.py and eval/parse_and_get_acc.py.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from weft.benchmarks.endings import ANSWER_END, cut_at_end, has_end

BOX = "\\boxed"
FRAMED_BOX = "\\fbox"
ANSWER_START = "<answer>"

_BRACE = re.compile(r"[{}]")
_BOX_OR_BRACE = re.compile(r"(?P<box>\\(?:boxed|fbox)\s*\{)|(?P<escaped>\\[\\{}])|(?P<open>\{)|(?P<close>\})")
_BROKEN_BOX = re.compile(r"\\?(?:boxed|fbox)\s*\{(?P<content>[^{}]*?)[}>]?")
_SOMETHING = re.compile(r"[\w∞∅]")


def read_last_box(text: str) -> str | None:
    r"""Read the content of the last box, or the whole text if there is no box at all.

    A box written `\boxed 7$` (a space for the braces) comes before every other one and ends at the
    next dollar sign.  Anything but a plain `\boxed{...}` is given back with its command, `\fbox`
    included, as d1 does.

    Args:
        text: a generation.

    Returns:
        What is in the box; None if the braces of the last box are never closed.

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
    """Read the stripped text between the first answer tag and the closing tag after it, if both stand."""
    _, start, rest = text.partition(ANSWER_START)
    content, end, _ = rest.partition(ANSWER_END)
    return content.strip() if start and end else None


class StatedAnswer(NamedTuple):
    """What a generation states as its answer, and in which form.

    Attributes:
        text: the answer.
        is_boxed: whether it stood in a box, as the prompts ask, or only in answer tags.
    """

    text: str
    is_boxed: bool


def read_stated_answer(generation: str) -> StatedAnswer | None:
    r"""Read the last answer that a generation states before its end.

    That is the content of the last closed `\boxed{...}` or `\fbox{...}`, of nested ones the inner;
    without any the text in the last answer tags.  A box or tags without a letter, a digit, ∞ or ∅
    state nothing.  Tags that are never closed count if the text came to its end by itself: a text that
    fills its canvas may have been cut in the middle of a number.  If all that stands in the tags is a box
    that lacks its backslash or its closing brace, or ends with ">" instead, they state what is in it.

    Args:
        generation: the model's answer.

    Returns:
        The answer, stripped; None if none is stated.
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


Step = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]
"""A pattern and what takes its place."""


def rewrite(text: str, steps: Iterable[Step]) -> str:
    """Write a text in another way, step by step, each over the whole text."""
    for pattern, replacement in steps:
        text = pattern.sub(replacement, text)
    return text


def _read_last_closed_box(text: str) -> str | None:
    """Read the box that begins last among those that are closed and hold a letter or digit."""
    open_groups: list[int | None] = []  # where the content of a box begins; None for other braces
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
    """Find the closing brace that brings the count of open braces to zero."""
    num_open = 0
    for brace in _BRACE.finditer(text, start):
        if brace.group() == "{":
            num_open += 1
            continue
        num_open -= 1
        # A closing brace before any opening one leaves the count at -1, and the search goes on.
        if num_open == 0:
            return brace.start()
    return None
