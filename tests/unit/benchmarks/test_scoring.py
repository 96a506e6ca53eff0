"""Scoring of files: order and content of the lines, failing scorers, output paths, summaries."""

import json
import os

import pytest

from weft.benchmarks import SCORERS, Score, find_scorer
from weft.benchmarks.generations import read_generations
from weft.benchmarks.scoring import (
    Tally,
    check_output_path,
    score_generations,
    summarise,
)
from weft.errors import ConfigError, ScoringError, ScoringSetupError
from weft.records import ScoredExample, Verdict

PUZZLE, SOLVED = "1030301020404001", "1234341221434321"


@pytest.fixture
def gsm8k_file(write_generations):
    return write_generations(
        "gsm8k", ("b", "", 18.0, r"\boxed{18}"), ("a", "", 18.0, r"\boxed{17}"), ("c", "", 18.0, "\ud800\0")
    )


def test_lines_follow_the_file_and_have_these_keys(gsm8k_file, score_files):
    lines = [json.loads(score.as_line()) for score in score_files(gsm8k_file, benchmark="gsm8k")]
    ending = {"effective_length": None, "has_end": False, "is_closed": False}
    shared = {"benchmark": "gsm8k", "rules": "d1", "weight": 1, "details": ending}
    assert lines == [
        shared | {"example_id": "b", "extracted": "18.0", "verdict": "correct", "credit": 1, "reason": ""},
        shared
        | {"example_id": "a", "extracted": "17.0", "verdict": "wrong", "credit": 0}
        | {"reason": lines[1]["reason"]},
        shared
        | {"example_id": "c", "extracted": None, "verdict": "wrong", "credit": 0}
        | {"reason": lines[2]["reason"]},
    ]
    assert lines[1]["reason"]
    keys = "example_id benchmark rules extracted verdict credit weight reason details"
    assert list(lines[0]) == keys.split()


def test_approximate_sampling_is_written_where_the_generation_names_it(gsm8k_file, score_files):
    rows = [json.loads(line) for line in gsm8k_file.read_text().splitlines()]
    rows[0]["approximate"] = "dual cache, threshold 0.9"
    gsm8k_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    marked, plain, _ = (score.as_object() for score in score_files(gsm8k_file, benchmark="gsm8k"))
    assert list(marked) == [*plain, "approximate"]
    assert marked["approximate"] == "dual cache, threshold 0.9"


def test_the_number_of_denoising_steps_is_kept(gsm8k_file, score_files):
    rows = [json.loads(line) for line in gsm8k_file.read_text().splitlines()]
    rows[0]["num_forward"] = 24
    gsm8k_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second, _ = score_files(gsm8k_file, benchmark="gsm8k")
    assert first.details["num_steps"] == 24
    assert "num_steps" not in second.details


def make_score(**changes):
    values = {
        "example_id": "a", "benchmark": "b", "scoring": "d1", "extracted": None, "verdict": "wrong",
        "credit": 0.0, "weight": 1, "reason": "",
    }  # fmt: skip
    return ScoredExample(**(values | changes))


def tally_of(scores):
    tally = Tally()
    assert len(list(tally.watch(scores))) > 1
    return tally


def test_timed_out_answers_are_counted_beside_the_unscorable_ones():
    reasons = ["timed out: the comparison", "", "timed out again"]
    scores = [make_score(verdict="unscorable", reason=reason) for reason in reasons]
    scores.append(make_score(verdict="wrong", reason="timed out"))
    assert tally_of(scores).describe_unscorable() == " (2 timed out)"
    assert tally_of(scores).summarise() == (4, 0, 3, 0.0)
    assert tally_of(scores[1:2] * 2).describe_unscorable() == ""


def test_kinds_of_approximate_sampling_are_listed():
    for kinds, text in [
        ([None, None], None),
        (["dual cache", "dual cache"], "dual cache"),
        (["b, threshold 0.9", "a", "b, threshold 0.9"], "b, threshold 0.9; a"),
        (["dual cache", None, None], "dual cache (2 of 6 answers)"),
        (["a\nb\x1b"], r"'a\nb\x1b'"),
    ]:
        tally = tally_of([make_score(approximate=kind) for kind in kinds] * 2)
        assert tally.describe_approximation() == text


def test_files_are_scored_one_after_the_other(gsm8k_file, score_files):
    scores = score_files(gsm8k_file, gsm8k_file, benchmark="gsm8k")
    assert [score.example_id for score in scores] == ["b", "a", "c", "b", "a", "c"]


