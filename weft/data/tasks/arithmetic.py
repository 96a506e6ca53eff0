"""Arithmetic operations on small whole numbers, the single steps of all generated problems.

A step is a line such as ``12+5=17``. The left operand has at most two digits and the right operand one, so
that there are about 700 different steps, which a small network can learn by heart.
"""

import random

LARGEST_VALUE = 30
"""Largest left operand of + and *, and largest result of - and *."""
LARGEST_OPERAND = 9
"""Largest right operand."""

Operation = str
"""One of ``+``, ``-``, ``*`` and ``/``."""

DIVISORS = range(2, 7)
"""Right operands of /."""
FACTORS = (2, 3)
"""Right operands of * with left operands of two digits."""
INVERSE = {"+": "-", "-": "+", "*": "/", "/": "*"}
"""Operation -> its inverse."""

OPERATION_WEIGHTS = {"+": 4, "-": 4, "*": 3, "/": 2}
"""Frequency of the operations among random steps."""


def calculate(left: int, operation: Operation, right: int) -> int:
    """Return the result of an operation; a division must be exact."""
    if operation == "/":
        quotient, remainder = divmod(left, right)
        if remainder:
            raise ValueError(f"the division must be exact, got {left}/{right}")
        return quotient
    return {"+": left + right, "-": left - right, "*": left * right}[operation]


def write_step(left: int, operation: Operation, right: int) -> str:
    """Return an operation with its result, such as ``12+5=17``."""
    return f"{left}{operation}{right}={calculate(left, operation, right)}"


def split_step(step: str) -> tuple[int, Operation, int]:
    """Return left operand, operation and right operand of a step."""
    expression = step.partition("=")[0]
    operation = next(sign for sign in INVERSE if sign in expression)
    left, _, right = expression.partition(operation)
    return int(left), operation, int(right)


def write_check(step: str) -> str:
    """Return a step that checks a step, such as ``17-5=12`` for ``12+5=17``.

    The check is the inverse operation. If this would be a division that is not among the steps of
    `sample_step`, it is the product with its operands exchanged.
    """
    left, operation, right = split_step(step)
    result = calculate(left, operation, right)
    if operation == "*" and not is_step(result, "/", right):
        return write_step(right, "*", left)
    return write_step(result, INVERSE[operation], right)


def is_step(left: int, operation: Operation, right: int) -> bool:
    """Return whether an operation is among the steps of `sample_step`."""
    if not (left >= 1 and 1 <= right <= LARGEST_OPERAND):
        return False
    if operation == "+":
        return left <= LARGEST_VALUE
    if operation == "-":
        return right < left <= LARGEST_VALUE + LARGEST_OPERAND
    if operation == "/":
        return right in DIVISORS and left <= LARGEST_VALUE and left % right == 0
    return left <= LARGEST_OPERAND or (right in FACTORS and left * right <= LARGEST_VALUE)


def sample_step(rng: random.Random) -> str:
    """Return a random step with a result of at least 1."""
    operation = rng.choices(list(OPERATION_WEIGHTS), weights=list(OPERATION_WEIGHTS.values()))[0]
    left, right = _sample_operands(rng, operation)
    return write_step(left, operation, right)


def _sample_operands(rng: random.Random, operation: Operation) -> tuple[int, int]:
    if operation == "+":
        return rng.randint(1, LARGEST_VALUE), rng.randint(1, LARGEST_OPERAND)
    if operation == "-":
        right = rng.randint(1, LARGEST_OPERAND)
        return rng.randint(right + 1, LARGEST_VALUE + LARGEST_OPERAND), right
    if operation == "/":
        divisor = rng.choice(DIVISORS)
        return divisor * rng.randint(1, LARGEST_VALUE // divisor), divisor
    if rng.random() < 0.3:  # doubling and tripling
        factor = rng.choice(FACTORS)
        return rng.randint(1, LARGEST_VALUE // factor), factor
    return rng.randint(1, LARGEST_OPERAND), rng.randint(1, LARGEST_OPERAND)
