import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from weft.cli import app
from weft.config.places import CHECKOUT
from weft.errors import DataError, SamplingError
from weft.layout import provenance_file

BASE = str(CHECKOUT / "experiments/tiny-base")
ROWS = [{"question": f"What is 2+{n}?", "answer": f"{n + 2}"} for n in range(6)]


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Return a function that checks rows for questions, or prepares them if there are none.

    The experiment is in another folder than the working directory.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study").mkdir()

    def weft(*arguments):
        result = CliRunner().invoke(app, ["data", *map(str, arguments)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def prepare(rows, questions=(), changes=""):
        (tmp_path / "study/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (tmp_path / "questions.jsonl").write_text(
            "".join(
                json.dumps({"example_id": f"{n:x}", "benchmark": "gsm8k", "question": text, "prompt": text,
                            "reference": 2.0}) + "\n"
                for n, text in enumerate(questions)
            )
        )  # fmt: skip
        (tmp_path / "study/mine.yaml").write_text(
            f"extends: {CHECKOUT}/experiments/tiny.yaml\nname: mine\n{changes}\n"
            "datasets: {mine: {source: jsonl, path: train.jsonl}}\n"
        )
        given = ["--experiment", "study/mine.yaml"]
        weft("dataset", *given, "--out", "examples.jsonl", "mine")
        given += ["--examples", "examples.jsonl", "--base", BASE]
        if questions:
            return weft("check", *given, "--questions", "questions.jsonl", "--out", "checks/mine.json")
        return weft("prepare", *given, "--out", "prepared")

    return prepare


def test_test_questions_in_the_training_data_are_named_by_file_and_line(study, tmp_path):
    questions = [ROWS[1]["question"], ROWS[4]["question"]]
    with pytest.raises(
        DataError,
        match=r"must differ, but 2 of 6 training examples contain a test question: study/train.jsonl, lines "
        r"2, 5 \(the first contains 'What is 2\+1\?' of gsm8k\); remove them, or",
    ):
        study(ROWS, questions)
    assert not (tmp_path / "checks/mine.json").exists()
    result = study(ROWS, questions, "forbid_test_questions: false")
    assert result.stdout == (
        "examples: 2 of 6 training examples contain a test question: study/train.jsonl, lines 2, 5 (the "
        "first contains 'What is 2+1?' of gsm8k) -> checks/mine.json\n"
    )
    check = json.loads((tmp_path / "checks/mine.json").read_text())
    assert check["longest_prompts"]["questions"] > 8
    del check["longest_prompts"]
    assert check == {
        "dataset": "examples", "num_examples": 6, "num_questions": {"questions": 2},
        "num_with_test_question": 2, "places": ["study/train.jsonl, line 2", "study/train.jsonl, line 5"],
        "first_question": "What is 2+1?", "first_benchmark": "gsm8k",
    }  # fmt: skip
    recorded = json.loads(provenance_file(tmp_path / "checks/mine.json").read_text())
    assert {Path(name).name for name in recorded["inputs"]} == {
        "examples.jsonl", "questions.jsonl", "tiny-base"
    }  # fmt: skip


def test_data_without_test_questions_pass_the_check(study):
    assert study(ROWS, ["What is 1+1?"]).stdout == (
        "examples: none of 6 training examples contains one of 1 test questions -> checks/mine.json\n"
    )


def test_a_question_that_leaves_no_room_for_the_answer_fails_the_check(study):
    with pytest.raises(SamplingError, match=r"questions.jsonl: .* 1 of 1 prompts that are too long"):
        study(ROWS, ["1 " * 200])


def test_too_long_examples_are_named_by_file_and_line_and_left_out_on_demand(study, tmp_path):
    rows = [*ROWS[:2], {"question": "1 " * 200, "answer": "1"}, *ROWS[2:]]
    with pytest.raises(DataError, match=r"got 1 of 7 that leave no room .*: study/train.jsonl, line 3 \("):
        study(rows)
    result = study(rows, changes="too_long: drop")
    assert "left out as too long for training.max_length=62: study/train.jsonl, line 3\n" in result.stdout
    summary = json.loads((tmp_path / "prepared/summary.json").read_text())
    assert (summary["num_examples"], summary["num_too_long"]) == (6, 1)
    assert json.loads(provenance_file(tmp_path / "prepared").read_text())["summary"] == summary


def test_a_copied_caption_is_pointed_out_when_data_are_prepared(study):
    assert "warning: study/mine.yaml: the caption is that of the experiment 'tiny'" in study(ROWS).stderr
    assert study(ROWS, changes="caption: mine").stderr == ""
