r"""GSM8K: grade-school word problems whose answer is a number.

    Tom has 3 bags of 6 marbles.  How many marbles has he?      reference: 18.0
    right: \boxed{18}, \boxed{18 marbles}                       wrong: \boxed{3 * 6 = 18}, it begins with 3

Source of the d1 rules: dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_gsm_answers.
"""

import re
from collections.abc import Iterator
from typing import Any

from weft.benchmarks.extraction import read_answer_tags
from weft.benchmarks.verdict import Score
from weft.errors import ScoringError

_BOX_START = "\\boxed{"
_NUMBER = re.compile(r"-?\d+\.?\d*")


def score_d1(generation: str, *, question: str, reference: Any) -> Score:
    """Score a number by d1's rules: it must equal the reference as a float.

    The answer is the first number of the first box that holds one, else the last number of the first
    pair of answer tags; what Python reads as one float counts as one number ("1e3", "inf").
    Thousands separators are not understood: of "1,200" the box gives 1.

    Args:
        generation: the model's answer.
        question: not used.
        reference: the number; None for the negative answers that d1 cannot read, where every answer
            is wrong.

    Returns:
        The score; what was extracted is written as Python writes a float ("18.0").

    Raises:
        ScoringError: the reference is neither a number nor None.

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_gsm_answers.
    """
    if isinstance(reference, bool) or not isinstance(reference, int | float | None):
        raise ScoringError(
            f"a gsm8k reference must be a number or null, got {reference!a:.80}; check the generation file"
        )
    number = _extract_number(generation)
    if number is None:
        return Score.from_credit(None, 0.0, reason="no number in a box or in answer tags")
    reason = "the reference has no number" if reference is None else "the number is not the reference"
    return Score.from_credit(repr(number), float(number == reference), reason=reason)


def _extract_number(generation: str) -> float | None:
    """Read the number of the first box that has one, else of the answer tags."""
    for content in _find_boxes(generation):
        number = _read_number(content, which=0)
        if number is not None:
            return number
    tagged = read_answer_tags(generation)
    return None if tagged is None else _read_number(tagged, which=-1)


def _find_boxes(generation: str) -> Iterator[str]:
    """Yield what stands between each box and the first closing brace on the same line, stripped."""
    for line in generation.split("\n"):
        start = line.find(_BOX_START)
        while start >= 0:
            end = line.find("}", start)
            if end < 0:
                break
            yield line[start + len(_BOX_START) : end].strip()
            start = line.find(_BOX_START, end)


def _read_number(content: str, *, which: int) -> float | None:
    """Read the content as a float, or else one of the numbers inside it (which: 0 first, -1 last)."""
    try:
        return float(content)
    except ValueError:
        numbers = _NUMBER.findall(content)
        return float(numbers[which]) if numbers else None
