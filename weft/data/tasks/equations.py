r"""Linear equations with whole solutions, in the form of the MATH data set.

    question    Solve 3(x+2)-4=14
    rationale   14+4=18
                18/3=6
                6-2=4
    answer      \boxed{4}

The equations of fine-tuning and of the test sets have the form a(x+b)+c=d or (x+b)/a+c=d; b and c may also
be subtracted. They are solved in three steps, each of which continues with the result of the step before it.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from weft.data.tasks.arithmetic import (
    DIVISORS,
    INVERSE,
    LARGEST_OPERAND,
    LARGEST_VALUE,
    Operation,
    calculate,
    is_step,
    write_step,
)
from weft.data.tasks.problem import Problem, canonical


@dataclass(frozen=True)
class Action:
    """One operation of the left side of an equation, with its right operand."""

    operation: Operation
    operand: int

    def write(self, term: str) -> str:
        """Return the operation on a term, such as ``3(x+2)`` for a multiplication of ``x+2`` by 3."""
        if self.operation in "+-":
            return f"{term}{self.operation}{self.operand}"
        term = term if term == "x" else f"({term})"
        return f"{self.operand}{term}" if self.operation == "*" else f"{term}/{self.operand}"


def sample_problem(rng: random.Random) -> Problem:
    """Sample an equation a(x+b)+c=d or (x+b)/a+c=d."""
    return _sample(rng, _sample_sum, _sample_product, _sample_sum)


def sample_two_steps(rng: random.Random) -> Problem:
    """Sample an equation a(x+b)=c, (x+b)/a=c, ax+b=c or x/a+b=c."""
    kinds = [_sample_sum, _sample_product]
    rng.shuffle(kinds)
    return _sample(rng, *kinds)


def sample_one_step(rng: random.Random) -> Problem:
    """Sample an equation x+b=c, ax=c or x/a=c."""
    return _sample(rng, rng.choice((_sample_sum, _sample_product)))


def _sample_sum(rng: random.Random) -> Action:
    return Action(rng.choice("+-"), rng.randint(1, LARGEST_OPERAND))


def _sample_product(rng: random.Random) -> Action:
    return Action(rng.choice("*/"), rng.choice(DIVISORS))


def _sample(rng: random.Random, *kinds: Callable[[random.Random], Action]) -> Problem:
    """Sample an equation with an action of each kind, the innermost first."""
    while True:
        actions = [sample_action(rng) for sample_action in kinds]
        solution = rng.randint(1, LARGEST_VALUE)
        values = _list_values(solution, actions)
        steps = list(zip(values[1:], actions, strict=False))[::-1]
        if len(steps) == len(actions) and all(
            is_step(value, INVERSE[action.operation], action.operand) for value, action in steps
        ):
            break
    left = "x"
    for action in actions:
        left = action.write(left)
    key = canonical([left, values[-1]])
    return Problem(
        benchmark="math500",
        key=key,
        unordered_key=key,  # no two numbers of these equations can be exchanged
        question=f"Solve {left}={values[-1]}",
        reference=str(solution),
        rationale="\n".join(write_step(value, INVERSE[a.operation], a.operand) for value, a in steps),
        answer=rf"\boxed{{{solution}}}",
    )


def _list_values(solution: int, actions: list[Action]) -> list[int]:
    """Return the solution and the results of the actions, up to the first division that is not exact."""
    values = [solution]
    for action in actions:
        if action.operation == "/" and values[-1] % action.operand:
            break
        values.append(calculate(values[-1], action.operation, action.operand))
    return values
