"""Inputs made after public reports of faults in other scorers; the file is in the shared data."""

import json

import pytest

from weft.benchmarks import SCORERS

PUZZLE = "Solve:\n0230340221004300\n"
"""The file has no questions; the solution of its Sudoku rows completes this puzzle."""


@pytest.fixture(scope="module")
def cases(shared_data):
    path = shared_data / "reported_cases.jsonl"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row for row in rows if " strict: " in row["kind"] and row["outcome"] != "debatable"]


@pytest.mark.parametrize("benchmark", SCORERS)
def test_every_reported_answer_has_the_right_verdict(cases, benchmark):
    question = PUZZLE if benchmark == "sudoku" else ""
    rows = [row for row in cases if row["kind"].startswith(benchmark)]
    assert len(rows) > 20
    missed = []
    for row in rows:
        score = SCORERS[benchmark]["strict"](row["input"], question=question, reference=row["reference"])
        if score.verdict.value != row["expected"]:
            missed.append((row["id"], row["input"], row["reference"], score))
    assert missed == []
