import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from weft.cli import app

RUN = CliRunner()
EXAMPLE = {
    "example_id": "00",
    "benchmark": "gsm8k",
    "question": "How many?",
    "reference": 4.0,
    "generation": r"<answer>\boxed{4}</answer>",
    "gen_length": 32,
    "model": "m",
}


def weft(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "weft", *map(str, arguments)],
        text=True,
        capture_output=True,
        timeout=120,
        check=False,
    )


def test_score_writes_a_record_per_example_and_prints_one_line(tmp_path):
    (tmp_path / "g.jsonl").write_text(json.dumps(EXAMPLE) + "\n")
    out = tmp_path / "s.jsonl"
    arguments = ["--benchmark", "gsm8k", "--rules", "d1", "--out", str(out), str(tmp_path / "g.jsonl")]
    result = RUN.invoke(app, ["score", *arguments])
    assert result.exit_code == 0
    assert result.output.count("\n") == 1
    assert "accuracy 100.00 % of 1 examples" in result.output
    assert json.loads(out.read_text())["verdict"] == "correct"


@pytest.mark.parametrize("content", ["", "{", '{"generations": 3}', "\x00"])
def test_an_unreadable_file_gives_exit_code_2_and_one_message(tmp_path, content):
    (tmp_path / "bad.json").write_text(content)
    out = tmp_path / "s.jsonl"
    result = weft("score", "--benchmark", "gsm8k", "--out", out, tmp_path / "bad.json")
    assert result.returncode == 2
    assert "bad.json" in result.stderr
    assert "Traceback" not in result.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--benchmark", "gsm9k"], "--benchmark must be one of .*'gsm8k'.*got 'gsm9k' without"),
        (
            ["--benchmark", "gsm8k", "--custom", "x.py"],
            "--benchmark must be .*got 'gsm8k' with --custom",
        ),
        (["--benchmark", "x", "--custom", "nowhere.py"], "Python file, got nowhere.py"),
        (["--benchmark", "gsm8k", "--rules", "d2"], "'d2' is not one of 'd1', 'strict'"),
    ],
)
def test_a_wrong_benchmark_gives_exit_code_2_and_one_message(tmp_path, arguments, message):
    (tmp_path / "g.jsonl").write_text(json.dumps(EXAMPLE) + "\n")
    result = weft("score", *arguments, "--out", tmp_path / "s.jsonl", tmp_path / "g.jsonl")
    assert result.returncode == 2
    assert re.search(message, " ".join(result.stderr.replace("│", " ").split()))
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "s.jsonl").exists()


def test_generations_are_never_overwritten_by_their_scores(tmp_path):
    path = tmp_path / "g.jsonl"
    path.write_text(json.dumps(EXAMPLE) + "\n")
    result = weft("score", "--benchmark", "gsm8k", "--out", path, path)
    assert (result.returncode, str(path) in result.stderr) == (2, True)
    assert json.loads(path.read_text()) == EXAMPLE


