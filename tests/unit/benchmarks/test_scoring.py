import json
import os

import pytest

from weft.benchmarks import SCORERS, Score
from weft.benchmarks.scoring import (
    describe_approximation,
    read_files,
    require_harmless,
    score_file,
    score_generations,
    summarise,
    write_scores,
)
from weft.errors import ConfigError, ScoringError, ScoringSetupError

PUZZLE, SOLVED = "1030301020404001", "1234341221434321"


def write_generations(path, benchmark, *rows):
    """Write a file in our form; a row is example id, question, reference, generation."""
    keys = ("example_id", "question", "reference", "generation")
    records = [{"benchmark": benchmark, **dict(zip(keys, row, strict=True))} for row in rows]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def gsm8k_file(tmp_path):
    return write_generations(
        tmp_path / "gsm8k.jsonl",
        "gsm8k",
        ("b", "", 18.0, r"\boxed{18}"),
        ("a", "", 18.0, r"\boxed{17}"),
        ("c", "", 18.0, "\ud800\0"),
    )


def test_records_stand_in_file_order_with_these_keys(gsm8k_file):
    assert list(score_file([gsm8k_file], benchmark="gsm8k", rules="d1"))[:2] == [
        {
            "example_id": "b",
            "benchmark": "gsm8k",
            "rules": "d1",
            "extracted": "18.0",
            "verdict": "correct",
            "credit": 1.0,
            "weight": 1,
            "reason": "",
            "details": {"effective_length": None, "has_end": False, "is_closed": False},
        },
        {
            "example_id": "a",
            "benchmark": "gsm8k",
            "rules": "d1",
            "extracted": "17.0",
            "verdict": "wrong",
            "credit": 0.0,
            "weight": 1,
            "reason": "the number is not the reference",
            "details": {"effective_length": None, "has_end": False, "is_closed": False},
        },
    ]


def test_approximate_sampling_is_told_in_the_records_that_have_it(tmp_path):
    shared = {"benchmark": "gsm8k", "question": "", "reference": 18.0, "generation": r"\boxed{18}"}
    rows = [shared | {"example_id": "a", "approximate": "dual cache, threshold 0.9"}]
    rows.append(shared | {"example_id": "b"})
    path = tmp_path / "g.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    marked, plain = score_file([path], benchmark="gsm8k", rules="d1")
    assert list(marked)[-1] == "approximate"
    assert marked["approximate"] == "dual cache, threshold 0.9"
    assert "approximate" not in plain
    assert list(marked)[:-1] == list(plain)


@pytest.mark.parametrize(
    ("kinds", "text"),
    [
        ([None, None], None),
        (["dual cache", "dual cache"], "dual cache"),
        (["b, threshold 0.9", "a", "b, threshold 0.9"], "b, threshold 0.9; a"),
        (["dual cache", None, None], "dual cache (1 of 3 answers)"),
        (["a\nb\x1b"], r"'a\nb\x1b'"),
    ],
)
def test_several_kinds_of_approximate_sampling_are_listed(kinds, text):
    records = [{} if kind is None else {"approximate": kind} for kind in kinds]
    assert describe_approximation(records) == text


def test_several_files_follow_each_other(gsm8k_file):
    records = score_file([gsm8k_file, gsm8k_file], benchmark="gsm8k", rules="d1")
    assert [record["example_id"] for record in records] == ["b", "a", "c", "b", "a", "c"]


def test_a_scorer_that_fails_gives_an_unscorable_record(gsm8k_file, monkeypatch):
    def fail(generation, *, question, reference):
        raise RecursionError("too deep")

    monkeypatch.setitem(SCORERS["gsm8k"], "d1", fail)
    record, *_ = score_file([gsm8k_file], benchmark="gsm8k", rules="d1")
    assert (record["verdict"], record["credit"]) == ("unscorable", 0.0)
    assert record["reason"] == "RecursionError: too deep"


class SilentError(Exception):
    def __str__(self):
        raise RuntimeError("nothing to say")


@pytest.mark.parametrize(
    ("failure", "reason"), [(SystemExit(0), "SystemExit: 0"), (SilentError(), "SilentError")]
)
def test_whatever_a_scorer_raises_is_no_end(gsm8k_file, monkeypatch, failure, reason):
    def fail(generation, *, question, reference):
        raise failure

    monkeypatch.setitem(SCORERS["gsm8k"], "d1", fail)
    records = list(score_file([gsm8k_file], benchmark="gsm8k", rules="d1"))
    assert [record["reason"] for record in records] == [reason] * 3


def test_a_foreign_reference_is_unscorable(tmp_path):
    path = write_generations(tmp_path / "g.jsonl", "gsm8k", ("a", "", "18", r"\boxed{18}"))
    (record,) = score_file([path], benchmark="gsm8k", rules="d1")
    assert record["verdict"] == "unscorable"
    assert record["reason"].startswith("ScoringError: a gsm8k reference must be")


