r"""The benchmarks: each scorer turns the text of an answer into a verdict.

    find_scorer("gsm8k", "d1")(r"\boxed{18}", question="...", reference=18.0).verdict  is  Verdict.CORRECT

Each benchmark has a module with two scorers. ``score_d1`` reproduces the verdicts of the paper's evaluation
code, and ``score_strict`` judges the value of the answer. Both have the arguments and the errors that
`Scorer` documents. `weft.benchmarks.generations` reads files, and `weft.benchmarks.scoring` scores them.
"""

from typing import Any, Protocol, runtime_checkable

from weft.benchmarks import countdown, gsm8k, math500, sudoku
from weft.errors import ScoringError, find_by_name
from weft.records import Score, Verdict

__all__ = ["SCORERS", "Score", "Scorer", "Verdict", "find_scorer"]


@runtime_checkable
class Scorer(Protocol):
    """A function that scores the answer to one question."""

    def __call__(self, generation: str, /, *, question: str, reference: Any) -> Score:
        """Return the score of an answer.

        Args:
            generation: the model's answer, any text, special tokens included.
            question: text of the question.
            reference: the right answer, in the form that the scorer's docstring names.

        Returns:
            The score.

        Raises:
            ScoringError: the question or the reference has another form.
        """


SCORERS: dict[str, dict[str, Scorer]] = {
    "countdown": {"d1": countdown.score_d1, "strict": countdown.score_strict},
    "gsm8k": {"d1": gsm8k.score_d1, "strict": gsm8k.score_strict},
    "math500": {"d1": math500.score_d1, "strict": math500.score_strict},
    "sudoku": {"d1": sudoku.score_d1, "strict": sudoku.score_strict},
}
"""Benchmark -> name of the scoring -> scorer."""


def find_scorer(benchmark: str, scoring: str) -> Scorer:
    """Return the scorer of a benchmark.

    Args:
        benchmark: a key of `SCORERS`.
        scoring: a key of the benchmark's entry.

    Returns:
        The scorer.

    Raises:
        ScoringError: the benchmark is unknown, or has no such scoring.
    """
    scorers = find_by_name("the benchmark", benchmark, SCORERS, error=ScoringError)
    return find_by_name(f"the rules for {benchmark}", scoring, scorers, error=ScoringError)
