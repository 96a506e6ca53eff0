r"""Countdown problems: reach a target with four numbers in the given order.

    question    Numbers: [3, 7, 5, 2]
                Target: 28
    rationale   28-2=26
                26-5=21
                3*7=21
    answer      \boxed{3*7+5+2}

The first two numbers are added, or multiplied if the first has one digit, or subtracted if it has two; the
other numbers are added. The rationale computes backwards what the first two numbers must give. The question
has the form of d1's test file. If two operations give the same, the solution is the sum, so that equal
questions have equal answers.

In the problems of fine-tuning and of the test sets, each of the two operations is possible between the first
two numbers and each is equally frequent, so that the numbers do not tell which one reaches the target.
"""

import itertools
import random

from weft.data.tasks.arithmetic import LARGEST_OPERAND, LARGEST_VALUE, Operation, calculate, write_step
from weft.data.tasks.problem import Problem, canonical

NUM_NUMBERS = 4
"""Numbers in a problem of fine-tuning and of the test sets."""


def sample_problem(rng: random.Random, num_numbers: int = NUM_NUMBERS) -> Problem:
    """Sample a problem in which all numbers but the first have one digit."""
    while True:
        first, second, operation = _sample_pair(rng)
        others = [rng.randint(1, LARGEST_OPERAND) for _ in range(num_numbers - 2)]
        if _is_possible(first, operation, second, others):
            return _make_problem(first, operation, second, others)


def sample_balanced_problem(rng: random.Random) -> Problem:
    """Sample a problem with the same numbers as a problem with another operation and another target."""
    while True:
        problem = sample_problem(rng)
        (first, second, *others), _ = problem.reference
        results = {
            calculate(first, operation, second)
            for operation in _list_operations(first)
            if _is_possible(first, operation, second, others)
        }
        if len(results) > 1:
            return problem


def _is_possible(first: int, operation: Operation, second: int, others: list[int]) -> bool:
    """Return whether no number but the target is larger than `LARGEST_VALUE`."""
    sums = itertools.accumulate(others, initial=calculate(first, operation, second))
    return all(value <= LARGEST_VALUE for value in [*sums][: max(1, len(others))])


def _make_problem(first: int, operation: Operation, second: int, others: list[int]) -> Problem:
    rests = list(itertools.accumulate(others, initial=calculate(first, operation, second)))
    backwards = zip(reversed(rests[1:]), reversed(others), strict=True)
    steps = [write_step(rest, "-", number) for rest, number in backwards]
    steps.append(write_step(first, operation, second))
    target = rests[-1]
    numbers = [first, second, *others]
    solution = f"{first}{operation}" + "+".join(map(str, numbers[1:]))
    return Problem(
        benchmark="countdown",
        key=canonical([numbers, target]),
        unordered_key=canonical(["sorted", sorted(numbers), target]),
        question=f"Numbers: {numbers}\nTarget: {target}",
        reference=[numbers, target],
        rationale="\n".join(steps),
        answer=rf"\boxed{{{solution}}}",
    )


def _list_operations(first: int) -> str:
    return "+*" if first <= LARGEST_OPERAND else "+-"


def _sample_pair(rng: random.Random) -> tuple[int, int, Operation]:
    """Return two numbers and the operation between them."""
    while True:
        first, second = rng.randint(1, LARGEST_VALUE), rng.randint(1, LARGEST_OPERAND)
        operation = rng.choice(_list_operations(first))
        result = calculate(first, operation, second)
        if result <= LARGEST_VALUE:
            return first, second, "+" if result == first + second else operation
