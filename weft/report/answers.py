"""How answers end, and what becomes of a Sudoku puzzle: counted from what the scorers noted."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from weft.report.load import load_details
from weft.report.outputs import AnyExperiment

ANSWER_COLUMNS = (
    "method", "dataset", "benchmark", "gen_length", "n", "mean_length", "median_length", "num_no_end",
    "num_unclosed", "num_copies", "num_with_zeros", "zero_share", "right_share", "num_solved",
)  # fmt: skip


def count_answers(experiment: AnyExperiment, root: Path) -> pd.DataFrame:
    """Count how the answers of an experiment end.

    Args:
        experiment: the experiment.
        root: its results folder, with scores/.

    Returns:
        A row per method, data set, benchmark and length, the runs of a method together:

        - n, in answers; mean_length and median_length, in tokens before the first end token;
        - num_no_end and num_unclosed, answers without an end token, and without a closing answer tag;
        - of Sudoku: num_copies, boards that repeat the puzzle; num_with_zeros, boards with an empty cell
          left at 0; zero_share and right_share, shares of the empty cells, 0 to 1, right by the valid
          completion that agrees most; num_solved, boards that are a valid completion.

        What a scorer did not note is missing.

    Raises:
        ScoringError: a score file is missing or cut off.
    """
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for run, benchmark, length, details in load_details(experiment, root):
        groups.setdefault((run.method, run.dataset, benchmark, length), []).extend(details)
    rows = [dict(zip(ANSWER_COLUMNS, key, strict=False)) | _count(group) for key, group in groups.items()]
    frame = pd.DataFrame(rows, columns=list(ANSWER_COLUMNS))
    frame["dataset"] = pd.Series([row["dataset"] for row in rows], dtype=object)  # None stays None
    counts = [name for name in ANSWER_COLUMNS if name == "n" or name.startswith("num_")]
    return frame.astype(dict.fromkeys(counts, "Int64"))


def _count(details: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    lengths = _noted(details, "effective_length")
    num_cells = sum(_noted(details, "num_empty_cells"))
    num_zero_cells, num_right_cells = (_noted(details, f"num_{kind}_cells") for kind in ("zero", "right"))
    return {
        "n": len(details),
        "mean_length": float(np.mean(lengths)) if lengths else None,
        "median_length": float(np.median(lengths)) if lengths else None,
        "num_no_end": _count_false(details, "has_end"),
        "num_unclosed": _count_false(details, "is_closed"),
        "num_copies": _count_true(details, "is_copy"),
        "num_with_zeros": sum(number > 0 for number in num_zero_cells) if num_zero_cells else None,
        "zero_share": sum(num_zero_cells) / num_cells if num_cells else None,
        "right_share": sum(num_right_cells) / num_cells if num_cells else None,
        "num_solved": _count_true(details, "is_solved"),
    }


def _noted(details: Sequence[Mapping[str, Any]], name: str) -> list[Any]:
    """List what was noted under a name; an unscorable answer has not everything."""
    return [one[name] for one in details if one.get(name) is not None]


def _count_true(details: Sequence[Mapping[str, Any]], name: str) -> int | None:
    noted = _noted(details, name)
    return sum(map(bool, noted)) if noted else None


def _count_false(details: Sequence[Mapping[str, Any]], name: str) -> int | None:
    noted = _noted(details, name)
    return sum(not one for one in noted) if noted else None
