"""The comparison of verdicts with those of d1's own code, on generations that d1 published."""

import json

import pytest

from weft.benchmarks import d1_verdicts
from weft.benchmarks.d1_verdicts import AGREEMENT, compare_with_d1
from weft.provenance import file_sha256


@pytest.fixture
def sudoku_file(write_generations):
    return write_generations(
        "sudoku",
        ("a", "1030301020404001", "1234341221434321", "<answer>1234341221434321</answer>"),
        ("b", "1030301020404001", "1234341221434321", "<answer>1232341221434321</answer>"),
    )


@pytest.fixture
def verdicts(monkeypatch):
    """Set the right units that d1's code counts on a file."""

    def known(path, units):
        monkeypatch.setattr(d1_verdicts, "_load_units", lambda: {file_sha256(path): units})

    return known


def agreements(scores):
    return [score.details.get(AGREEMENT) for score in scores]


def compare(scores, file):
    return list(compare_with_d1(iter(scores), file_sha256(file), num_scores=len(scores)))


def test_scores_say_whether_the_number_of_right_cells_is_that_of_d1(sudoku_file, score_files, verdicts):
    scores = score_files(sudoku_file, benchmark="sudoku")
    units = "".join(str(round(score.credit * score.weight)) for score in scores)
    assert len(set(units)) == 2
    verdicts(sudoku_file, units)
    assert agreements(compare(scores, sudoku_file)) == [True, True]
    verdicts(sudoku_file, units[0] + "0")
    assert agreements(compare(scores, sudoku_file)) == [True, False]


def test_other_files_are_not_compared(sudoku_file, score_files, verdicts):
    scores = score_files(sudoku_file, benchmark="sudoku")
    assert compare(scores, sudoku_file) == list(scores)
    verdicts(sudoku_file, "8")
    assert compare(scores, sudoku_file) == list(scores), "another number of answers"


def test_the_shipped_verdicts_are_those_of_d1s_own_code(shared_data):
    """The verdicts in ../shared/data were computed with d1's script; they are the shipped ones."""
    folder = shared_data / "d1_baselines"
    shipped = d1_verdicts._load_units()
    for name, items in json.loads((folder / "expected_items.json").read_text(encoding="utf-8")).items():
        units = [
            item["correct_cells"] if item["is_correct"] is None else int(item["is_correct"]) for item in items
        ]
        assert shipped[file_sha256(folder / name)] == "".join(map(str, units)), name
