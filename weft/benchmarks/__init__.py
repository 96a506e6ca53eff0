r"""The benchmarks: text in, verdict out.

    score_generation("gsm8k", "d1", r"\boxed{18}", question="…", reference=18.0).verdict  is  correct

Each benchmark has one module, and in it one function per set of rules.  The rules `d1` are those by
which the paper's numbers were made; a further set is a further key in `SCORERS`.  Reading generations
and scoring whole files is left to the modules `generations` and `scoring`.
"""

from collections.abc import Callable
from typing import Any

from weft.benchmarks import countdown, gsm8k, math500, sudoku
from weft.benchmarks.verdict import Score, Verdict
from weft.errors import ScoringError, find_by_name

__all__ = ["SCORERS", "Score", "Verdict", "find_scorer", "score_generation"]

SCORERS: dict[str, dict[str, Callable[..., Score]]] = {
    "countdown": {"d1": countdown.score_d1, "strict": countdown.score_strict},
    "gsm8k": {"d1": gsm8k.score_d1, "strict": gsm8k.score_strict},
    "math500": {"d1": math500.score_d1, "strict": math500.score_strict},
    "sudoku": {"d1": sudoku.score_d1, "strict": sudoku.score_strict},
}


def find_scorer(benchmark: str, rules: str) -> Callable[..., Score]:
    """Look up the scorer of a benchmark.

    Args:
        benchmark: a key of `SCORERS`.
        rules: a key of the benchmark's entry.

    Returns:
        A function of generation, question and reference, see `score_generation`.

    Raises:
        ScoringError: there is no such benchmark, or it has no such rules.
    """
    by_rules = find_by_name("the benchmark", benchmark, SCORERS, error=ScoringError)
    return find_by_name(f"the rules for {benchmark}", rules, by_rules, error=ScoringError)


def score_generation(benchmark: str, rules: str, generation: str, *, question: str, reference: Any) -> Score:
    """Score one generation.

    Args:
        benchmark: a key of `SCORERS`.
        rules: a key of the benchmark's entry.
        generation: the model's answer, any text.
        question: the text of the question.
        reference: the right answer, in the form that the scorer's docstring names.

    Returns:
        The score.

    Raises:
        ScoringError: there is no such scorer, or question or reference have a foreign form.
    """
    return find_scorer(benchmark, rules)(generation, question=question, reference=reference)
