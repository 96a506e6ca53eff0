import dataclasses
import json

import numpy as np
import pytest

from weft.errors import ScoringError
from weft.records import ScoredExample, Verdict
from weft.records.files import read_lines
from weft.report import score_files
from weft.report.score_files import ScoreColumns, read_score_columns

SCORE = {
    "example_id": "q0", "benchmark": "gsm8k", "rules": "d1", "extracted": "7", "verdict": "wrong",
    "credit": 0.1, "weight": 3, "reason": "", "details": {"effective_length": 5, "has_end": True},
}  # fmt: skip


def write(path, *changes):
    lines = [SCORE | {"example_id": f"q{index}"} | change for index, change in enumerate(changes)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def read(path, **changes):
    return read_score_columns(path, **{"benchmark": "gsm8k", "scoring": "d1"} | changes)


def assert_equal(found, expected):
    for field in dataclasses.fields(ScoreColumns):
        first, second = getattr(found, field.name), getattr(expected, field.name)
        if field.name == "details":
            assert first.keys() == second.keys()
            for name in first:
                np.testing.assert_array_equal(first[name], second[name], strict=True)
        else:
            np.testing.assert_array_equal(first, second, strict=field.name != "example_ids")


FILES = {
    "verdicts": [{"verdict": "correct", "credit": 1}, {"verdict": "unscorable", "credit": 0}, {}],
    "details": [{"details": {"a": 1, "b": None}}, {"details": {}}, {"details": {"a": None, "b": False}}],
    "texts": [{"extracted": None}, {"reason": 'x\u2028y \U0001f600 \\ "'}],
    "fractions": [{"credit": value / 7, "weight": 7} for value in range(7)],
    "no details at all": [{"details": {}}],
    "unknown fields": [{"further": {"x": [2]}}, {"approximate": "dual cache"}],
}


@pytest.mark.parametrize("changes", FILES.values(), ids=FILES)
def test_the_columns_are_those_of_the_records(tmp_path, monkeypatch, changes):
    path = write(tmp_path / "scores.jsonl", *changes)
    expected = ScoreColumns.of(read_lines(path, ScoredExample))
    monkeypatch.setattr(score_files, "read_lines", None)  # so that reading line by line would fail
    assert_equal(read(path), expected)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(SCORE | {"extracted": "\ud800"}),  # a lone surrogate, which a model may write
        json.dumps({key: value for key, value in SCORE.items() if key != "details"}),
        json.dumps(SCORE | {"details": {"a": 1}})
        + "\n"
        + json.dumps(SCORE | {"example_id": "q1", "details": {"a": True}}),
        "\ufeff" + json.dumps(SCORE),
    ],
    ids=["surrogate", "no details", "counts and truth values", "byte order mark"],
)
def test_what_arrow_cannot_read_is_read_line_by_line(tmp_path, text):
    path = tmp_path / "scores.jsonl"
    path.write_text(text + "\n")
    assert_equal(read(path), ScoreColumns.of(read_lines(path, ScoredExample)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"credit": 1.5}, "line 2: credit"),
        ({"credit": float("nan")}, "line 2: expected a JSON object"),
        ({"weight": -1}, "line 2: weight"),
        ({"weight": 10**9 + 1}, "line 2: weight"),
        ({"weight": 2.0}, "line 2: weight"),
        ({"verdict": "right"}, "line 2: verdict"),
        ({"verdict": "correct"}, "line 2: record: expected a credit that fits the verdict"),
        ({"verdict": "unscorable"}, "line 2: record"),
        ({"reason": None}, "line 2: reason"),
        ({"extracted": 7}, "line 2: extracted"),
        ({"details": {"a": 0.5}}, "line 2: details.a"),
        ({"details": {"a": "x"}}, "line 2: details.a"),
        ({"details": {"a": 10**9 + 1}}, "line 2: details.a"),
        ({"details": {"a": 2**62 + 1}}, "line 2: details.a"),
        ({"details": None}, "line 2: details"),
        ({"benchmark": "sudoku"}, "line 2: expected a score of gsm8k by d1, got one of sudoku"),
        ({"rules": "strict"}, "line 2: expected a score of gsm8k by d1, got one of gsm8k by strict"),
        ({"example_id": "q0"}, "several of 'q0'"),
    ],
)
def test_the_first_wrong_value_is_named(tmp_path, change, message):
    path = write(tmp_path / "scores.jsonl", {}, change)
    with pytest.raises(ScoringError, match=f"scores.jsonl[:,] {message}|scores.jsonl: .*{message}"):
        read(path)


def test_the_number_of_scores_is_checked(tmp_path):
    path = write(tmp_path / "scores.jsonl", {}, {})
    assert len(read(path, num_questions=2)) == 2
    with pytest.raises(ScoringError, match="expected 3 scores, got 2"):
        read(path, num_questions=3)
    path.write_text("")
    with pytest.raises(ScoringError, match="expected at least 1 scores, got 0"):
        read(path)


def test_two_objects_in_a_line_are_refused(tmp_path):
    path = tmp_path / "scores.jsonl"
    path.write_text(json.dumps(SCORE) + json.dumps(SCORE | {"example_id": "q1"}) + "\n")
    with pytest.raises(ScoringError, match="line 1: expected a JSON object"):
        read(path)


def test_a_score_file_reads_its_records_again(results):
    file = results.scores[0]
    assert [score.example_id for score in file.scores] == list(file.columns.example_ids)
    is_correct = [score.verdict is Verdict.CORRECT for score in file.scores]
    assert is_correct == file.columns.is_correct.tolist()
