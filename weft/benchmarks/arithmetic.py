"""Evaluation of arithmetic expressions from untrusted text, without ``eval``.

    evaluate("(3 + 5) / -2")  returns  -4.0       evaluate_exactly("(3 + 5) / 3")  returns  Fraction(8, 3)

Python's parser turns the text into a syntax tree, in which only numbers, signs and the operators
+ - * / // ** are accepted; nothing is executed. Limits on the length of the text, the number of operators
and the size of integers bound the time and the memory that an evaluation takes.

`evaluate` follows the rules of Python, because d1 evaluates expressions with Python.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from numbers import Rational

from weft.errors import ScoringError, describe_error

Value = int | float | complex | Fraction

MAX_CHARACTERS = 100_000
"""Maximum length of an expression, in which consecutive blanks count as a single character."""
MAX_OPERATORS = 2_000
"""Maximum number of operators and signs. Python's parser reaches its own limit near 3000."""
MAX_DIGITS = 4_300
"""Maximum number of digits of a number, which is Python's own limit for parsing an integer."""
MAX_INTEGER_BITS = 100_000
"""Maximum size of an integer; without this limit, 9**9**9 would take minutes."""

_BLANKS = re.compile(r"[ \t\f\r\n]+")
_FOREIGN = re.compile(r"[^0-9.+\-*/() \n]")
_OPERATOR = re.compile(r"\*\*|//|[-+*/]")
_LONG_NUMBER = re.compile(rf"[0-9.]{{{MAX_DIGITS + 1}}}")
_OPERATIONS: Mapping[type[ast.operator], Callable[..., Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}


class ExpressionError(ScoringError):
    """The text is not an arithmetic expression that has a value."""


class ExpressionLimitError(ScoringError):
    """The expression may have a value, but it would take too long to compute."""


def evaluate(expression: str) -> Value:
    """Compute the value of an arithmetic expression as Python does.

    Args:
        expression: text of any length and content.

    Returns:
        An int, a float or, for roots of negative numbers, a complex number.

    Raises:
        ExpressionError: the text is not such an expression, or has no value, such as 3 / 0.
        ExpressionLimitError: an intermediate integer has more than MAX_INTEGER_BITS bits.
    """
    return _compute(_parse(expression), read_number=lambda number: number)


def evaluate_exactly(expression: str) -> Fraction:
    """Compute the exact value of an expression of integers, + - * /, signs and round brackets.

    Args:
        expression: text of any length and content.

    Returns:
        The value.

    Raises:
        ExpressionError: the text is not such an expression, or divides by zero.
        ExpressionLimitError: an intermediate numerator or denominator has more than MAX_INTEGER_BITS bits.
    """
    nodes = _parse(expression)
    for node in nodes:
        match node:
            case ast.Constant(value=float()) | ast.BinOp(op=ast.FloorDiv() | ast.Pow()):
                raise ExpressionError("an exact expression must consist of integers and + - * / ( )")
    value = _compute(nodes, read_number=Fraction)
    assert isinstance(value, Fraction), "all operands are fractions"
    return value


def _parse(expression: str) -> list[ast.expr]:
    """Return the nodes of an expression in order of evaluation: operands before their operator."""
    text = _BLANKS.sub(lambda run: "\n" if "\n" in run[0] or "\r" in run[0] else " ", expression).strip(" \n")
    foreign = _FOREIGN.search(text)
    if foreign:
        raise ExpressionError(f"an expression must consist of numbers and + - * / ( ), got {foreign[0]!a}")
    if (
        len(text) > MAX_CHARACTERS
        or len(_OPERATOR.findall(text)) > MAX_OPERATORS
        or _LONG_NUMBER.search(text)
    ):
        raise ExpressionError(
            f"an expression must have at most {MAX_CHARACTERS} characters, {MAX_OPERATORS} operators and "
            f"{MAX_DIGITS} digits in a number, got more"
        )
    try:
        root = ast.parse(text, mode="eval").body
    except (SyntaxError, MemoryError, RecursionError) as error:
        problem = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        raise ExpressionError(f"an expression must be well-formed, got {text!a:.80}: {problem}") from error
    return _list_nodes(root)


def _list_nodes(root: ast.expr) -> list[ast.expr]:
    """List the nodes of a syntax tree without recursion; each node comes after its operands."""
    nodes: list[ast.expr] = []
    pending = [root]
    while pending:
        node = pending.pop()
        match node:
            case ast.Constant(value=int() | float()):
                pass
            case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
                pending.append(operand)
            case ast.BinOp(left=left, right=right):
                pending += [left, right]
            case _:
                kind = type(node).__name__.lower()
                raise ExpressionError(f"numbers and operators must alternate, got {kind}")
        nodes.append(node)
    return nodes[::-1]


def _compute(nodes: list[ast.expr], *, read_number: Callable[[int | float], Value]) -> Value:
    """Compute the value of the last node."""
    values: list[Value] = []
    try:
        for node in nodes:
            match node:
                case ast.Constant(value=int() | float() as number):
                    values.append(read_number(number))
                case ast.UnaryOp(op=sign):
                    values[-1] = -values[-1] if isinstance(sign, ast.USub) else +values[-1]
                case ast.BinOp(op=operation):
                    right, left = values.pop(), values.pop()
                    values.append(_apply(operation, left, right))
    except (ArithmeticError, TypeError) as error:
        raise ExpressionError(f"an expression must have a value, got {describe_error(error)}") from error
    return values.pop()


def _apply(operation: ast.operator, left: Value, right: Value) -> Value:
    """Apply an operator, or raise an error if the result exceeds the limit on integers."""
    # A power may be too large to compute, so its size is estimated first.
    is_huge = isinstance(operation, ast.Pow) and _estimate_power_bits(left, right) > MAX_INTEGER_BITS
    value = left if is_huge else _OPERATIONS[type(operation)](left, right)
    if isinstance(value, Rational):
        is_huge |= max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_INTEGER_BITS
    if is_huge:
        raise ExpressionLimitError(f"an integer may have {MAX_INTEGER_BITS} bits, got more")
    return value


def _estimate_power_bits(base: Value, exponent: Value) -> int:
    """Return an upper bound for the number of bits of an integer power; 0 if the power cannot be large."""
    if not isinstance(base, int) or not isinstance(exponent, int) or abs(base) <= 1:
        return 0
    return base.bit_length() * exponent
