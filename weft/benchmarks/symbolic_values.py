r"""Comparison of two expressions in LaTeX by math-verify, for `weft.benchmarks.symbolic_process`.

    compare(r"\frac{1}{\sqrt{n}}", r"\sqrt{\frac{1}{n}}")  returns  True

math-verify decides, with two corrections. Its numerical comparison drops differences below 1e-15, so that
all tiny values are equal; exact numbers that differ relatively are therefore unequal here. And it proves few
identities of roots and complex numbers; expressions that agree at several points are therefore equal.
"""

import logging
import re
from typing import Any

import sympy
from latex2sympy2_extended import NormalizationConfig
from latex2sympy2_extended.logic import And
from math_verify import LatexExtractionConfig, parse, verify
from sympy.core.relational import Ge, Gt, Relational
from sympy.parsing import sympy_parser

DECIMALS = 12
"""Number of decimals to which decimal numbers must agree; with math-verify's 6, 0.333333 would equal 1/3."""
DIGITS = 60
"""Number of digits to which values are computed."""
TOLERANCE = sympy.Float(10) ** -50
"""Largest relative difference of equal values."""
POINTS = (sympy.Rational(7, 3), sympy.Rational(-5, 7), sympy.Rational(3, 11), sympy.Rational(13, 4), -2, 5)
"""Values that take the place of the first variable; the next variables take the values after it."""
MIN_POINTS = 2
"""Number of points at which expressions must be comparable and equal."""

# Units and boxes are read before, by weft.benchmarks.latex_answers. ExprExtractionConfig is not used, because
# it passes text to SymPy's parse_expr, which calls eval.
_LATEX = LatexExtractionConfig(
    normalization_config=NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none"
    )
)


def compare(reference: str, prediction: str) -> bool:
    """Return True if two expressions in LaTeX are equal.

    An expression that cannot be parsed equals only the same text. Any exception may be raised, which means
    that the comparison failed, not that the expressions differ.
    """
    expected, stated = _read(reference), _read(prediction)
    if expected is None or stated is None:
        return reference == prediction
    if bool(
        verify(
            expected,
            stated,
            float_rounding=DECIMALS,
            numeric_precision=DIGITS,
            allow_set_relation_comp=True,
            timeout_seconds=None,
            raise_on_error=True,
        )
    ):
        return not _are_different_numbers(expected, stated)
    return _agree(expected, stated)


def _read(latex: str) -> Any:
    """Parse an expression; return None if it cannot be parsed."""
    expressions = parse(
        f"${latex}$",
        extraction_config=[_LATEX],
        fallback_mode="no_fallback",
        parsing_timeout=None,
        raise_on_error=True,
    )
    return _put_ascending(expressions[0]) if expressions else None


def _put_ascending(expression: Any) -> Any:
    """Write a chain of inequalities from the smallest side to the largest: 5 > x > 0 as 0 < x < 5.

    math-verify compares the inequalities of two chains in the order in which they are written.
    """
    if not isinstance(expression, And):
        return expression
    inequalities = expression._unsorted_args
    if not all(isinstance(inequality, Gt | Ge) for inequality in inequalities):
        return expression
    return And(*(inequality.reversed for inequality in reversed(inequalities)))


def _are_different_numbers(expected: Any, stated: Any) -> bool:
    """Return True if two exact numbers, or the members of two tuples or sets, differ relatively."""
    members = _list_members(expected, stated)
    if members:
        return any(map(_are_different_numbers, *members))
    for value in (expected, stated):
        if not _is_scalar(value) or not value.is_number or value.has(sympy.Float, sympy.UnevaluatedExpr):
            return False
    return _have_equal_values(expected, stated) is False


def _is_scalar(value: Any) -> bool:
    return isinstance(value, sympy.Expr) and not value.has(sympy.oo, -sympy.oo, sympy.zoo, sympy.nan)


