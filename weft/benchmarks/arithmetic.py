"""Evaluation of small arithmetic expressions from untrusted text, without eval.

    evaluate("(3 + 5) / -2")  gives  -4.0       evaluate_exactly("(3 + 5) / 3")  gives  Fraction(8, 3)

In the former, numbers, + - * / // **, signs and round brackets mean what they mean in Python 3.11, because d1
hands such expressions to Python.  Everything else is refused, and so is what would take long: the
expression is put into postfix order with a stack of our own (no recursion), then evaluated there.
"""

import operator
import re
from collections.abc import Callable, Iterator
from fractions import Fraction

from weft.errors import ScoringError

Value = int | float | complex

MAX_BRACKET_DEPTH = 200  # Python's own limit
MAX_OPERATORS = 2_000  # Python's compiler gives up near 3000
MAX_DIGITS = 4_300  # Python's own limit for reading an integer
MAX_INTEGER_BITS = 100_000  # ours: 9**9**9 would take minutes

_TOKEN = re.compile(
    r"(?P<number>[0-9]+\.?[0-9]*|\.[0-9]+)"
    r"|(?P<operator>\*\*|//|[-+*/()])"
    r"|(?P<newline>[\n\r][ \t\f\n\r]*)"
    r"|[ \t\f]+"
)
_BINARY: dict[str, tuple[int, Callable[[Value, Value], Value]]] = {
    "+": (1, operator.add),
    "-": (1, operator.sub),
    "*": (2, operator.mul),
    "/": (2, operator.truediv),
    "//": (2, operator.floordiv),
    "**": (4, operator.pow),
}
_EXACT: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
# A sign binds more tightly than a product and less tightly than the power to its right.
_SIGNS: dict[str, tuple[int, Callable[[Value], Value]]] = {
    "sign +": (3, operator.pos),
    "sign -": (3, operator.neg),
}
_PRECEDENCE = {symbol: rank for symbol, (rank, _) in (*_BINARY.items(), *_SIGNS.items())}


class ExpressionError(ScoringError):
    """The text is not an arithmetic expression that has a value."""


class ExpressionLimitError(ScoringError):
    """The expression may have a value, but it would take too long to find."""


def evaluate(expression: str) -> Value:
    """Compute the value of an arithmetic expression.

    Args:
        expression: text of any length and content.

    Returns:
        What Python computes: an int, a float or, for roots of negative numbers, a complex.

    Raises:
        ExpressionError: the text is not such an expression, or has no value (3 / 0).
        ExpressionLimitError: an integer on the way has more than MAX_INTEGER_BITS bits.
    """
    values: list[Value] = []
    for item in _to_postfix(expression):
        try:
            if not isinstance(item, str):
                values.append(item)
            elif item in _SIGNS:
                values.append(_SIGNS[item][1](values.pop()))
            else:
                right, left = values.pop(), values.pop()
                values.append(_apply(item, left, right))
        except (ArithmeticError, TypeError) as error:
            raise ExpressionError(f"an expression needs a value, got {type(error).__name__}") from error
    return values.pop()


def evaluate_exactly(expression: str) -> Fraction:
    """Compute the exact value of an expression of integers, + - * /, signs and round brackets.

    Args:
        expression: text of any length and content.

    Returns:
        The value.

    Raises:
        ExpressionError: the text is not such an expression, or divides by zero.
        ExpressionLimitError: a numerator or denominator has more than MAX_INTEGER_BITS bits.
    """
    values: list[Fraction] = []
    for item in _to_postfix(expression):
        if isinstance(item, int):
            values.append(Fraction(item))
        elif isinstance(item, str) and item in _SIGNS:
            values.append(-values.pop() if item == "sign -" else values.pop())
        elif isinstance(item, str) and item in _EXACT:
            right, left = values.pop(), values.pop()
            values.append(_apply_exactly(item, left, right))
        else:
            raise ExpressionError(f"an expression has integers and + - * / ( ), got {item}")
    return values.pop()


def _apply_exactly(symbol: str, left: Fraction, right: Fraction) -> Fraction:
    """Apply one of the four operators within the limit on integers."""
    if symbol == "/" and right == 0:
        raise ExpressionError("an expression needs a value, got a division by zero")
    value = _EXACT[symbol](left, right)
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_INTEGER_BITS:
        raise ExpressionLimitError(f"an integer may have {MAX_INTEGER_BITS} bits, got more from {symbol}")
    return value


