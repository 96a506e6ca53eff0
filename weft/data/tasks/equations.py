r"""Linear equations with whole solutions, in the form of the MATH data set.

    question    Solve 7x+5=4x+29
    rationale   29-5=24
                7-4=3
                24/3=8
    answer      \boxed{8}

The equations of fine-tuning and of the test sets have x on both sides and are solved in three steps.
"""

import random
from collections.abc import Sequence

from weft.data.tasks.arithmetic import LARGEST_OPERAND, LARGEST_VALUE, write_step
from weft.data.tasks.problem import Problem, canonical

LARGEST_FACTOR = 6
"""Largest coefficient of x after the terms with x are collected."""


def sample_problem(rng: random.Random) -> Problem:
    """Sample an equation ax+b=dx+c with a > d."""
    factor, solution = _sample_solution(rng)
    moved = rng.randint(1, LARGEST_FACTOR)
    constant, right = _sample_constants(rng, factor * solution)
    steps = [
        _subtract(right, constant),
        write_step(factor + moved, "-", moved),
        write_step(factor * solution, "/", factor),
    ]
    left = f"{factor + moved}x{constant:+d}"
    return _problem([factor + moved, constant, moved, right], f"{left}={moved}x{right:+d}", steps, solution)


def sample_one_step(rng: random.Random) -> Problem:
    """Sample an equation ax=c."""
    factor, solution = _sample_solution(rng)
    value = factor * solution
    return _problem([factor, value], f"{factor}x={value}", [write_step(value, "/", factor)], solution)


def sample_two_steps(rng: random.Random) -> Problem:
    """Sample an equation ax=dx+c with a > d."""
    factor, solution = _sample_solution(rng)
    moved, value = rng.randint(1, LARGEST_FACTOR), factor * solution
    steps = [write_step(factor + moved, "-", moved), write_step(value, "/", factor)]
    question = f"{factor + moved}x={moved}x+{value}"
    return _problem([question], question, steps, solution)


def _sample_solution(rng: random.Random) -> tuple[int, int]:
    factor = rng.randint(2, LARGEST_FACTOR)
    return factor, rng.randint(1, LARGEST_VALUE // factor)


def _sample_constants(rng: random.Random, value: int) -> tuple[int, int]:
    """Return b and c such that c - b is the value and c is between 1 and the largest operand of -."""
    while True:
        constant = rng.choice((-1, 1)) * rng.randint(1, LARGEST_OPERAND)
        if 1 <= value + constant <= LARGEST_VALUE + LARGEST_OPERAND:
            return constant, value + constant


def _subtract(right: int, constant: int) -> str:
    return write_step(right, "-" if constant > 0 else "+", abs(constant))


def _problem(key: Sequence[int | str], equation: str, steps: list[str], solution: int) -> Problem:
    return Problem(
        benchmark="math500",
        key=canonical(key),
        question=f"Solve {equation}",
        reference=str(solution),
        rationale="\n".join(steps),
        answer=rf"\boxed{{{solution}}}",
    )
