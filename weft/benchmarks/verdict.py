"""What a scorer says about one generation: a verdict, a credit and the answer it read.

    Score(extracted="18.0", verdict=Verdict.CORRECT, credit=1.0)

A benchmark's accuracy is pooled over units: sum(credit * weight) / sum(weight).  One example is one
unit, except for Sudoku, whose units are the empty cells of the puzzle.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """The outcome of one example."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNSCORABLE = "unscorable"
    """The scorer itself failed or reached a limit; an answer that cannot be read is wrong instead."""


@dataclass(frozen=True, slots=True)
class Score:
    """The outcome of one example, with what led to it.

    Attributes:
        extracted: the answer as read from the generation; None if there is none to read.
        verdict: correct if and only if the credit is 1.
        credit: share of the units that are right, 0 to 1.
        weight: number of units that the benchmark pools over, at least 0.
        reason: why the verdict is not correct; may be empty.
        details: counts that go beyond the verdict, by name; the scorer's docstring says which.
    """

    extracted: str | None
    verdict: Verdict
    credit: float
    weight: int = 1
    reason: str = ""
    details: Mapping[str, int | bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a score that contradicts itself."""
        if not 0 <= self.credit <= 1 or self.weight < 0:
            raise ValueError(
                "a score needs a credit within 0..1 and a weight of at least 0, "
                f"got credit {self.credit} and weight {self.weight}; correct the scorer"
            )
        if (self.verdict is Verdict.CORRECT) != (self.credit == 1):
            raise ValueError(
                "a score is correct if and only if its credit is 1, "
                f"got verdict {self.verdict} and credit {self.credit}; correct the scorer"
            )

    @classmethod
    def from_credit(
        cls,
        extracted: str | None,
        credit: float,
        *,
        weight: int = 1,
        reason: str = "",
        details: Mapping[str, int | bool] | None = None,
    ) -> "Score":
        """Make a correct or wrong score from its credit; full credit needs no reason and keeps none."""
        verdict, why = (Verdict.CORRECT, "") if credit == 1 else (Verdict.WRONG, reason)
        return cls(extracted, verdict, credit, weight, why, details or {})

    @classmethod
    def unscorable(cls, extracted: str | None, *, reason: str) -> "Score":
        """Make the score of an example that the scorer cannot judge; it counts as one unit without credit."""
        return cls(extracted, Verdict.UNSCORABLE, 0.0, reason=reason)
