r"""Countdown: reach the target from the given numbers, each used exactly once, with + - * /.

    Numbers: [3, 5, 20]           reference: [[3, 5, 20], 12]
    Target: 12                    right: \boxed{20 - 3 - 5}     wrong: \boxed{4 * 3}

Source of the scoring d1: dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_countdown_answers.
`weft.benchmarks.arithmetic` computes the value without eval.
"""

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from weft.benchmarks.arithmetic import (
    MAX_DIGITS,
    ExpressionError,
    ExpressionLimitError,
    evaluate,
    evaluate_exactly,
)
from weft.benchmarks.extraction import (
    NO_ANSWER,
    Step,
    read_answer_tags,
    read_last_box,
    read_short_answer,
    rewrite,
)
from weft.errors import ScoringError
from weft.records import Score

TOLERANCE = 1e-5

_LATEX_OPERATORS = {"\\div": "/", "\\times": "*", "\\cdot": "*"}
# Strict scoring rewrites the stated answer in these steps.
_SIGNS = str.maketrans(
    dict.fromkeys("×·⋅∙•∗✕✖⨯⨉⋆＊", "*")
    | dict.fromkeys("÷∕⁄➗／", "/")
    | dict.fromkeys("−–—‐‑‒﹣－➖", "-")
    | dict.fromkeys("＋➕", "+")
    | dict.fromkeys("≈≃≅≡＝→⇒⟹", "=")
    | {chr(0xFF10 + digit): str(digit) for digit in range(10)}
    | {"[": "(", "]": ")", "（": "(", "）": ")"}
)
_ARGUMENT = r"\{([^{}]*)\}"
_STYLE = (
    r"\\(?:(?:text|math)?(?:bf|it|rm|sf|tt|normal)|text|mbox|boldsymbol|bm|underline|emph|displaystyle|"
    r"textstyle|[lL]arge|LARGE|[hH]uge|small)(?![A-Za-z])"
)
_PLAIN: tuple[Step, ...] = (
    # Layout. Colours and spaces have arguments that are no part of the expression; braces are not seen.
    (re.compile(r"\\[hv]space\*?\s*\{[^{}]*\}"), ""),
    (re.compile(rf"\\(?:text)?color\s*\{{[^{{}}]*\}}(?:\s*{_ARGUMENT})?"), r" \1 "),
    (re.compile(rf"{_STYLE}\s*{_ARGUMENT}"), r" \1 "),
    (re.compile(_STYLE), ""),
    (
        re.compile(
            r"\\(?:left|right|[bB]igg?[lr]?)(?![A-Za-z])\.?|\\q?quad(?![A-Za-z])|\\[()\[\],;:! ]|[$~\s]+"
        ),
        " ",
    ),
    (re.compile(r"\{\s*\}"), ""),
    (re.compile(r"\\\{"), "("),
    (re.compile(r"\\\}"), ")"),
    # Bold type and code. A power of two numbers has the stars between them.
    (re.compile(r"""^\s*[*_`"'“”]+|[*_`"'“”]+\s*$|`"""), ""),
    (re.compile(r"(?<!\S)\*{1,2}(?=[^\s*])([^*]*[^\s*])\*{1,2}(?!\S)"), r"\1"),
    # Words.
    (re.compile(r"(?<=[0-9)])\s*(?:multiplied\s+by|times)\s*(?=[-0-9(])", re.IGNORECASE), "*"),
    (re.compile(r"(?<=[0-9)])\s*(?:divided\s+by|over)\s*(?=[-0-9(])", re.IGNORECASE), "/"),
    (re.compile(r"(?<=[0-9)])\s*plus\s*(?=[-0-9(])", re.IGNORECASE), "+"),
    (re.compile(r"(?<=[0-9)])\s*minus\s*(?=[-0-9(])", re.IGNORECASE), "-"),
    (
        re.compile(r"(?<=[0-9)])\s*(?:equals|is\s+equal\s+to|is|gives|makes)\s*(?=[-0-9(])", re.IGNORECASE),
        "=",
    ),
    (re.compile(r"^\s*[A-Za-z][A-Za-z ]*(?::|\bis\b)\s*(?=[-+0-9(\\{])"), ""),  # a label: Answer: 20 - 3 - 5
    # Operators and equals signs.
    (re.compile(r"\\(?:times|cdot|ast|star|bullet|centerdot)(?![A-Za-z])"), "*"),
    (re.compile(r"\\div(?![A-Za-z])"), "/"),
    (
        re.compile(
            r"\\(?:approx|sim|simeq|cong|equiv|to|(?:long)?(?:R|r)ightarrow|implies)(?![A-Za-z])|[-=]+>|=="
        ),
        "=",
    ),
    (re.compile(r"\{\s*([-+*/=])\s*\}"), r"\1"),
    (re.compile(r"\(\s*=([^()=]*)\)\s*\.?\s*$"), r"=\1"),
    (re.compile(r"(?<=[0-9)])\s*:\s*(?=[0-9(])"), "/"),
    (re.compile(r"[.,;]\s*$"), ""),  # the full stop of a sentence
    # Fractions.
    (re.compile(r"(?<=[0-9])\s*(?=\\[dtc]?frac)"), " ? "),  # a mixed number is not a product
    (re.compile(r"\\[dtc]?frac\s*([0-9])\s*([0-9])"), r"\\frac{\1}{\2}"),
    (re.compile(r"(\\[dtc]?frac)\s*([0-9])\s*(?=\{)"), r"\1{\2}"),
    (re.compile(r"(\\[dtc]?frac\s*\{[^{}]*\})\s*([0-9])"), r"\1{\2}"),
    (re.compile(r"\{\s*\{([^{}]*)\}\s*\}"), r"{\1}"),
    (re.compile(r"^([^{}]*)\\over(?![A-Za-z])([^{}]*)$"), r"((\1)/(\2))"),
    (re.compile(r"\{([^{}]*)\\over(?![A-Za-z])([^{}]*)\}"), r"((\1)/(\2))"),
)
_FRACTION = re.compile(rf"\\[dtc]?frac\s*{_ARGUMENT}\s*{_ARGUMENT}")
_GROUP = re.compile(_ARGUMENT)
# Braces are not seen: {12}{3} is read as 123, and is no product.
_BESIDE_GROUP = re.compile(r"(?<=[0-9}])\s*(?=\{+\s*[0-9])|(?<=[0-9]\})\s*(?=[0-9])")
_NAME = re.compile(r"[A-Za-z][A-Za-z_0-9 ]{0,30}")
_PRODUCT = re.compile(r"(?<=[0-9)])\s*[xX]\s*(?=[0-9(])|(?<=[0-9)])\s*(?=\()|(?<=\))\s*(?=[0-9])")
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")
_EQUALS_NUMBER = re.compile(r"(?<=[0-9+\-*/() ])=[0-9. ]")
_LEFT_SIDE = "0123456789+-*/() "