class SilentError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def raising(error):
    def fail(generation, *, question, reference):
        raise error

    return fail


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (RecursionError("too deep"), "RecursionError: too deep"),
        (SystemExit(0), "SystemExit: 0"),
        (SilentError(), "SilentError"),
    ],
)
def test_an_example_whose_scorer_fails_is_unscorable(gsm8k_file, failure, reason):
    generations = read_generations(gsm8k_file, "gsm8k")
    scores = list(score_generations(generations, scorer=raising(failure), scoring="d1"))
    assert [(score.verdict, score.credit, score.reason) for score in scores] == [
        ("unscorable", 0.0, reason)
    ] * 3


@pytest.mark.parametrize("failure", [ConfigError("custom function"), ScoringSetupError("math-verify")])
def test_a_failure_of_every_example_ends_the_scoring(gsm8k_file, failure):
    generations = read_generations(gsm8k_file, "gsm8k")
    with pytest.raises(type(failure), match=str(failure)):
        list(score_generations(generations, scorer=raising(failure), scoring="d1"))


def test_a_reference_that_was_not_checked_is_unscorable(write_generations, score_files):
    path = write_generations("gsm8k", ("a", "", "18", r"\boxed{18}"))
    (score,) = score_files(path, benchmark="gsm8k")
    assert score.verdict is Verdict.UNSCORABLE
    assert "'18'" in score.reason


def test_an_unknown_name_is_an_error_that_lists_the_known_names():
    with pytest.raises(ScoringError, match=r"'countdown', 'gsm8k', 'math500', 'sudoku'.* got 'chess'"):
        find_scorer("chess", "d1")
    with pytest.raises(ScoringError, match=r"gsm8k .*'d1', 'strict'.* got 'd2'"):
        find_scorer("gsm8k", "d2")
    assert all(list(scorers) == ["d1", "strict"] for scorers in SCORERS.values())


def test_an_output_path_that_cannot_be_written_is_an_error(gsm8k_file, tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    os.mkfifo(tmp_path / "pipe")
    for out in (tmp_path, tmp_path / ("x" * 300), tmp_path / "circle", tmp_path / "pipe"):
        with pytest.raises(ScoringError, match="cannot be written"):
            check_output_path(out, [gsm8k_file])


def test_scores_never_replace_a_file_that_is_read(gsm8k_file, tmp_path):
    (tmp_path / "link").symlink_to(gsm8k_file)
    (tmp_path / "x").mkdir()
    for out in (gsm8k_file, tmp_path / "x" / ".." / gsm8k_file.name, tmp_path / "link"):
        with pytest.raises(ScoringError, match=gsm8k_file.name):
            check_output_path(out, [gsm8k_file])
    check_output_path(tmp_path / "new", [gsm8k_file, tmp_path / "missing"])


def test_accuracy_is_pooled_over_units(write_generations, score_files):
    path = write_generations(
        "sudoku",
        ("a", PUZZLE, SOLVED, f"<answer>{SOLVED}</answer>"),  # 8 of 8
        ("b", SOLVED[:14] + "00", SOLVED, "<answer>123434122143432</answer>"),  # 1 of 2
    )
    assert summarise(score_files(path, benchmark="sudoku")) == (2, 1, 0, pytest.approx(9 / 10))


def test_unscorable_examples_are_counted_and_have_no_credit(write_generations, score_files):
    path = write_generations(
        "countdown",
        ("a", "", [[9, 9, 9], 1], r"\boxed{9 ** 9 ** 9}"),
        ("b", "", [[3, 4], 7], r"\boxed{3 + 4}"),
    )
    assert summarise(score_files(path, benchmark="countdown")) == (2, 1, 1, 0.5)
    assert summarise([]) == (0, 0, 0, 0.0)


def test_a_score_follows_from_its_credit():
    assert Score.from_credit("7", 1.0, reason="off by one") == Score(
        extracted="7", verdict=Verdict.CORRECT, credit=1.0
    )
    assert Score.from_credit("7", 0.875, weight=8, reason="7 of 8") == Score(
        extracted="7", verdict=Verdict.WRONG, credit=0.875, weight=8, reason="7 of 8"
    )
    assert Score.unscorable("9**9", reason="large") == Score(
        extracted="9**9", verdict=Verdict.UNSCORABLE, credit=0.0, reason="large"
    )


def test_a_score_that_contradicts_itself_is_refused():
    for verdict, credit, weight in [
        (Verdict.CORRECT, 0.5, 1),
        (Verdict.WRONG, 1.0, 1),
        (Verdict.UNSCORABLE, 1.0, 1),
        (Verdict.WRONG, -0.1, 1),
        (Verdict.WRONG, 1.5, 1),
        (Verdict.WRONG, float("nan"), 1),
        (Verdict.WRONG, 0.0, -1),
        (Verdict.WRONG, 0.0, 10**10),
    ]:
        with pytest.raises(ValueError, match=r"credit|weight"):
            Score(extracted="7", verdict=verdict, credit=credit, weight=weight)
