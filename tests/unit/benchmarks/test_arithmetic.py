import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.benchmarks.arithmetic import (
    MAX_BRACKET_DEPTH,
    MAX_OPERATORS,
    ExpressionError,
    ExpressionLimitError,
    evaluate,
    evaluate_exactly,
)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7", 7),
        ("3 + 4 * 5", 23),
        ("(3 + 4) * 5", 35),
        ("20 - 3 - 5", 12),
        ("24 / 4 / 2", 3.0),
        ("24 / (4 / 2)", 12.0),
        ("7 // 2", 3),
        ("7 // 2 * 3", 9),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("2 ** -1", 0.5),
        ("2 ** -1 * 4", 2.0),
        ("3 * -4", -12),
        ("- + - 3", 3),
        ("1.5 + .5 + 1.", 3.0),
        ("00 + 1", 1),
        ("(3 +\n4)", 7),
        ("3\t+\f4", 7),
        ("1 ** 99999 ** 9", 1),
    ],
)
def test_values_are_pythons(expression, value):
    assert evaluate(expression) == value
    assert type(evaluate(expression)) is type(value)


def test_roots_of_negative_numbers_are_complex():
    assert evaluate("(-4) ** .5") == pytest.approx(2j)


@pytest.mark.parametrize(
    "expression",
    [
        *("", "+", "3 +", "* 3", "3 4", "3 * * 2", "()", "3 ()", "3 (4)", "(3) (4)", "(3", "3)", ")3("),
        *("1..5", ".", "...", "012", "3 / 0", "0 ** -1", "2. ** 99999", "(-8) ** .5 // 2"),
        *(
            "3 +\n4",
            "3 \x0b+ 4",
            "3\xa0+ 4",
            "٣ + 4",
            "3 = 3",
            "x",
            "1e3",
            "1_0",
            "3 % 2",
            "~3",
            "3, 4",
            "'3'",
        ),
        *("__import__('os')", "[3]", "\0", "\ud800"),
    ],
)
def test_anything_else_is_refused(expression):
    with pytest.raises(ExpressionError):
        evaluate(expression)


@pytest.mark.parametrize(
    "expression", ["9 ** 9 ** 9", "(9 ** 9999) ** 9999", "9 ** 30000 * 9 ** 30000", "-(9 ** 9 ** 9)"]
)
def test_large_integers_are_refused_before_they_are_made(expression, quickly):
    with quickly(), pytest.raises(ExpressionLimitError):
        evaluate(expression)


def test_large_integers_within_the_limit_are_computed():
    assert evaluate("9 ** 9999 // 9 ** 9998") == 9


def test_brackets_nest_as_deep_as_in_python():
    depth = MAX_BRACKET_DEPTH
    assert evaluate("(" * depth + "3" + ")" * depth) == 3
    with pytest.raises(ExpressionError, match="nest at most"):
        evaluate("(" * (depth + 1) + "3" + ")" * (depth + 1))


def test_operators_are_limited():
    assert evaluate("-" * MAX_OPERATORS + "3") == 3
    with pytest.raises(ExpressionError, match="operators"):
        evaluate("-" * (MAX_OPERATORS + 1) + "3")
    with pytest.raises(ExpressionError, match="operators"):
        evaluate("1" + "+1" * (MAX_OPERATORS + 1))


def test_blanks_are_not_limited(quickly):
    with quickly():
        assert evaluate("3" + " " * 1_000_000 + "+ 4") == 7


def test_digits_are_limited():
    with pytest.raises(ExpressionError, match="digits"):
        evaluate("1" * 5000)


def test_a_megabyte_is_refused_quickly(nasty_text, quickly):
    for expression in (nasty_text, "(" + nasty_text, "3 + " + nasty_text):
        with quickly(), pytest.raises(ExpressionError):
            evaluate(expression)


def join(parts):
    return "({} {} {})".format(*parts)


EXPRESSIONS = st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(join),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS)
def test_exact_values_agree_with_those_in_floats(expression):
    try:
        value = evaluate_exactly(expression)
    except ExpressionError:
        with pytest.raises(ExpressionError):
            evaluate(expression)
        return
    assert float(value) == pytest.approx(evaluate(expression), rel=1e-6, abs=1e-6)