def test_unknown_rules_are_an_error_before_any_file_is_read(tmp_path):
    with pytest.raises(ScoringError, match="rules"):
        score_file([tmp_path / "missing"], benchmark="gsm8k", rules="d2")


def test_scores_are_written_as_ascii_json_lines(gsm8k_file, tmp_path):
    out_path = tmp_path / "new" / "folder" / "scores.jsonl"
    records = list(score_file([gsm8k_file], benchmark="gsm8k", rules="d1"))
    write_scores([*records, {"extracted": "\ud800 é"}], out_path)
    content = out_path.read_bytes()
    assert content.isascii()
    assert content.endswith(b"}\n")
    assert [json.loads(line) for line in content.splitlines()] == [*records, {"extracted": "\ud800 é"}]
    assert [path.name for path in out_path.parent.iterdir()] == ["scores.jsonl"]


def test_a_file_that_cannot_be_read_is_an_error_before_anything_is_scored(gsm8k_file, tmp_path, monkeypatch):
    monkeypatch.setitem(SCORERS["gsm8k"], "d1", lambda *_, **__: pytest.fail("scored"))
    with pytest.raises(ScoringError, match="missing"):
        score_file([gsm8k_file, tmp_path / "missing"], benchmark="gsm8k", rules="d1")


@pytest.mark.parametrize("failure", [ConfigError("the own rule"), ScoringSetupError("math-verify")])
def test_scores_are_written_whole_or_not_at_all(gsm8k_file, tmp_path, failure):
    out_path = tmp_path / "out" / "scores.jsonl"
    write_scores([{"old": 1}], out_path)

    def fail_at_the_second(generation, *, question, reference):
        if "17" in generation:
            raise failure
        return Score.from_credit("18", 1.0)

    generations = read_files([gsm8k_file], "gsm8k")
    with pytest.raises(type(failure), match=str(failure)):
        write_scores(score_generations(generations, scorer=fail_at_the_second, rules="strict"), out_path)
    assert out_path.read_text() == '{"old": 1}\n'
    assert [path.name for path in out_path.parent.iterdir()] == ["scores.jsonl"]


def test_a_place_that_cannot_be_written_is_an_error(gsm8k_file, tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    places = ("", "/", "..", tmp_path / ("x" * 300), tmp_path / "circle")
    for out_path in (tmp_path, gsm8k_file / "scores.jsonl", *places):
        with pytest.raises(ScoringError, match="cannot be written"):
            write_scores([{"a": 1}], out_path)


def test_what_is_no_plain_file_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ScoringError, match="scores cannot be written there"):
        write_scores([{"a": 1}], tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "scores.jsonl")
    write_scores([{"a": 1}], tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "scores.jsonl").read_text() == '{"a": 1}\n'


def test_scores_never_take_the_place_of_what_is_read(gsm8k_file, tmp_path):
    (tmp_path / "link").symlink_to(gsm8k_file)
    (tmp_path / "x").mkdir()
    for out_path in (gsm8k_file, tmp_path / "x" / ".." / gsm8k_file.name, tmp_path / "link"):
        with pytest.raises(ScoringError, match="another file than those that are read"):
            require_harmless(out_path, [gsm8k_file])
    require_harmless(tmp_path / "new", [gsm8k_file, tmp_path / "missing"])


def test_accuracy_is_the_share_of_examples_that_are_right(gsm8k_file):
    summary = summarise(score_file([gsm8k_file], benchmark="gsm8k", rules="d1"))
    assert summary == {"n": 3, "num_correct": 1, "num_unscorable": 0, "accuracy": pytest.approx(1 / 3)}


def test_sudoku_pools_empty_cells(tmp_path):
    path = write_generations(
        tmp_path / "s.jsonl",
        "sudoku",
        ("a", PUZZLE, SOLVED, f"<answer>{SOLVED}</answer>"),  # 8 of 8
        ("b", SOLVED[:14] + "00", SOLVED, "<answer>123434122143432</answer>"),  # 1 of 2
    )
    summary = summarise(score_file([path], benchmark="sudoku", rules="d1"))
    assert summary == {"n": 2, "num_correct": 1, "num_unscorable": 0, "accuracy": pytest.approx(9 / 10)}


def test_unscorable_examples_are_counted_and_count_as_not_right(tmp_path):
    path = write_generations(
        tmp_path / "c.jsonl",
        "countdown",
        ("a", "", [[9, 9, 9], 1], r"\boxed{9 ** 9 ** 9}"),
        ("b", "", [[3, 4], 7], r"\boxed{3 + 4}"),
    )
    summary = summarise(score_file([path], benchmark="countdown", rules="d1"))
    assert summary == {"n": 2, "num_correct": 1, "num_unscorable": 1, "accuracy": 0.5}


def test_no_records_have_accuracy_zero():
    assert summarise([]) == {"n": 0, "num_correct": 0, "num_unscorable": 0, "accuracy": 0.0}
