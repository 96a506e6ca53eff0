"""docs/custom-benchmarks.md: the file is executed by the jobs, and by nothing that only plans them."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.micro import command, environment
from weft.__main__ import main

MARKING = """
from pathlib import Path
Path("executed").touch()
from weft.benchmarks import Score
INSTRUCTION = ""
QUESTIONS = [("2?", "2")]
def score(generation, *, question, reference):
    return Score.from_credit(None, 0.0, reason="other")
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "marking.py").write_text(MARKING)
    (tmp_path / "theirs.yaml").write_text(
        "extends: tiny.yaml\nname: theirs\nlearning_curve: null\n"
        "benchmarks: {marking: {source: custom, path: marking.py}}\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def is_executed(monkeypatch, *arguments):
    """Run a command in this process, and return whether the file was executed."""
    monkeypatch.setattr(sys, "argv", ["weft", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    return Path("executed").exists()


def test_plans_do_not_run_the_file_and_jobs_do(folder, monkeypatch):
    assert not is_executed(monkeypatch, "plan", "theirs.yaml")
    assert not is_executed(monkeypatch, "data", "fetch", "theirs.yaml", "--out", "carried")
    options = ["--experiment", "theirs.yaml", "--out", "questions.jsonl"]
    assert is_executed(monkeypatch, "data", "benchmark", *options, "marking")


def test_a_dry_run_does_not_run_the_file(folder):
    dry = command(folder, "-n", experiment="experiment=theirs.yaml")
    result = subprocess.run(dry, capture_output=True, text=True, env=environment(), check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert not (folder / "executed").exists()
