r"""GSM8K: grade-school word problems whose answer is a number.

    Tom has 3 bags of 6 marbles. How many marbles does he have?      reference: 18.0
    right: \boxed{18}, \boxed{18 marbles}        wrong in d1: \boxed{3 * 6 = 18}, read as 3

Source of the scoring d1: dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_gsm_answers.
"""

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from weft.benchmarks.extraction import NO_ANSWER, read_answer_tags, read_short_answer
from weft.benchmarks.quantities import read_quantities
from weft.errors import ScoringError
from weft.records import Score

_BOX_START = "\\boxed{"
_NUMBER = re.compile(r"-?\d+\.?\d*")


def score_d1(generation: str, *, question: str, reference: Any) -> Score:
    """Score a number as d1 does: it must equal the reference as a float.

    The reference is the number; the question is not used. d1 stores None instead of negative numbers, and
    every answer is wrong if the reference is None or negative. The answer is the first number in the first
    box that holds a number, or else the last number in the first pair of answer tags. A text that Python
    converts to a float, such as "1e3" or "inf", counts as one number. Thousands separators are not
    recognised: a box with "1,200" is read as 1. The extracted number is formatted as a float ("18.0").

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_gsm_answers.
    """
    if isinstance(reference, bool) or not isinstance(reference, int | float | None):
        raise ScoringError(
            f"a gsm8k reference must be a number or null, got {reference!a:.80}; correct the reference"
        )
    number = _extract_number(generation)
    if number is None:
        return Score.from_credit(None, 0.0, reason="no number in a box or in answer tags")
    if reference is None or reference < 0:
        return Score.from_credit(repr(number), 0.0, reason="d1 reads no negative reference")
    return Score.from_credit(
        repr(number), float(number == reference), reason="the number is not the reference"
    )


def score_strict(generation: str, *, question: str, reference: Any) -> Score:
    r"""Score a number exactly: it must have the same value as the reference.

    The reference is a finite number; d1's files have None instead of negative numbers. The question is not
    used. The answer is the last stated answer (`weft.benchmarks.extraction.read_stated_answer`), and
    `weft.benchmarks.quantities` finds its numbers. Currency, units, separators of thousands, negative
    numbers, fractions, mixed numbers and powers of ten are recognised. Of an equation, the right side is
    scored. All numbers must agree, and an expression is none; of a sentence in answer tags, the last number
    is scored. The extracted number is formatted as an integer or as a fraction.
    """
    is_finite = math.isfinite(reference) if isinstance(reference, float) else isinstance(reference, int)
    if isinstance(reference, bool) or not is_finite:
        raise ScoringError(
            f"a gsm8k reference must be a finite number, got {reference!a:.80}; correct the reference"
        )
    answer = read_short_answer(generation)
    if answer is None:
        return Score.from_credit(None, 0.0, reason=NO_ANSWER)
    quantities = read_quantities(answer.text, is_boxed=answer.is_boxed)
    values = frozenset.intersection(*quantities) if quantities else frozenset()
    if not values:
        problem = "no number" if not quantities else f"{len(quantities)} that differ"
        return Score.from_credit(answer.text, 0.0, reason=f"expected a single number, got {problem}")
    right = Fraction(repr(reference))
    extracted = right if right in values else max(values)
    return Score.from_credit(str(extracted), float(right in values), reason="the number is not the reference")


def _extract_number(generation: str) -> float | None:
    """Return the number in the first box that holds a number, or else in the answer tags."""
    for content in _find_boxes(generation):
        number = _read_number(content, which=0)
        if number is not None:
            return number
    tagged = read_answer_tags(generation)
    return None if tagged is None else _read_number(tagged, which=-1)


def _find_boxes(generation: str) -> Iterator[str]:
    """Yield the stripped text of each box up to the first closing brace on the same line."""
    for line in generation.split("\n"):
        start = line.find(_BOX_START)
        while start >= 0:
            end = line.find("}", start)
            if end < 0:
                break
            yield line[start + len(_BOX_START) : end].strip()
            start = line.find(_BOX_START, end)


def _read_number(content: str, *, which: int) -> float | None:
    """Return the content as a float, or else a number inside it (which: 0 for the first, -1 for the last)."""
    try:
        return float(content)
    except ValueError:
        numbers = _NUMBER.findall(content)
        return float(numbers[which]) if numbers else None
