r"""Linear equations, with answers in the form of the MATH data set.

    question    Solve for x: 3x + 4 = 19
    rationale   3x=19-4=15, 15/3
    answer      \boxed{5}

Answers may be negative numbers and fractions.
"""

import random
from fractions import Fraction

from weft.data.tasks.problem import Problem, canonical

LARGEST = 9
"""Largest absolute value of the coefficients a and b."""
FRACTION_SHARE = 0.2
"""Share of the equations with a solution that is not a whole number."""


def sample_problem(rng: random.Random) -> Problem:
    """Sample an equation ax + b = c."""
    wants_fraction = rng.random() < FRACTION_SHARE
    while True:
        a = rng.randint(2, LARGEST)
        b = rng.choice([-1, 1]) * rng.randint(1, LARGEST)
        right = rng.randint(-LARGEST, 2 * LARGEST) if wants_fraction else a * rng.randint(-LARGEST, LARGEST)
        value = Fraction(right, a)
        if wants_fraction == (value.denominator > 1) and abs(right + b) <= 6 * LARGEST:
            break
    c = right + b
    sign, back = ("+", "-") if b > 0 else ("-", "+")
    return Problem(
        benchmark="math500",
        key=canonical([a, b, c]),
        question=f"Solve for x: {a}x {sign} {abs(b)} = {c}",
        reference=to_latex(value),
        rationale=f"{a}x={c}{back}{abs(b)}={right}, {right}/{a}",
        answer=rf"\boxed{{{to_latex(value)}}}",
    )


def to_latex(value: Fraction) -> str:
    """Format a number as in MATH: a fraction in lowest terms with the sign in front, or a whole number."""
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