def _apply(symbol: str, left: Value, right: Value) -> Value:
    """Apply a binary operator within the limit on integers."""
    # The size of a power is estimated beforehand: afterwards is too late.
    is_huge = symbol == "**" and _estimate_power_bits(left, right) > MAX_INTEGER_BITS
    value = left if is_huge else _BINARY[symbol][1](left, right)
    if is_huge or (isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS):
        raise ExpressionLimitError(f"an integer may have {MAX_INTEGER_BITS} bits, got more from {symbol}")
    return value


def _estimate_power_bits(base: Value, exponent: Value) -> int:
    """Give at least the number of bits of an integer power; 0 where the power cannot grow large."""
    if not isinstance(base, int) or not isinstance(exponent, int) or abs(base) <= 1:
        return 0
    return base.bit_length() * exponent


def _to_postfix(expression: str) -> list[Value | str]:
    """Put an expression into postfix order (Dijkstra's shunting yard)."""
    postfix: list[Value | str] = []
    pending: list[str] = []  # operators and open brackets whose right side is still to come
    num_operators = 0
    expects_operand = True
    for kind, symbol in _tokenise(expression):
        if kind == "number":
            _require(expects_operand, symbol)
            postfix.append(_read_number(symbol))
            expects_operand = False
        elif symbol == "(":
            _require(expects_operand, symbol)
            pending.append(symbol)
        elif symbol == ")":
            _require(not expects_operand, symbol)
            while pending[-1] != "(":
                postfix.append(pending.pop())
            pending.pop()
        elif expects_operand:
            _require(symbol in ("+", "-"), symbol)
            pending.append(f"sign {symbol}")
            num_operators += 1
        else:
            while pending and _binds_before(pending[-1], symbol):
                postfix.append(pending.pop())
            pending.append(symbol)
            num_operators += 1
            expects_operand = True
        if num_operators > MAX_OPERATORS:
            raise ExpressionError(f"an expression may have {MAX_OPERATORS} operators, got more")
    _require(not expects_operand, "the end")
    return postfix + pending[::-1]


def _binds_before(earlier: str, later: str) -> bool:
    """Say whether a pending operator is to be applied before the operator that was just read."""
    if earlier == "(":
        return False
    # Powers group from the right: 2**3**2 is 2**(3**2).
    is_right_grouped = later == "**"
    return _PRECEDENCE[earlier] > _PRECEDENCE[later] - (not is_right_grouped)


def _tokenise(expression: str) -> Iterator[tuple[str, str]]:
    """Yield kind and text of each token, with brackets balanced and line ends only inside brackets."""
    depth = position = 0
    while position < len(expression):
        match = _TOKEN.match(expression, position)
        if match is None:
            raise ExpressionError(f"an expression has numbers and + - * / ( ), got {expression[position]!a}")
        position = match.end()
        if match.lastgroup is None:
            continue
        symbol = match.group()
        depth += (symbol == "(") - (symbol == ")")
        if depth < 0 or depth > MAX_BRACKET_DEPTH:
            raise ExpressionError(f"brackets must match and nest at most {MAX_BRACKET_DEPTH} deep, got more")
        if match.lastgroup == "newline":
            _require(depth > 0, "a line end outside brackets")
            continue
        yield match.lastgroup, symbol
    if depth:
        raise ExpressionError(f"brackets must be closed, got {depth} open at the end")


def _read_number(token: str) -> Value:
    """Read a decimal number as Python does: no leading zeros in an integer other than 0."""
    if len(token) > MAX_DIGITS:
        raise ExpressionError(f"a number may have {MAX_DIGITS} digits, got {len(token)}")
    if "." in token:
        return float(token)
    if token.startswith("0") and token.strip("0"):
        raise ExpressionError(f"an integer must not begin with 0, got {token[:20]}")
    return int(token)


def _require(is_in_place: bool, symbol: str) -> None:
    """Refuse a symbol that stands where it cannot stand."""
    if not is_in_place:
        raise ExpressionError(f"numbers and operators must alternate, got {symbol[:20]} out of place")
