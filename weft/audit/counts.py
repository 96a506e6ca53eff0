"""Checks of lines: an answer for each question, a score for each answer, a log entry for each step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import TypeVar

from weft.audit.ledger import Ledger
from weft.audit.tree import ResultTree, kind_of
from weft.errors import DataError, WeftError
from weft.layout import HISTORY_FILE, SUMMARY_FILE, TIMING_FILE
from weft.records import (
    CurvePoint,
    DataCheck,
    Generation,
    LengthSummary,
    Record,
    ScoredExample,
    StepMetrics,
    Timing,
)
from weft.records.files import parse_record, read_json

RecordT = TypeVar("RecordT", bound=Record)


class _Ids(Record):
    """The id in a line of questions, training examples or answers."""

    example_id: str


def check_counts(tree: ResultTree, ledger: Ledger, name: str) -> None:
    """Check the lines of a result against those of its inputs, and verdicts against credits."""
    check = _CHECKS.get(kind_of(name))
    if check is None or not tree.exists(name):
        return
    try:
        check(tree, ledger, name)
    except WeftError as error:
        ledger.check(name, False, str(error))


def _check_history(tree: ResultTree, ledger: Ledger, name: str) -> None:
    """Check that the training log has a line for each optimiser step."""
    steps = [row.optimizer_step for row in _read(tree, f"{name}/{HISTORY_FILE}", StepMetrics)]
    ledger.check(
        name,
        steps == list(range(1, len(steps) + 1)),
        f"{HISTORY_FILE}: expected the steps 1 to {len(steps)}, each once and in order, got others; train "
        "the run again",
    )
    timing = tree.root / name / TIMING_FILE
    if timing.exists():
        count = read_json(timing, Timing).num_steps
        ledger.check(
            name,
            len(steps) == count,
            f"{HISTORY_FILE}: expected {count} optimiser steps, as in {TIMING_FILE}, got {len(steps)}; train "
            "the run again",
        )


def _check_answers(tree: ResultTree, ledger: Ledger, name: str) -> None:
    """Check that each question has an answer of this run, in the order of the questions."""
    _, run, benchmark, _ = name.split("/")
    ids, models = [], set()
    for row in _read(tree, name, Generation):
        ids.append(row.example_id)
        models.add(row.model)
    _compare_ids(tree, ledger, name, ids, f"data/questions/{benchmark}.jsonl")
    expected = f"{tree.experiment}/{run}"
    ledger.check(
        name,
        models <= {expected, None},
        f"expected answers of {expected}, got those of {', '.join(sorted(map(str, models)))}; sample again",
    )


def _check_scores(tree: ResultTree, ledger: Ledger, name: str) -> None:
    """Check that each answer has a score, and that each verdict fits its credit."""
    _, _, run, benchmark, file = name.split("/")
    rows = list(_read(tree, name, ScoredExample))  # reading checks verdicts against credits
    answers = f"samples/{run}/{benchmark}/{file}"
    _compare_ids(tree, ledger, name, [row.example_id for row in rows], answers)
    ledger.check(
        name,
        {row.benchmark for row in rows} == {benchmark},
        f"expected scores of the benchmark {benchmark}, got others; score the answers again",
    )


def _check_curve(tree: ResultTree, ledger: Ledger, name: str) -> None:
    """Check that each point of a learning curve has as many answers as it counts."""
    if tree.is_folder(name):  # the answers, which are checked with the curve
        return
    for point in _read(tree, name, CurvePoint):
        folder = name.removesuffix(".jsonl")
        answers = f"{folder}/{point.optimizer_step}/{point.benchmark}/{point.gen_length}.jsonl"
        if not tree.exists(answers):
            if not tree.is_stored:
                ledger.add_missing(answers, user=name)
            continue
        ids = [row.example_id for row in _read(tree, answers, _Ids)]
        ledger.check(
            name,
            len(ids) == point.num_questions,
            f"expected {point.num_questions} answers in {answers}, got {len(ids)}; measure the curve again",
        )
        _compare_ids(tree, ledger, name, ids, f"data/validation/{point.benchmark}.jsonl")


def _check_prepared(tree: ResultTree, ledger: Ledger, name: str) -> None:
    """Check that each training example was prepared, held out, or left out as too long."""
    examples = f"data/examples/{PurePosixPath(name).name}.jsonl"
    summary = read_json(tree.root / name / SUMMARY_FILE, LengthSummary)
    count = summary.num_examples + summary.num_heldout + (summary.num_too_long or 0)
    _check_number(tree, ledger, name, count, examples)


def _check_data_check(tree: ResultTree, ledger: Ledger, name: str) -> None:
    """Check that all examples were compared with all questions."""
    check = read_json(tree.root / name, DataCheck)
    _check_number(tree, ledger, name, check.num_examples, f"data/examples/{check.dataset}.jsonl")
    for benchmark, count in check.num_questions.items():
        _check_number(tree, ledger, name, count, f"data/questions/{benchmark}.jsonl")


def _check_number(tree: ResultTree, ledger: Ledger, name: str, count: int, lines: str) -> None:
    """Check that a result counts as many items as a file has lines, if the file is there."""
    if tree.exists(lines):
        actual = sum(1 for _ in _read(tree, lines, _Ids))
        ledger.check(
            name, actual == count, f"expected {count} lines in {lines}, got {actual}; make the two again"
        )


def _compare_ids(tree: ResultTree, ledger: Ledger, name: str, ids: Sequence[str], other: str) -> None:
    """Check that the lines of a file have the ids of another file, in its order, if that file is there."""
    if not tree.exists(other):
        return
    expected = [row.example_id for row in _read(tree, other, _Ids)]
    is_short = len(ids) != len(expected)
    problem = f"{len(ids)} lines" if is_short else "other ids, or the same in another order"
    ledger.check(
        name,
        list(ids) == expected,
        f"expected a line for each of the {len(expected)} lines of {other}, got {problem}; make it again",
    )


def _read(tree: ResultTree, name: str, kind: type[RecordT]) -> Iterator[RecordT]:
    """Yield the records of a JSON Lines file one at a time; large ones do not fit into memory."""
    path = tree.root / name
    if not path.is_file():
        raise DataError(f"{name}: expected a file, got none; make it again")
    with path.open(encoding="utf-8", errors="replace", newline="\n") as file:
        for number, line in enumerate(file, start=1):
            yield parse_record(
                line,
                kind,
                place=f"{name}, line {number}",
                error=DataError,
                remedy="make the file again",
                allow_nan=True,
            )


_CHECKS: Mapping[str, Callable[[ResultTree, Ledger, str], None]] = {
    "runs": _check_history,
    "samples": _check_answers,
    "scores": _check_scores,
    "curves": _check_curve,
    "data/prepared": _check_prepared,
    "checks": _check_data_check,
}
"""Kind of result -> check of its content."""
