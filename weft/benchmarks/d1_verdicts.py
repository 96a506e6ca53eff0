"""The verdicts of d1's own scoring code on the generations that d1 published.

``d1_verdicts.csv`` lists files of eval/eval_baselines of dllm-reasoning/d1 @ 837888f. For each answer of a
file, in file order, it has a digit: the number of units (cells of a Sudoku, otherwise 1) that
eval/parse_and_get_acc.py of the same commit counts as right. A file is found by its content.
"""

import csv
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

from weft.records import ScoredExample

AGREEMENT = "equals_d1"
"""Name of the detail of a score that says whether d1's own code counts the same units as right."""


def compare_with_d1(
    scores: Iterable[ScoredExample], sha256: str, *, num_scores: int
) -> Iterator[ScoredExample]:
    """Add to each score whether d1's own code gives the same verdict.

    Args:
        scores: scores of all answers of a generation file under d1 scoring, in file order.
        sha256: SHA-256 of the file.
        num_scores: number of the answers of the file.

    Yields:
        The scores; they are unchanged if d1's verdicts on the file are not known.
    """
    units = _load_units().get(sha256, "")
    if len(units) != num_scores:
        yield from scores
        return
    for score, right in zip(scores, units, strict=True):
        agrees = round(score.credit * score.weight) == int(right)
        yield score.model_copy(update={"details": score.details | {AGREEMENT: agrees}})


@cache
def _load_units() -> dict[str, str]:
    """Return the right units of the answers in each file, by the SHA-256 of the file."""
    with resources.files("weft.benchmarks").joinpath("d1_verdicts.csv").open(encoding="utf-8") as file:
        return {row["sha256"]: row["right_units"] for row in csv.DictReader(file)}
