import json
import shutil

import pytest
from typer.testing import CliRunner

from weft.cli import app
from weft.config.places import CHECKOUT
from weft.errors import ConfigError, DataError

SHIPPED = CHECKOUT / "experiments"
ROWS = [{"question": f"What is 2+{n}?", "answer": f"{n + 2}"} for n in range(6)]


@pytest.fixture
def show(tmp_path, monkeypatch):
    """Return a function that runs the command beside data and an experiment, and returns its text."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n\n" for row in ROWS))
    (tmp_path / "mine.yaml").write_text(
        f"extends: {SHIPPED}/tiny.yaml\nname: mine\ncaption: c\n"
        "datasets:\n"
        "  worked: {source: generated, seed: 1, tasks: {gsm8k: 3}}\n"
        "  mine: {source: file, path: train.jsonl, columns: {question: answer, answer: question}}\n"
    )

    def show(*arguments):
        result = CliRunner().invoke(app, ["data", "show", *map(str, arguments)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.output

    return show


def test_an_example_of_a_file_is_shown_with_the_shipped_model(show):
    text = show("train.jsonl", "--index", 2, "--max-length", 40)
    assert text.startswith("train.jsonl, line 5: example 2 (counted from 0) of 6 in 'train'\n")
    assert "question_answer" in text
    assert "tiny-base; layout: exact; at most 40 tokens" in text
    assert "\n\nAnswer: 2 tokens, from position 21 on, masked and trained\n  4<|eot_id|>\n" in text
    assert "Masked by weft at t = 0.5 with seed 1: " in text
    assert show("train.jsonl", "--index", -1).startswith("train.jsonl, line 11: example 5 ")


def test_the_settings_of_an_experiment_are_used(show):
    for chosen in (["--dataset", "mine"], ["train.jsonl"]):
        text = show("--experiment", "mine.yaml", *chosen, "--method", "sft")
        assert "in 'mine'\n" in text
        assert "at most 62 tokens" in text
        assert "  What is 2+0?<|eot_id|>" in text  # the experiment maps the columns
        assert "Masked by weft" not in text
    assert "in 'worked'\n" in show("--experiment", "mine.yaml", "--method", "sft")


def test_a_data_set_of_the_hub_is_shown_with_the_settings_of_an_experiment(show, tmp_path):
    (tmp_path / "offline/owner/set").mkdir(parents=True)
    shutil.copy(tmp_path / "train.jsonl", tmp_path / "offline/owner/set")
    options = ("--dataset", "mine", "--offline", "offline", "--no-rates")
    text = show("owner/set", "--experiment", "mine.yaml", *options)
    assert text.startswith("owner/set/train.jsonl, line 1: example 0 (counted from 0) of 6 in 'set'\n")
    assert "at most 62 tokens" in text
    with pytest.raises(ConfigError, match=r"FILE must be a file, .*, got 'nowhere.jsonl', not found"):
        show("nowhere.jsonl", "--experiment", "mine.yaml", *options)


def test_columns_are_mapped_without_an_experiment(show):
    text = show("train.jsonl", "--column", "question=answer", "--column", "answer=question", "--no-rates")
    assert "  What is 2+0?<|eot_id|>" in text
    assert "No masks of weft" in text


def test_a_tokenizer_without_a_model_suffices(show, tmp_path):
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    for file in SHIPPED.glob("tiny-base/*token*.json"):
        shutil.copy(file, folder)
    shutil.copy(SHIPPED / "tiny-base/chat_template.jinja", folder)
    text = show("train.jsonl", "--base", folder)
    assert "No padding" in text
    assert "No masks of weft: their rates need a model with weights (--base)." in text
    with pytest.raises(ConfigError, match="--rates requires a base model with weights"):
        show("train.jsonl", "--base", folder, "--rates")


def test_a_limit_beyond_the_model_leaves_the_rates_out(show):
    assert "rates cannot be computed: --max-length must be at most 256" in show(
        "train.jsonl", "--max-length", 300
    )
    with pytest.raises(ConfigError, match=r"at most 256, the longest sequence of .*, got 300"):
        show("train.jsonl", "--max-length", 300, "--rates")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a FILE, or an --experiment .* got none of them"),
        (["--dataset", "mine"], "got --dataset only"),
        (["train.jsonl", "--index", 6], "--index must be from 0 to 5, got 6"),
        (["train.jsonl", "--index", -7], "--index must be from 0 to 5, got -7"),
        (["train.jsonl", "--column", "question"], r"--column must be NAME=COLUMN, .*, got \['question'\]"),
        (["train.jsonl", "--method", "weeft"], "--method must be one of .*'weft'.*, got 'weeft'"),
        (["--experiment", "mine.yaml", "--dataset", "x"], "the data set must be one of"),
        (["--experiment", "mine.yaml", "--column", "a=b"], "--column must be given with a FILE only"),
    ],
)
def test_wrong_options_are_explained(show, arguments, message):
    with pytest.raises(ConfigError, match=message):
        show(*arguments)


def test_a_missing_file_and_a_text_that_cannot_be_encoded_are_named(show, tmp_path):
    with pytest.raises(ConfigError, match=r"FILE must be a file, .*, got 'nowhere.jsonl', not found"):
        show("nowhere.jsonl")
    (tmp_path / "bad.jsonl").write_text(json.dumps({"question": "a <|mdm_mask|>", "answer": "b"}))
    with pytest.raises(DataError, match=r"^bad.jsonl, line 1: the question must not contain special tokens"):
        show("bad.jsonl")
