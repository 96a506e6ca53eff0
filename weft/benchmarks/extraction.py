r"""Where an answer may stand in a generation: the last box, or the first pair of answer tags.

    ... so we get \boxed{\frac{1}{2}}.</reasoning> <answer>1/2</answer>

`read_last_box` gives `\frac{1}{2}`, `read_answer_tags` gives `1/2`.  GSM8K reads boxes in its own
way, see `weft.benchmarks.gsm8k`.  A generation may be a megabyte of anything: each function here
passes over the text a fixed number of times.

Source: dllm-reasoning/d1 @ 837888f, eval/parser_helper.py and eval/parse_and_get_acc.py.
"""

import re

BOX = "\\boxed"
FRAMED_BOX = "\\fbox"
ANSWER_START = "<answer>"
ANSWER_END = "</answer>"

_BRACE = re.compile(r"[{}]")


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
