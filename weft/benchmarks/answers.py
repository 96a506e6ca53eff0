"""Score a list of answers in Python, without files."""

from collections.abc import Sequence
from typing import Any

from weft.benchmarks import Scorer, find_scorer
from weft.benchmarks.scoring import score_or_report
from weft.errors import ScoringError
from weft.records import Score

NEED_QUESTIONS = ("sudoku",)
"""Benchmarks whose scorers read the problem in the question."""


def score(
    benchmark: str | Scorer,
    answers: Sequence[str],
    references: Sequence[Any],
    rules: str = "strict",
    *,
    questions: Sequence[str] | None = None,
) -> list[Score]:
    r"""Score answers to questions of a benchmark; neither torch nor a model is needed.

    Args:
        benchmark: ``sudoku``, ``countdown``, ``gsm8k`` or ``math500``, or a function of one's own that is
            called like a `Scorer`.
        answers: text of each answer, as the model writes it; special tokens may be included.
        references: the right answer of each question: a number for ``gsm8k``, LaTeX text for ``math500``,
            ``[[numbers], target]`` for ``countdown``; the solution of the board for ``sudoku`` by the rules
            ``d1``.
        rules: ``strict`` judges the value of an answer; ``d1`` gives the verdicts of the paper's evaluation.
        questions: text of each question; required for ``sudoku``, whose puzzle is read from it.

    Returns:
        The score of each answer, with ``verdict``, ``credit``, ``extracted`` and ``reason``.

    Raises:
        ScoringError: the benchmark or the rules are unknown, the lists are not of the same length, or the
            scorer cannot use a reference or a question, which the message names by its index.
    """
    scorer = find_scorer(benchmark, rules) if isinstance(benchmark, str) else benchmark
    if questions is None:
        if benchmark in NEED_QUESTIONS:
            raise ScoringError(f"questions must be given for {benchmark}, whose puzzles are read from them")
        questions = [""] * len(answers)
    lists = {"answers": answers, "references": references, "questions": questions}
    if bare := [name for name, values in lists.items() if isinstance(values, str)]:
        raise ScoringError(f"{bare[0]} must be a list with an entry for each answer, got a single text")
    if len({len(values) for values in lists.values()}) > 1:
        sizes = ", ".join(f"{len(values)} {name}" for name, values in lists.items())
        raise ScoringError(f"answers, references and questions must be equally many, got {sizes}")
    rows = zip(answers, references, questions, strict=True)
    return [_score_row(scorer, index, *row) for index, row in enumerate(rows)]


def _score_row(scorer: Scorer, index: int, answer: str, reference: Any, question: str) -> Score:
    """Score an answer, or raise a `ScoringError` that names the index of what the scorer cannot use."""
    try:
        return score_or_report(scorer, answer, question=question, reference=reference, raises=(ScoringError,))
    except ScoringError as error:
        raise ScoringError(f"references[{index}] and questions[{index}] cannot be used: {error}") from None
