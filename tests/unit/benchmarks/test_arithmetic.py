import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.benchmarks.arithmetic import (
    MAX_DIGITS,
    MAX_OPERATORS,
    ExpressionError,
    ExpressionLimitError,
    evaluate,
    evaluate_exactly,
)

VALUES = {
    "7": 7,
    "3 + 4 * 5": 23,
    "(3 + 4) * 5": 35,
    "20 - 3 - 5": 12,
    "24 / 4 / 2": 3.0,
    "24 / (4 / 2)": 12.0,
    "7 // 2": 3,
    "7 // 2 * 3": 9,
    "2 ** 3 ** 2": 512,
    "-2 ** 2": -4,
    "2 ** -1": 0.5,
    "2 ** -1 * 4": 2.0,
    "3 * -4": -12,
    "- + - 3": 3,
    "1.5 + .5 + 1.": 3.0,
    "00 + 1": 1,
    "(3 +\n4)": 7,
    "(3 +\r4)": 7,
    " 3\t+\f4": 7,
    "1 ** 99999 ** 9": 1,
    "9 ** 9999 // 9 ** 9998": 9,
}


def test_values_equal_those_of_python():
    for expression, value in VALUES.items():
        assert evaluate(expression) == value, expression
        assert type(evaluate(expression)) is type(value), expression
    assert evaluate("(-4) ** .5") == pytest.approx(2j)


NO_VALUES = [
    *("", "+", "3 +", "* 3", "3 4", "3 * * 2", "()", "3 ()", "3 (4)", "(3) (4)", "(3", "3)", ")3("),
    *("1..5", ".", "...", "(...)", "012", "3 / 0", "0 ** -1", "2. ** 99999", "(-8) ** .5 // 2", "(*3)"),
    *("3 +\n4", "3 \x0b+ 4", "3\xa0+ 4", "٣ + 4", "3 = 3", "x", "1e3", "1_0", "3 % 2", "~3", "3, 4", "'3'"),
    *("__import__('os')", "[3]", "\0", "\ud800", "3 if 4 else 5", "lambda: 3", "3 < 4", "True", "0x3", "1j"),
    *("3 # 4", "(3 :=4)", "3;4", "f'{3}'", "1" * (MAX_DIGITS + 1), "1." + "0" * MAX_DIGITS),
]


@pytest.mark.filterwarnings("error")
def test_other_expressions_are_refused():
    for expression in NO_VALUES:
        with pytest.raises(ExpressionError):
            evaluate(expression)
        with pytest.raises(ExpressionError):
            evaluate_exactly(expression)


def test_large_integers_are_refused_before_they_are_computed():
    for expression in (
        "9 ** 9 ** 9",
        "(9 ** 9999) ** 9999",
        "9 ** 30000 * 9 ** 30000",
        "-(9 ** 9 ** 9)",
    ):
        with pytest.raises(ExpressionLimitError, match="bits"):
            evaluate(expression)


def test_operands_are_evaluated_from_the_left():
    """Which of two errors comes first decides between wrong and unscorable."""
    with pytest.raises(ExpressionError):
        evaluate("3 / 0 + 9 ** 9 ** 9")
    with pytest.raises(ExpressionLimitError):
        evaluate("9 ** 9 ** 9 + 3 / 0")
    with pytest.raises(ExpressionError):
        evaluate("9 ** 9 ** 9 + 3 (4)")


def test_expressions_may_be_as_deep_and_as_long_as_in_python():
    assert evaluate("(" * 200 + "3" + ")" * 200) == 3
    assert evaluate("-" * MAX_OPERATORS + "3") == 3
    assert evaluate("1" + "+1" * MAX_OPERATORS) == MAX_OPERATORS + 1
    assert evaluate("3" + " " * 1_000_000 + "+ 4") == 7
    for expression in ("(" * 201 + "3" + ")" * 201, "-" * (MAX_OPERATORS + 1) + "3", "1" + "+1" * 3000):
        with pytest.raises(ExpressionError):
            evaluate(expression)


def test_exact_expressions_have_integers_and_four_operators():
    assert str(evaluate_exactly("1 / 3 + -2 * (3 - 4)")) == "7/3"
    for expression in ("1.5", "2 ** 2", "7 // 2"):
        with pytest.raises(ExpressionError):
            evaluate_exactly(expression)


EXPRESSIONS = st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS)
def test_exact_values_agree_with_those_in_floats(expression):
    try:
        value = evaluate_exactly(expression)
    except ExpressionError:
        with pytest.raises(ExpressionError):
            evaluate(expression)
        return
    assert float(value) == pytest.approx(evaluate(expression), rel=1e-6, abs=1e-6)