def score_d1(generation: str, *, question: str, reference: Any) -> Score:
    r"""Score an expression as d1 does, with a credit of 0 or 1.

    The reference holds the numbers and the target, `[[a, b, c], target]`; the question is not used. The
    expression is the content of the last box, or of the answer tags if the box is never closed, or the
    whole text. Of an equation such as `3 + 4 = 7`, the left side is scored. The integers in the expression
    must be the given numbers, and its value must be within 1e-5 of the target. An answer is unscorable only
    if an intermediate integer has more than MAX_INTEGER_BITS bits.

    Source:
        dllm-reasoning/d1 @ 837888f, eval/parse_and_get_acc.py, parse_countdown_answers. It
        differs in two points (docs/deviations.md): a reference in another form is an error, where d1 reads
        the question instead, and `weft.benchmarks.arithmetic` has limits.
    """
    numbers, target = _read_reference(reference)
    expression = _extract_expression(generation)
    if not _uses_exactly(expression, numbers):
        return Score.from_credit(expression, 0.0, reason="the numbers used are not exactly the given ones")
    try:
        is_target = abs(evaluate(expression.strip()) - target) < TOLERANCE
    except ExpressionLimitError as error:
        return Score.unscorable(expression, reason=str(error))
    except (ExpressionError, OverflowError) as error:
        return Score.from_credit(expression, 0.0, reason=str(error))
    return Score.from_credit(expression, float(is_target), reason="the value is not the target")


