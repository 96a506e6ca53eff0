r"""Word problems about a number of things that changes several times, in the form of GSM8K.

    question    Tom has 5 pens, finds 4, doubles, loses 3. How many?
    rationale   5+4=9
                9*2=18
                18-3=15
    answer      \boxed{15}

The problems of fine-tuning and of the test sets have three changes. The reference is a number, as in d1's
stored generations.
"""

import random
from dataclasses import dataclass

from weft.data.tasks.arithmetic import LARGEST_OPERAND, LARGEST_VALUE, Operation, calculate, write_step
from weft.data.tasks.problem import Problem, canonical

NUM_STEPS = 3
"""Number of changes in a problem of fine-tuning and of the test sets."""

NAMES = ("Tom", "Ana", "Ben", "Eva", "Max", "Mia", "Leo", "Zoe")
THINGS = ("pens", "books", "coins", "cards", "eggs", "shells")
VERBS = {"+": ("buys", "finds", "gets"), "-": ("loses", "sells", "eats")}
FACTORS = {"doubles": 2, "triples": 3}


@dataclass(frozen=True)
class Change:
    """One change of the number of things: its verb in the question, the operation and the operand."""

    verb: str
    operation: Operation
    operand: int

    @property
    def text(self) -> str:
        """The change in the words of the question."""
        return self.verb if self.operation == "*" else f"{self.verb} {self.operand}"


def sample_problem(rng: random.Random, num_steps: int = NUM_STEPS) -> Problem:
    """Sample a word problem whose numbers of things are all between 1 and `LARGEST_VALUE`."""
    while True:
        start = rng.randint(2, 20)
        changes = [_sample_change(rng) for _ in range(num_steps)]
        values = [start]
        for change in changes:
            values.append(calculate(values[-1], change.operation, change.operand))
        if all(1 <= value <= LARGEST_VALUE for value in values):
            break
    steps = zip(values, changes, strict=False)  # the last value is the answer
    text = ", ".join(change.text for change in changes)
    return Problem(
        benchmark="gsm8k",
        key=canonical([start, *([change.operation, change.operand] for change in changes)]),
        unordered_key=canonical(
            ["sorted", sorted([("+", start), *((c.operation, c.operand) for c in changes)]), values[-1]]
        ),
        question=f"{rng.choice(NAMES)} has {start} {rng.choice(THINGS)}, {text}. How many?",
        reference=float(values[-1]),
        rationale="\n".join(write_step(value, c.operation, c.operand) for value, c in steps),
        answer=rf"\boxed{{{values[-1]}}}",
    )


def _sample_change(rng: random.Random) -> Change:
    operation = rng.choices("+-*", weights=(4, 4, 2))[0]
    if operation == "*":
        verb = rng.choice(list(FACTORS))
        return Change(verb, operation, FACTORS[verb])
    return Change(rng.choice(VERBS[operation]), operation, rng.randint(2, LARGEST_OPERAND))
