r"""MATH-500: competition mathematics; an answer is an expression in LaTeX.

    What is the chance of heads?      reference: \frac{1}{2}
    right: \boxed{\dfrac12}, \boxed{0.5}, \boxed{1/2}            wrong: \boxed{0.50}, \boxed{\frac{2}{4}}

The scoring ``d1`` compares strings after the clean-up published with the MATH data (Hendrycks et al.);
``strict`` compares values. The example shows the scoring ``d1``.

Source of the scoring d1: dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_math_answers, and
eval/parser_helper.py, is_equiv.
"""

from typing import Any

from weft.benchmarks.extraction import (
    NO_ANSWER,
    read_answer_tags,
    read_last_box,
    read_short_answer,
)
from weft.benchmarks.latex_answers import are_same_answer
from weft.benchmarks.symbolic import ComparisonError
from weft.errors import ScoringError
from weft.records import Score

# Applied in this order, each to the whole text.
_REPLACEMENTS_BEFORE_UNITS = (
    ("\n", ""),
    ("\\!", ""),
    ("\\\\", "\\"),
    ("tfrac", "frac"),
    ("dfrac", "frac"),
    ("\\left", ""),
    ("\\right", ""),
    ("^{\\circ}", ""),
    ("^\\circ", ""),
    ("\\$", ""),
)
_REPLACEMENTS_AFTER_UNITS = (
    ("\\%", ""),
    (" .", " 0."),
    ("{.", "{0."),
)
_UNIT_START = "\\text{ "


def score_d1(generation: str, *, question: str, reference: Any) -> Score:
    """Score an expression as d1 does: the strings must be equal after the clean-up.

    The reference is the answer in LaTeX, a string; the question is not used. The answer is the last box,
    or the whole text if it has no box; the answer tags are used only if the box is empty or its braces are
    never closed.

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_math_answers.
    """
    _require_text(reference)
    answer = read_last_box(generation)
    if not answer:
        tagged = read_answer_tags(generation)
        answer = answer if tagged is None else tagged
    if answer is None:
        return Score.from_credit(None, 0.0, reason="the last box is never closed, and no answer tags")
    return Score.from_credit(
        answer, float(is_equivalent(answer, reference)), reason="the answer is not the reference"
    )


def score_strict(generation: str, *, question: str, reference: Any) -> Score:
    r"""Score an expression by its value.

    The reference is the answer in LaTeX, a string; the question is not used. The answer is the last stated
    answer (`weft.benchmarks.extraction.read_stated_answer`). It is right if it has the reference's values and
    words (`weft.benchmarks.latex_answers`); values are compared by math-verify, decimals to twelve places.
    Percent signs, the case of letters and units are ignored, but two different units are not the same. The
    base of a number may be left out, but must be right if the answer states it. An answer is unscorable if a
    comparison fails or exceeds its limits on time and memory.
    """
    _require_text(reference)
    if not reference.strip():
        raise ScoringError("a math500 reference must not be blank; correct the reference")
    answer = read_short_answer(generation)
    if answer is None:
        return Score.from_credit(None, 0.0, reason=NO_ANSWER)
    try:
        is_right = are_same_answer(answer.text, reference)
    except ComparisonError as error:
        return Score.unscorable(answer.text, reason=str(error))
    return Score.from_credit(answer.text, float(is_right), reason="the value is not the reference's")


def _require_text(reference: Any) -> None:
    if not isinstance(reference, str):
        raise ScoringError(
            f"a math500 reference must be a string, got {reference!a:.80}; correct the reference"
        )


def is_equivalent(prediction: str, reference: str) -> bool:
    """Return True if two answers are the same string after the clean-up.

    If the clean-up fails on either of them, both are compared without it.

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parser_helper.py, is_equiv.
    """
    try:
        return clean_up(prediction) == clean_up(reference)
    except ValueError:
        return prediction == reference


def clean_up(answer: str) -> str:
    r"""Normalise an answer in LaTeX for comparison.

    Args:
        answer: any text.

    Returns:
        The answer without spaces, bracket sizes, degree signs, percent signs and units, with a leading zero
        before a decimal point and with braces around arguments.

    Raises:
        ValueError: the original clean-up fails on the answer, because it has two units, a root or a fraction
            without arguments, or a single slash between parts that are not integers.

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parser_helper.py, strip_string.
    """
    for old, new in _REPLACEMENTS_BEFORE_UNITS:
        answer = answer.replace(old, new)
    answer, *units = answer.split(_UNIT_START)
    if len(units) > 1:
        raise ValueError("an answer has at most one unit")
    for old, new in _REPLACEMENTS_AFTER_UNITS:
        answer = answer.replace(old, new)
    if answer.startswith("."):
        answer = "0" + answer
    # "x = 5" becomes 5, but the left side of a longer equation is kept.
    left, *right = answer.split("=")
    if len(right) == 1 and len(left) <= 2:
        answer = right[0]
    answer = _brace_roots(answer).replace(" ", "")
    answer = _brace_fractions(answer)
    if answer == "0.5":
        return "\\frac{1}{2}"
    return _write_as_fraction(answer)


def _brace_roots(answer: str) -> str:
    r"""Write `\sqrt2` as `\sqrt{2}`."""
    head, *tails = answer.split("\\sqrt")
    if "" in tails:
        raise ValueError("a root needs an argument")
    braced = (tail if tail[0] == "{" else f"{{{tail[0]}}}{tail[1:]}" for tail in tails)
    return "\\sqrt".join([head, *braced])


def _brace_fractions(answer: str) -> str:
    r"""Write `\frac12` as `\frac{1}{2}` and `\frac1{12}` as `\frac{1}{12}`."""
    head, *tails = answer.split("\\frac")
    braced = [head]
    for tail in tails:
        if not tail:
            raise ValueError("a fraction needs arguments")
        if tail[0] == "{":
            braced.append(tail)
        elif len(tail) == 1:
            return answer
        elif tail[1] == "{":
            braced.append(f"{{{tail[0]}}}{tail[1:]}")
        else:
            braced.append(f"{{{tail[0]}}}{{{tail[1]}}}{tail[2:]}")
    return "\\frac".join(braced)


def _write_as_fraction(answer: str) -> str:
    r"""Write `3/4` as `\frac{3}{4}`; a single slash between other parts raises ValueError."""
    left, *right = answer.split("/")
    if len(right) != 1:
        return answer
    numerator, denominator = int(left), int(right[0])
    if answer != f"{numerator}/{denominator}":
        return answer
    return f"\\frac{{{numerator}}}{{{denominator}}}"
