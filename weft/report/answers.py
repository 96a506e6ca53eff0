"""Count how answers end and how Sudoku boards differ from the puzzles.

List the answers that cannot be scored, and count those whose comparison took too long.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from weft.benchmarks.d1_verdicts import AGREEMENT
from weft.config import Experiment
from weft.records import TIMED_OUT, Verdict
from weft.report.results import Results
from weft.report.score_files import Floats, ScoreColumns, ScoreFile

ANSWER_COLUMNS = (
    "method", "dataset", "benchmark", "gen_length", "n", "accuracy", "mean_length", "median_length",
    "mean_steps", "num_no_end", "num_unclosed", "num_copies", "num_with_zeros", "zero_share", "right_share",
    "num_solved",
)  # fmt: skip
AGREEMENT_COLUMNS = ("benchmark", "gen_length", "n", "num_compared", "num_equal")
UNSCORABLE_COLUMNS = ("benchmark", "gen_length", "rules", "example_id", "reason")


def count_answers(experiment: Experiment, results: Results) -> pd.DataFrame:
    """Count how the answers of an experiment end, from the details in the scores of the first scoring.

    Args:
        experiment: the experiment.
        results: its results.

    Returns:
        One row per method, data set, benchmark and generation length; the runs of a method are counted
        together. The columns are

        - n: number of answers;
        - accuracy: mean of the runs' accuracies;
        - mean_length, median_length: number of tokens before the first end token;
        - mean_steps: mean number of denoising steps;
        - num_no_end: number of answers without an end token;
        - num_unclosed: number of answers without a closing answer tag;
        - num_copies: number of Sudoku boards that repeat the puzzle;
        - num_with_zeros: number of Sudoku boards in which an empty cell is left at 0;
        - zero_share: share of the empty cells that are left at 0;
        - right_share: share of the empty cells that agree with the closest valid completion;
        - num_solved: number of Sudoku boards that are a valid completion.

        A value is missing if the scorer does not report it.
    """
    groups: dict[tuple[Any, ...], list[ScoreColumns]] = {}
    for file in results.scored_by(experiment.scoring[0]):
        key = file.run.method, file.run.dataset, file.benchmark, file.gen_length
        groups.setdefault(key, []).append(file.columns)
    rows = [dict(zip(ANSWER_COLUMNS, key, strict=False)) | _count(group) for key, group in groups.items()]
    frame = pd.DataFrame(rows, columns=list(ANSWER_COLUMNS))
    frame["dataset"] = pd.Series([row["dataset"] for row in rows], dtype=object)  # None stays None
    counts = [name for name in ANSWER_COLUMNS if name == "n" or name.startswith("num_")]
    return frame.astype(dict.fromkeys(counts, "Int64"))


def count_equal_verdicts(experiment: Experiment, results: Results) -> pd.DataFrame:
    """Count the verdicts under d1 scoring that equal those of d1's own code, where these are known.

    Args:
        experiment: an experiment that scores stored generations under d1 scoring.
        results: its results.

    Returns:
        One row per benchmark and generation length, with the numbers of answers, of those whose verdict by
        d1's own code is known, and of those with equal verdicts.
    """
    rows = []
    for file in results.scored_by("d1"):
        is_equal = _values([file.columns], AGREEMENT)
        counts = len(file.columns), is_equal.size, int(is_equal.sum())
        rows.append((file.benchmark, file.gen_length, *counts))
    return pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS))


def list_unscorable(experiment: Experiment, results: Results) -> pd.DataFrame:
    """List the answers that cannot be scored, with the reasons; a row per answer and scoring."""
    rows = [
        (file.benchmark, file.gen_length, file.scoring, score.example_id, score.reason)
        for file in results.scores
        if file.columns.is_unscorable.any()
        for score in file.scores
        if score.verdict is Verdict.UNSCORABLE
    ]
    return pd.DataFrame(rows, columns=list(UNSCORABLE_COLUMNS))


def count_timed_out(results: Results) -> pd.DataFrame:
    """Count the unscorable answers whose comparison took too long.

    Args:
        results: results of an experiment.

    Returns:
        A row per score file, with the columns run, benchmark, gen_length, rules and num_timed_out.
    """
    rows = [
        (file.run.run_id, file.benchmark, file.gen_length, file.scoring, _count_timed_out(file))
        for file in results.scores
    ]
    return pd.DataFrame(rows, columns=["run", "benchmark", "gen_length", "rules", "num_timed_out"])


def _count_timed_out(file: ScoreFile) -> int:
    if not file.columns.is_unscorable.any():
        return 0  # without reading the file again
    unscorable = (score for score in file.scores if score.verdict is Verdict.UNSCORABLE)
    return sum(score.reason.startswith(TIMED_OUT) for score in unscorable)


def _count(parts: Sequence[ScoreColumns]) -> dict[str, int | float | None]:
    lengths, steps = _values(parts, "effective_length"), _values(parts, "num_steps")
    num_cells = _values(parts, "num_empty_cells").sum()
    num_zero, num_right = _values(parts, "num_zero_cells"), _values(parts, "num_right_cells")
    return {
        "n": sum(len(part) for part in parts),
        "accuracy": float(np.mean([part.accuracy for part in parts])),
        "mean_length": float(lengths.mean()) if lengths.size else None,
        "median_length": float(np.median(lengths)) if lengths.size else None,
        "mean_steps": float(steps.mean()) if steps.size else None,
        "num_no_end": _count_values(parts, "has_end", wanted=False),
        "num_unclosed": _count_values(parts, "is_closed", wanted=False),
        "num_copies": _count_values(parts, "is_copy", wanted=True),
        "num_with_zeros": int((num_zero > 0).sum()) if num_zero.size else None,
        "zero_share": float(num_zero.sum() / num_cells) if num_cells else None,
        "right_share": float(num_right.sum() / num_cells) if num_cells else None,
        "num_solved": _count_values(parts, "is_solved", wanted=True),
    }


def _values(parts: Sequence[ScoreColumns], name: str) -> Floats:
    """Return all values with this name; the details of an unscorable answer may lack it."""
    values: Floats = np.concatenate([part.details.get(name, np.empty(0)) for part in parts])
    return values[np.isfinite(values)]


def _count_values(parts: Sequence[ScoreColumns], name: str, *, wanted: bool) -> int | None:
    values = _values(parts, name)
    return int(((values != 0) == wanted).sum()) if values.size else None
