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

from weft.benchmarks.extraction import NO_ANSWER, Step, read_answer_tags, read_short_answer, rewrite
from weft.errors import ScoringError
from weft.records import Score

_BOX_START = "\\boxed{"
_NUMBER = re.compile(r"-?\d+\.?\d*")


def _write_mixed_number(match: re.Match[str]) -> str:
    """Write a mixed number as a fraction: 2 1/2 as 5/2."""
    whole, part, parts = map(int, match.groups())
    return f" {whole * parts + part}/{parts} "


# Strict scoring rewrites the stated answer in these steps before it looks for numbers.
_PLAIN: tuple[Step, ...] = (
    (re.compile(r"\\[dt]?frac\s*([0-9])\s*([0-9])"), r"\\frac{\1}{\2}"),
    (re.compile(r"(?<![0-9.,}])([0-9]+)\s*\\[dt]?frac\{([0-9]+)\}\{([0-9]+)\}"), _write_mixed_number),
    (re.compile(r"(?<![0-9.,/}])([0-9]+)\s+([0-9]+)/([0-9]+)(?![0-9])"), _write_mixed_number),
    (re.compile(r"\\[dt]?frac\s*\{\s*(-?[0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\}"), r" \1/\2 "),
    (re.compile(r"(?<=-) (?=[0-9]+/)"), ""),  # the result of the previous step for -\frac{1}{2}
    (re.compile(r"\{,\}|\\[,!]"), ""),  # thousands separators in LaTeX: 1{,}200 and 1\,200
    (re.compile(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))"), ""),  # the same beyond ASCII
    (re.compile(r"[−–]"), "-"),  # minus signs other than the hyphen
    (re.compile(r"-\\?[$€£¥]\s*"), "-"),
    (re.compile(r"\\?[$€£¥]|\\(?:text|mathrm|mathbf|textbf)\b"), " "),
    (re.compile(r"(?<=[A-Za-z.])\s*\}?\s*\^(?:\{[23]\}|[23](?![0-9]))"), " "),  # square metres
    (re.compile(r"\^?\{?(?:\\circ|\\degree)\b\}?"), " "),
    (re.compile(r"(?<!\S)\*+|\*+(?!\S)"), " "),  # bold type
    (re.compile(r"(?<=[A-Za-z])\.(?=[0-9])"), " "),  # Rs.18
)
_SPACED_MINUS = re.compile(r"(?<=-)\s+(?=[0-9.])")
_OPERATION = re.compile(r"[0-9)}]\s*(?:[+*^!×·÷]|\\times|\\cdot|\\div)|\\sqrt")
_STATED_NUMBER = re.compile(
    r"(?<![0-9.])(?P<sign>(?<![0-9)])-)?"
    r"(?P<number>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:/(?P<denominator>[0-9]++)(?![.,][0-9]))?"
)


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
            f"a gsm8k reference must be a number or null, got {reference!a:.80}; check the generation file"
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
    used. The answer is the last stated answer (`weft.benchmarks.extraction.read_stated_answer`). Currency,
    units, thousands separators (`1,800`, `1{,}800`, `1\,800`), negative numbers, fractions and mixed numbers
    are recognised. Of an equation, the right side is scored. A box must hold a single number, possibly
    several times, and no expression; without a box, the last number in the answer tags is scored. The
    extracted number is formatted as an integer or as a fraction.
    """
    if isinstance(reference, bool) or not isinstance(reference, int | float) or not math.isfinite(reference):
        raise ScoringError(
            f"a gsm8k reference must be a finite number, got {reference!a:.80}; check the generation file"
        )
    answer = read_short_answer(generation)
    if answer is None:
        return Score.from_credit(None, 0.0, reason=NO_ANSWER)
    numbers = _read_stated_numbers(answer.text, is_boxed=answer.is_boxed)
    if not numbers or (answer.is_boxed and len(set(numbers)) > 1):
        return Score.from_credit(answer.text, 0.0, reason=f"expected a single number, got {len(numbers)}")
    is_right = numbers[-1] == Fraction(repr(reference))
    return Score.from_credit(str(numbers[-1]), float(is_right), reason="the number is not the reference")


def _read_stated_numbers(text: str, *, is_boxed: bool) -> list[Fraction]:
    """Return the numbers of a stated answer; of an equation, those on the right side, if there are any.

    In a box, "- 18" is a negative number and "2 + 2" is no number; in prose, a dash is not a minus sign.
    """
    text = rewrite(text, _PLAIN)
    if is_boxed:
        text = _SPACED_MINUS.sub("", text)
    _, _, right_side = text.rpartition("=")
    side = right_side if _find_numbers(right_side) else text
    return [] if is_boxed and _OPERATION.search(side) else _find_numbers(side)


def _find_numbers(text: str) -> list[Fraction]:
    numbers = []
    for match in _STATED_NUMBER.finditer(text):
        denominator = int(match["denominator"] or 1)
        if denominator:
            value = Fraction(match["number"].replace(",", "")) / denominator
            numbers.append(-value if match["sign"] else value)
    return numbers


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
