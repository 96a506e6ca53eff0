r"""Countdown problems: reach a target with three numbers in the given order.

    question    Numbers: [3, 7, 2]
                Target: 23
    rationale   23-2=21
                3+7=10
                3*7=21
    answer      \boxed{3*7+2}

The first two numbers are added, or multiplied if the first has one digit, or subtracted if it has two; the
third number is added to the result. The rationale computes what the first two numbers must give, and what
they can give. The question has the form of d1's test file. If both give the same, the solution is the sum,
so that equal questions have equal answers.
"""

import random

from weft.data.tasks.arithmetic import LARGEST_OPERAND, LARGEST_VALUE, calculate, write_step
from weft.data.tasks.problem import Problem, canonical


def sample_problem(rng: random.Random) -> Problem:
    """Sample a problem with three numbers, of which the last two have one digit."""
    a, b, value, operation = _sample_pair(rng)
    c = rng.randint(1, LARGEST_OPERAND)
    steps = [write_step(value + c, "-", c), *(write_step(a, sign, b) for sign in _operations(a))]
    return _problem([a, b, c], value + c, steps, f"{a}{operation}{b}+{c}")


def sample_two_numbers(rng: random.Random) -> Problem:
    """Sample a problem with the first two numbers only."""
    a, b, value, operation = _sample_pair(rng)
    steps = [write_step(a, sign, b) for sign in _operations(a)]
    return _problem([a, b], value, steps, f"{a}{operation}{b}")


def _operations(first: int) -> tuple[str, str]:
    """Return the operations that are tried with a first number, in the order of the rationale."""
    return ("+", "*") if first <= LARGEST_OPERAND else ("+", "-")


def _sample_pair(rng: random.Random) -> tuple[int, int, int, str]:
    """Return two numbers, what they give, and the operation."""
    while True:
        a, b = rng.randint(1, LARGEST_VALUE), rng.randint(1, LARGEST_OPERAND)
        operation = rng.choice(_operations(a))
        value = calculate(a, operation, b)
        if value <= LARGEST_VALUE:
            return a, b, value, "+" if a + b == value else operation


def _problem(numbers: list[int], target: int, steps: list[str], solution: str) -> Problem:
    return Problem(
        benchmark="countdown",
        key=canonical([numbers, target]),
        question=f"Numbers: {numbers}\nTarget: {target}",
        reference=[numbers, target],
        rationale="\n".join(steps),
        answer=rf"\boxed{{{solution}}}",
    )
