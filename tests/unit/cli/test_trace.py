import json
import re

import pytest
from typer.testing import CliRunner

from weft.cli import app
from weft.cli.trace import _link_to_report
from weft.config import Run, load_experiment
from weft.errors import ConfigError, DataError, SamplingError, WeftError
from weft.layout import ResultLayout

BASE = ["trace", "--base", "experiments/tiny-base"]


def run(*arguments):
    return CliRunner().invoke(app, [*BASE, *map(str, arguments)])


@pytest.fixture
def questions(tmp_path):
    """Write two files of questions."""

    def row(name, benchmark):
        reference = "9" if benchmark == "math500" else 9.0
        shared = {"example_id": name, "benchmark": benchmark, "reference": reference}
        text = "Tom has 4 apples and buys 5 more. How many apples does Tom have now?"
        return shared | {"question": text, "prompt": text}

    files = {"gsm8k": ["aa", "bb", "77"], "math500": ["cc"]}
    for benchmark, names in files.items():
        lines = "".join(json.dumps(row(name, benchmark)) + "\n" for name in names)
        (tmp_path / f"{benchmark}.jsonl").write_text(lines)
    return [tmp_path / f"{benchmark}.jsonl" for benchmark in files]


def test_a_custom_question_is_answered():
    result = run("--question", "Tom has 4 apples and buys 5 more. How many?")
    assert result.exit_code == 0, result.output
    assert "Question\nTom has 4 apples" in result.stdout
    assert re.search(r"^step 1 of \d+, block 1 of 4  ", result.stdout, flags=re.M)
    assert "▒" in result.stdout
    assert "\x1b" not in result.stdout, "plain text where there is no terminal"


def test_a_terminal_without_unicode_gets_ascii_signs():
    arguments = [*BASE, "--question", "Tom has 4 apples. How many?", "--gen-length", "32"]
    result = CliRunner(charset="ascii").invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert r"# mask   \n line end   ~ end of text" in result.stdout
    assert "##" in result.stdout or "#." in result.stdout


def test_the_first_question_of_each_file_makes_one_page(questions, tmp_path):
    out = tmp_path / "traces/base.html"
    result = run(
        "--questions", questions[0], "--questions", questions[1], "--run", "base", "--quiet", "--out", out
    )
    assert result.exit_code == 0, result.output
    assert "step 1" not in result.stdout
    page = out.read_text(encoding="utf-8")
    assert re.findall(r"<h2.*?>(.*?)</h2>", page) == ["arithmetic (GSM8K rules)", "algebra (MATH-500 rules)"]
    assert re.findall(r"Example <code>(.*?)</code>", page) == ["aa", "cc"]
    assert "<h1>An answer step by step: base model</h1>" in page
    assert "0.3 million parameters" in page, "the caption of the experiment's own models"
    sidecar = json.loads(out.with_name("base.html.provenance.json").read_text())
    assert sidecar["experiment"] == "tiny"
    assert set(sidecar["inputs"]) == {*map(str, questions), "experiments/tiny-base"}


def test_without_a_run_the_page_has_no_caption_of_the_experiment(tmp_path):
    out = tmp_path / "t.html"
    assert run("--question", "Why?", "--gen-length", 8, "--quiet", "--out", out).exit_code == 0
    page = out.read_text(encoding="utf-8")
    assert "<h1>An answer step by step: tiny-base</h1>" in page
    assert "0.3 million" not in page


def test_a_length_of_zero_is_not_taken_for_none():
    result = run("--question", "Why?", "--gen-length", 0)
    assert result.exit_code == 2
    assert "--gen-length" in result.output
    assert "greater than or equal to 1" in " ".join(result.output.split())


@pytest.mark.parametrize(("example", "name"), [("bb", "bb"), ("2", "bb"), ("77", "77")])
def test_an_example_is_chosen_by_number_or_by_id(questions, tmp_path, example, name):
    out = tmp_path / "t.html"
    arguments = [
        "--questions",
        questions[0],
        "--example",
        example,
        "--gen-length",
        8,
        "--quiet",
        "--out",
        out,
    ]
    assert run(*arguments).exit_code == 0
    assert f"Example <code>{name}</code>" in out.read_text(encoding="utf-8")


def test_an_id_is_looked_for_in_all_files(questions, tmp_path):
    out = tmp_path / "t.html"
    files = ["--questions", questions[0], "--questions", questions[1]]
    assert run(*files, "--example", "cc", "--gen-length", 8, "--quiet", "--out", out).exit_code == 0
    assert re.findall(r"Example <code>(.*?)</code>", out.read_text(encoding="utf-8")) == ["cc"]


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ([], ConfigError, "either --question TEXT or --questions FILE must be given, got neither"),
        (["--question", "x", "--questions", "y"], ConfigError, "got both"),
        (["--question", "x", "--run", "dpo"], ConfigError, "run must be one of .*weft-worked-seed1"),
        (["--question", "x", "--run", "sft-worked-seed1"], ConfigError, "--adapter must be given"),
        (["--question", "x", "--gen-length", 33], SamplingError, "gen_length .* got 33"),
        (["--questions", "nowhere.jsonl"], SamplingError, "nowhere.jsonl: expected a file, got none"),
    ],
)
def test_invalid_options_are_reported_before_a_model_is_loaded(arguments, kind, message):
    error = run(*arguments).exception
    assert isinstance(error, kind)
    assert re.search(message, str(error))


@pytest.mark.parametrize("example", ["zz", "4", "0", "-1", "²"])
def test_an_unknown_example_lists_valid_ones(questions, example):
    error = run("--questions", questions[0], "--example", example).exception
    assert isinstance(error, WeftError)
    assert f"number from 1 to 3, or one of ['aa', 'bb', '77'], got {example!r}" in str(error)


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "none.jsonl").write_text("")
    error = run("--questions", tmp_path / "none.jsonl").exception
    assert isinstance(error, DataError)
    assert "none.jsonl" in str(error)


def test_only_a_page_among_the_results_links_to_their_report(tmp_path):
    tiny, base = load_experiment("experiments/tiny.yaml"), Run("base")
    place = ResultLayout.of("tiny").trace("base")
    assert _link_to_report(tiny, base, place) == "../index.html"
    assert _link_to_report(tiny, base, place.resolve()) == "../index.html"
    assert _link_to_report(tiny, None, place) is None
    assert _link_to_report(tiny, base, tmp_path / "traces/base.html") is None
