r"""Linear equations whose answers have the form of the MATH data set.

    question    Solve for x: 3x + 4 = 19
    rationale   3x=19-4=15, 15/3
    answer      \boxed{5}

Answers may be negative numbers and fractions.
"""

import random
from fractions import Fraction

from weft.data.tasks.problem import Problem, canonical


def sample_problem(rng: random.Random, *, largest: int = 9, fraction_share: float = 0.2) -> Problem:
    """Sample an equation ax + b = c, where the given share of the solutions are not whole numbers.

    The absolute values of a and b are at most ``largest``.
    """
    wants_fraction = rng.random() < fraction_share
    while True:
        a = rng.randint(2, largest)
        b = rng.choice([-1, 1]) * rng.randint(1, largest)
        right = rng.randint(-largest, 2 * largest) if wants_fraction else a * rng.randint(-largest, largest)
        value = Fraction(right, a)
        if wants_fraction == (value.denominator > 1) and abs(right + b) <= 6 * largest:
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
    """Return a fraction as in MATH: in lowest terms, the sign in front, whole numbers plain."""
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