def score_strict(generation: str, *, question: str, reference: Any) -> Score:
    r"""Score an expression by its exact value, with a credit of 0 or 1.

    The reference holds the numbers and the target, `[[a, b, c], target]`; the question is not used. The
    expression is the last stated answer (`weft.benchmarks.extraction.read_stated_answer`), in plain signs,
    in LaTeX (`\times`, `\cdot`, `\div`, `\frac{a}{b}`) or with operators in words; a label in front of it
    ("Answer:", "x =") is left out. It may contain integers, + - * / and brackets only. The integers must be
    the given numbers, each once, and the exact value must be the target. Every other side of an equation
    must have the same value, and may be a decimal number; an about-sign counts as an equals sign.
    """
    numbers, target = _read_reference(reference)
    answer = read_short_answer(generation)
    if answer is None:
        return Score.from_credit(None, 0.0, reason=NO_ANSWER)
    expression = _write_plainly(answer.text)
    sides = [side.strip() for side in expression.split("=")]
    sides = [side for side in sides if not _NAME.fullmatch(side)] or sides  # x = 20 - 3 - 5
    if not any(_uses_exactly(side, numbers) and not _DECIMAL.fullmatch(side) for side in sides):
        return Score.from_credit(expression, 0.0, reason="the numbers used are not exactly the given ones")
    try:
        values = {Fraction(side) if _DECIMAL.fullmatch(side) else evaluate_exactly(side) for side in sides}
    except ExpressionLimitError as error:
        return Score.unscorable(expression, reason=str(error))
    except ExpressionError as error:
        return Score.from_credit(expression, 0.0, reason=str(error))
    return Score.from_credit(expression, float(values == {target}), reason="the value is not the target")


def _write_plainly(expression: str) -> str:
    """Write an expression with Python's operators."""
    expression = rewrite(expression.translate(_SIGNS), _PLAIN)
    for pattern, plain in ((_FRACTION, r"((\1)/(\2))"), (_BESIDE_GROUP, " ? "), (_GROUP, r"(\1)")):
        num_replaced = 1
        while num_replaced:  # the innermost first
            expression, num_replaced = pattern.subn(plain, expression)
    return _PRODUCT.sub("*", expression).strip()


def _read_reference(reference: Any) -> tuple[Sequence[int | float], int | float]:
    """Return the numbers and the target of a reference."""
    match reference:
        case [[_, *_] as numbers, target] if all(type(value) in (int, float) for value in (*numbers, target)):
            return numbers, target
    raise ScoringError(
        f"a countdown reference must be [[numbers], target], got {reference!a:.80}; correct the reference"
    )


def _extract_expression(generation: str) -> str:
    """Return the expression with Python's operators, without an equals sign and the result after it."""
    expression = read_last_box(generation)
    if expression is None:
        expression = read_answer_tags(generation)
    if expression is None:
        expression = generation
    for latex, python in _LATEX_OPERATORS.items():
        expression = expression.replace(latex, python)
    equals = _EQUALS_NUMBER.search(expression)
    if equals is None:
        return expression
    before = expression[: equals.start()]
    return before[len(before.rstrip(_LEFT_SIDE)) :].strip()


def _uses_exactly(expression: str, numbers: Sequence[int | float]) -> bool:
    """Return True if the runs of digits in an expression are the given numbers, in any order."""
    runs = re.findall(r"\d+", expression)
    if len(runs) != len(numbers) or any(len(run) > MAX_DIGITS for run in runs):
        return False
    return sorted(int(run) for run in runs) == sorted(numbers)
