r"""Countdown: reach a target with three numbers, each used exactly once.

    question   Numbers: [3, 7, 2]
               Target: 19
    working    3*7=21, 21-2=19
    answer     \boxed{3*7-2}

The question has d1's form.  Where several solutions exist the first in a fixed order is worked out,
so that equal questions have equal solutions.
"""

import itertools
import random
from functools import cache

from weft.data.tasks.problem import Problem, canonical

OPERATIONS = ("+", "-", "*")


def propose(rng: random.Random, *, largest: int = 9, largest_target: int = 30) -> Problem:
    """Make one solvable problem with numbers and target from 1 up to the given limits."""
    while True:
        numbers = tuple(rng.randint(1, largest) for _ in range(3))
        targets = [t for t in solutions(tuple(sorted(numbers))) if 1 <= t <= largest_target]
        if targets:
            break
    target = rng.choice(targets)
    working, expression = solutions(tuple(sorted(numbers)))[target]
    return Problem(
        benchmark="countdown",
        key=canonical([sorted(numbers), target]),
        question=f"Numbers: {list(numbers)}\nTarget: {target}",
        reference=[list(numbers), target],
        working=working,
        answer=rf"\boxed{{{expression}}}",
    )


@cache
def solutions(numbers: tuple[int, ...]) -> dict[int, tuple[str, str]]:
    """Map every whole value reachable from three numbers to its first (working, expression)."""
    found: dict[int, tuple[str, str]] = {}
    for (a, b, c), first, second in itertools.product(
        sorted(set(itertools.permutations(numbers)), reverse=True), OPERATIONS, OPERATIONS
    ):
        middle = _apply(first, a, b)
        for left_first in (True, False):
            # a-b is kept only where it stays positive: intermediate results are natural numbers.
            value = _apply(second, middle, c) if left_first else _apply(second, c, middle)
            if min(middle, value) < 1 or (not left_first and second != "-"):
                continue
            inner = f"{a}{first}{b}"
            closed = f"({inner})" if _needs_brackets(first, second, left_first) else inner
            step = f"{middle}{second}{c}" if left_first else f"{c}{second}{middle}"
            expression = f"{closed}{second}{c}" if left_first else f"{c}{second}{closed}"
            found.setdefault(value, (f"{inner}={middle}, {step}={value}", expression))
    return dict(sorted(found.items()))


def _apply(operation: str, left: int, right: int) -> int:
    return {"+": left + right, "-": left - right, "*": left * right}[operation]


def _needs_brackets(first: str, second: str, left_first: bool) -> bool:
    if second == "*":
        return first != "*"
    return not left_first and first != "*"