def _agree(expected: Any, stated: Any) -> bool:
    """Return True if two expressions, or all members of two tuples or matrices, agree at several points."""
    if isinstance(expected, Relational) and isinstance(stated, Relational):
        same_kind = type(expected) is type(stated) and _agree(expected.lhs, stated.lhs)
        return same_kind and _agree(expected.rhs, stated.rhs)
    if isinstance(stated, sympy.Eq) and stated.lhs.is_Symbol:
        return _agree(expected, stated.rhs)
    if isinstance(expected, sympy.Eq) and expected.lhs.is_Symbol:
        return _agree(expected.rhs, stated)
    members = _list_members(expected, stated)
    if members:
        return all(map(_agree, *members))
    expected, stated = (
        value.args[0] if isinstance(value, sympy.FiniteSet) and len(value) == 1 else value
        for value in (expected, stated)
    )
    if not (_is_scalar(expected) and _is_scalar(stated)):
        return False
    return _agree_at_points(sympy.nsimplify(expected, rational=True), sympy.nsimplify(stated, rational=True))


def _list_members(expected: Any, stated: Any) -> tuple[list[Any], list[Any]] | None:
    """Return the members of two values of one kind and size, in one order; None for other values."""
    (kind, members), (stated_kind, stated_members) = _take_apart(expected), _take_apart(stated)
    return (members, stated_members) if members and kind == stated_kind else None


def _take_apart(value: Any) -> tuple[Any, list[Any]]:
    """Return the kind and the members of a matrix, set, tuple or interval; no members for other values."""
    if isinstance(value, sympy.MatrixBase):
        return ("matrix", value.shape), value.flat()
    if isinstance(value, sympy.FiniteSet):
        return ("set", len(value)), sorted(value.args, key=_sort_key)
    if isinstance(value, sympy.Tuple):
        return ("tuple", len(value)), list(value.args)
    if isinstance(value, sympy.Interval):
        return ("interval", value.left_open, value.right_open), [value.start, value.end]
    return None, []


def _sort_key(member: Any) -> Any:
    return sympy.default_sort_key(sympy.N(member, 10) if isinstance(member, sympy.Expr) else member)


def _agree_at_points(expected: Any, stated: Any) -> bool:
    """Return True if two expressions are equal wherever their parts are real, or everywhere if complex."""
    variables = sorted(expected.free_symbols | stated.free_symbols, key=str)
    if not variables:
        return _have_equal_values(expected, stated) is True
    if any(variable.is_Function for variable in variables) or len(variables) > len(POINTS):
        return False
    is_complex = expected.has(sympy.I) or stated.has(sympy.I)
    num_equal = 0
    for shift in range(len(POINTS)):
        point = {
            variable: sympy.sympify(POINTS[(shift + place) % len(POINTS)])
            for place, variable in enumerate(variables)
        }
        sides = [side.xreplace(point) for side in (expected, stated)]
        if not is_complex and not all(map(_is_real_throughout, sides)):
            continue
        is_equal = _have_equal_values(*sides)
        if is_equal is False:
            return False
        num_equal += is_equal is True
    return num_equal >= MIN_POINTS


def _is_real_throughout(expression: Any) -> bool:
    """Return True unless a root or a logarithm in an expression is not real."""
    parts = expression.atoms(sympy.Pow, sympy.log, sympy.I.func)
    return all(abs(sympy.im(sympy.N(part, DIGITS))) < TOLERANCE for part in parts)


def _have_equal_values(expected: Any, stated: Any) -> bool | None:
    """Compare two numbers relatively; None if they cannot be computed."""
    values = [sympy.N(side.doit(), DIGITS) for side in (expected, stated)]
    if not all(value.is_number and value.is_finite for value in values):
        return None
    if not all(
        isinstance(part, sympy.Float | sympy.Integer) for value in values for part in value.as_real_imag()
    ):
        return None
    difference, scale = abs(values[0] - values[1]), max(map(abs, values))
    if difference <= TOLERANCE * scale:
        return True
    # A sum of exact terms that is zero is computed to a small remainder.
    return bool(difference <= TOLERANCE**4 and min(map(abs, values)) == 0)


def _build(code: str, *_: Any) -> Any:
    """Build a single number or symbol. This function replaces the ``eval`` of SymPy's parser.

    SymPy converts even the text of a number to Python code; any other code is refused.
    """
    match = _LEAF.fullmatch(code)
    if match is None:
        raise ValueError(f"text is not evaluated as code, got {code!a:.80}")
    return sympy.E if match["kind"] is None else getattr(sympy, match["kind"])(match["text"])


# The code that SymPy's parser writes for "12", "1.5", "x" and "E".
_LEAF = re.compile(r"(?:(?P<kind>Integer|Float|Symbol) ?\('?(?P<text>[\w.]+)'? ?\)|E) ?")
sympy_parser.eval_expr = _build
logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that its own timeouts are switched off
