"""Scores of single answers.

A benchmark's accuracy is pooled over units: sum(credit * weight) / sum(weight). Every example is a unit,
except for Sudoku scored as in d1, where every empty cell of the puzzle is a unit.
"""

from enum import StrEnum

from pydantic import Field, model_validator

from weft.records.base import MAX_COUNT, Count, Record

MAX_SHOWN_CHARACTERS = 1000
"""Length to which the extracted answer and the reason are cut in a score file."""
TIMED_OUT = "timed out"
"""Beginning of the reason of an answer that is unscorable because a comparison took too long."""


class Verdict(StrEnum):
    """The outcome of an example."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNSCORABLE = "unscorable"
    """The scorer itself failed or reached a limit. An answer that cannot be read is wrong instead."""


class Score(Record):
    """The score of an answer, as a scorer returns it.

    Raises:
        ValueError: the credit does not fit the verdict.
    """

    extracted: str | None
    """The answer as read from the generation; None if no answer can be read."""
    verdict: Verdict = Field(strict=False)
    """Correct if and only if the credit is 1; unscorable only if it is 0."""
    credit: float = Field(ge=0, le=1)
    """Share of the units that are right."""
    weight: int = Field(default=1, ge=0, le=MAX_COUNT)
    """Number of units that the benchmark pools over."""
    reason: str = ""
    """Why the verdict is not correct; may be empty."""
    details: dict[str, Count | bool] = Field(default={})
    """Counts beyond the verdict, by name; the scorer's docstring lists them."""

    @model_validator(mode="after")
    def _verdict_fits_credit(self) -> "Score":
        _check_verdict(self.verdict, self.credit)
        return self

    @classmethod
    def from_credit(
        cls,
        extracted: str | None,
        credit: float | bool,
        *,
        weight: int = 1,
        reason: str = "",
        details: dict[str, int | bool] | None = None,
    ) -> "Score":
        """Return a correct or wrong score; with full credit, ``reason`` is dropped."""
        is_correct = credit == 1
        return Score(
            extracted=extracted,
            verdict=Verdict.CORRECT if is_correct else Verdict.WRONG,
            credit=float(credit),
            weight=weight,
            reason="" if is_correct else reason,
            details=details or {},
        )

    @classmethod
    def unscorable(cls, extracted: str | None, *, reason: str) -> "Score":
        """Return the score of an example that the scorer cannot judge; it counts as a unit without credit."""
        return Score(extracted=extracted, verdict=Verdict.UNSCORABLE, credit=0.0, reason=reason)


class ScoredExample(Record):
    """A line of a score file: the score of an answer, with the id of its question.

    Raises:
        ValueError: the credit does not fit the verdict.
    """

    example_id: str
    """Id of the question."""
    benchmark: str
    """Name of the benchmark."""
    scoring: str = Field(alias="rules")
    """Name of the scoring: ``d1``, ``strict``, or ``custom`` for a custom benchmark; the key in the file is
    ``rules``."""
    extracted: str | None
    """The answer as read from the generation, or None; see `Score`."""
    verdict: Verdict = Field(strict=False)
    """Correct, wrong or unscorable."""
    credit: float = Field(ge=0, le=1)
    """Share of the units that are right."""
    weight: int = Field(ge=0, le=MAX_COUNT)
    """Number of units."""
    reason: str
    """Why the verdict is not correct; may be empty."""
    details: dict[str, Count | bool | None] = Field(default={})
    """Counts beyond the verdict, the ending of the answer (`weft.benchmarks.endings`), its denoising steps
    ``num_steps``, and for d1's generations ``equals_d1`` (`weft.benchmarks.d1_verdicts`)."""
    approximate: str | None = None
    """Description of approximate sampling, see `Generation`."""

    @model_validator(mode="after")
    def _verdict_fits_credit(self) -> "ScoredExample":
        _check_verdict(self.verdict, self.credit)
        return self


def _check_verdict(verdict: Verdict, credit: float) -> None:
    if (verdict is Verdict.CORRECT) != (credit == 1) or (verdict is Verdict.UNSCORABLE and credit):
        raise ValueError(f"a credit that fits the verdict, not {credit:g} for {verdict}")
