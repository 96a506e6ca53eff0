r"""Countdown problems: reach a target with three numbers, each used exactly once.

    question    Numbers: [3, 7, 2]
                Target: 19
    rationale   3*7=21, 21-2=19
    answer      \boxed{3*7-2}

The question has the form of d1's test file. If a problem has several solutions, the first in a fixed
order is used, so that equal questions have equal answers.
"""

import itertools
import random
from functools import cache
from typing import NamedTuple

from weft.data.tasks.problem import Problem, canonical

OPERATIONS = ("+", "-", "*")


class Solution(NamedTuple):
    """A way to reach a value: the steps, and the whole expression."""

    rationale: str
    expression: str


def sample_problem(rng: random.Random) -> Problem:
    """Sample a problem with numbers from 1 to 9 and a target from 1 to 30 that has a solution."""
    while True:
        numbers = [rng.randint(1, 9) for _ in range(3)]
        solutions = find_solutions(tuple(sorted(numbers)))
        targets = [target for target in solutions if target <= 30]
        if targets:
            break
    target = rng.choice(targets)
    return Problem(
        benchmark="countdown",
        key=canonical([sorted(numbers), target]),
        question=f"Numbers: {numbers}\nTarget: {target}",
        reference=[numbers, target],
        rationale=solutions[target].rationale,
        answer=rf"\boxed{{{solutions[target].expression}}}",
    )


@cache
def find_solutions(numbers: tuple[int, ...]) -> dict[int, Solution]:
    """Return a mapping from each value that three sorted numbers can reach to its first solution.

    Values and intermediate results are at least 1.
    """
    solutions: dict[int, Solution] = {}
    for (a, b, c), first, second in itertools.product(
        sorted(set(itertools.permutations(numbers)), reverse=True), OPERATIONS, OPERATIONS
    ):
        intermediate = _apply(first, a, b)
        for left_first in (True, False):
            value = _apply(second, intermediate, c) if left_first else _apply(second, c, intermediate)
            if min(intermediate, value) < 1 or (not left_first and second != "-"):
                continue
            inner = f"{a}{first}{b}"
            closed = f"({inner})" if _needs_brackets(first, second, left_first) else inner
            step = f"{intermediate}{second}{c}" if left_first else f"{c}{second}{intermediate}"
            expression = f"{closed}{second}{c}" if left_first else f"{c}{second}{closed}"
            solution = Solution(f"{inner}={intermediate}, {step}={value}", expression)
            solutions.setdefault(value, solution)
    return dict(sorted(solutions.items()))


def _apply(operation: str, left: int, right: int) -> int:
    return {"+": left + right, "-": left - right, "*": left * right}[operation]


def _needs_brackets(first: str, second: str, left_first: bool) -> bool:
    return first != "*" and (second == "*" or not left_first)