def test_a_custom_benchmark_is_scored_by_its_own_function(tmp_path):
    answers = {"Nairobi": "<answer>nairobi</answer>", "Lima": "<answer>Quito</answer>"}
    rows = [
        EXAMPLE | {"example_id": city, "benchmark": "capitals", "reference": city, "generation": answer}
        for city, answer in answers.items()
    ]
    (tmp_path / "g.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "s.jsonl"
    custom = ["--benchmark", "capitals", "--custom", "examples/custom_benchmark.py", "--rules", "strict"]
    result = RUN.invoke(app, ["score", *custom, "--out", str(out), str(tmp_path / "g.jsonl")])
    assert "capitals (custom): accuracy 50.00 % of 2 examples" in result.output
    verdicts = [json.loads(line)["verdict"] for line in out.read_text().splitlines()]
    assert verdicts == ["correct", "wrong"]


def test_scoring_imports_no_torch(tmp_path):
    (tmp_path / "g.jsonl").write_text(json.dumps(EXAMPLE) + "\n")
    arguments = ["score", "--benchmark", "gsm8k", "--out", str(tmp_path / "s"), str(tmp_path / "g.jsonl")]
    code = (
        f"import sys; from weft.cli import app; app({arguments}, standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_wrong_run_lists_the_existing_runs():
    files = ["--questions", "q", "--base", "b", "--out", "o"]
    result = weft("sample", "--experiment", "tiny", "--run", "dpo", "--gen-length", 32, *files)
    assert result.returncode == 2
    assert "weft-worked-seed1" in result.stderr


def sampling(*options):
    files = ["--experiment", "tiny", "--run", "base", "--questions", "q", "--base", "b"]
    return RUN.invoke(app, ["sample", *files, *map(str, options)])


@pytest.mark.parametrize(
    ("options", "environment", "message"),
    [
        (["--shard", "3/2"], {}, "from 1/2 to 2/2, got 3/2"),
        (["--shard", "half"], {}, "must be K/N, such as 2/4, or auto, got 'half'"),
        (["--shard", "auto"], {"RANK": "0", "WORLD_SIZE": "2"}, "--out must contain {shard}"),
        (["--shard", "auto"], {"SLURM_PROCID": "x", "SLURM_NTASKS": "2"}, "must be numbers"),
    ],
)
def test_a_wrong_shard_is_refused(monkeypatch, options, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = sampling("--gen-length", 32, "--out", "o", *options)
    assert message in str(result.exception)
    assert not list(Path().glob(".o*"))


def write_questions(path, example_ids):
    rows = [
        {"example_id": name, "benchmark": "b", "question": "", "prompt": "", "reference": 1}
        for name in example_ids
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--gen-length", 32, "--gen-length", 32, "--out", "{gen_length}"], "must be given once, got 32 32"),
        (["--gen-length", 32, "--out", "{benchmrk}.jsonl"], "{shard} and {shards}, got {benchmrk} in"),
        (
            ["--gen-length", 32, "--out", "{benchmark}.jsonl"],
            "must not be a file of questions, got good.jsonl",
        ),
        (
            ["--gen-length", 32, "--questions", "bad.jsonl", "--out", "out/{benchmark}"],
            "bad.jsonl, line 2: example_id must be unique, got 'q1' again",
        ),
    ],
)
def test_all_arguments_of_sample_are_checked_before_a_question_is_answered(
    tmp_path, monkeypatch, options, message
):
    settings = ["sample", "--experiment", str(Path("experiments/tiny.yaml").resolve()), "--run", "base"]
    base = ["--base", str(Path("experiments/tiny-base").resolve())]
    (tmp_path / "config.yaml").write_text(Path("config.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    good = write_questions(Path("good.jsonl"), ["q1"]).read_text()
    write_questions(Path("bad.jsonl"), ["q1", "q1"])
    result = RUN.invoke(app, [*settings, *base, "--questions", "good.jsonl", *map(str, options)])
    assert message in str(result.exception)
    assert Path("good.jsonl").read_text() == good
    assert not Path("out").exists()


def test_the_files_to_read_must_exist():
    result = sampling("--gen-length", 32, "--out", "o")
    assert "base model and adapter must exist, got q" in str(result.exception)


def test_merging_joins_shards_and_refuses_missing_answers(tmp_path):
    rows = [
        {"example_id": f"q{n}", "benchmark": "b", "question": "", "prompt": "", "reference": n}
        for n in (0, 1)
    ]
    settings = {"gen_length": 8, "diffusion_steps": 4, "block_length": 4}
    fields = {"generation": "a"} | settings | {"seed": None, "model": "m", "digest": ""}
    for row in rows:
        (tmp_path / row["example_id"]).write_text(json.dumps(row | fields) + "\n")
    (tmp_path / "questions").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["merge", "--questions", tmp_path / "questions", "--out", tmp_path / "out", tmp_path / "q1"]
    result = weft(*arguments)
    assert result.returncode == 2
    assert "for q0;" in result.stderr
    assert "Traceback" not in result.stderr
    result = weft(*arguments, tmp_path / "q0")
    assert (result.returncode, result.stdout) == (0, f"2 answers of 2 shards -> {tmp_path / 'out'}\n")
    assert [json.loads(line)["example_id"] for line in (tmp_path / "out").read_text().splitlines()] == [
        "q0",
        "q1",
    ]


def test_a_step_of_the_wrong_kind_is_refused():
    result = RUN.invoke(app, ["data", "dataset", "--experiment", "d1-baselines", "--out", "x", "worked"])
    assert re.search(r"d1-baselines.*fine-tuning.*generations", str(result.exception))


@pytest.mark.parametrize("command", [["plan", "tiny"], ["config", "show", "paper"], ["doctor"], ["--help"]])
def test_commands_that_print_information(command):
    assert RUN.invoke(app, command).exit_code == 0


def test_every_subcommand_has_help():
    for group in ([], ["data"], ["report"], ["config"]):
        assert "Usage" in RUN.invoke(app, [*group, "--help"]).output
