import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.support.packages import hidden_without
from weft.cli import app, verify_gpu
from weft.cli.shared import load_fine_tuning
from weft.devices.visible import Device
from weft.errors import ConfigError
from weft.records.files import read_json
from weft.verify.records import VerifyReport
from weft.verify.run import PAGE_FILE, RESULT_FILE, Plan, require_suitable, verify

NEEDED = ("torch", "transformers", "peft", "tokenizers", "safetensors", "pydantic", "typer")
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({hidden!r}))
from weft.__main__ import main
sys.argv = {arguments!r}
main()
"""
"""Runs the command line as if modules were not installed."""
COMMAND = ["verify-gpu", "--size", "tiny", "--threads", "1", "--out", "out"]


def plan(**changes):
    settings = {
        "experiment": load_fine_tuning("paper"),
        "size_name": "tiny",
        "checkpoint": None,
        "questions": [],
        "device": torch.device("cpu"),
        "num_devices": 1,
        "threads": 1,
        "report": lambda name, outcome: None,
    }
    return Plan(**settings | changes)


def test_parts_are_joined_in_one_file_and_one_page(tmp_path):
    verify(plan(), ["parity"], tmp_path)
    first = read_json(tmp_path / RESULT_FILE, VerifyReport)
    verify(plan(), ["parity"], tmp_path)
    again = read_json(tmp_path / RESULT_FILE, VerifyReport)
    assert [part.part for part in again.parts] == ["parity"]
    assert first.parts[0].measurements == again.parts[0].measurements
    assert "## Parity" in (tmp_path / PAGE_FILE).read_text()


def test_results_of_another_machine_are_not_joined(tmp_path):
    verify(plan(), ["parity"], tmp_path)
    stored = json.loads((tmp_path / RESULT_FILE).read_text())
    stored["machine"]["device"] = "another"
    (tmp_path / RESULT_FILE).write_text(json.dumps(stored))
    with pytest.raises(ConfigError, match=r"same device, .* got another .*; give another --out"):
        verify(plan(), ["parity"], tmp_path)


def test_results_that_cannot_be_written_are_refused_before_anything_is_measured(tmp_path):
    (tmp_path / "file").touch()
    measured = []
    with pytest.raises(ConfigError, match=r"--out must be a directory, got .*file"):
        verify(plan(report=lambda *outcome: measured.append(outcome)), ["parity"], tmp_path / "file")
    assert measured == []


def test_an_experiment_without_adapters_is_refused():
    experiment = load_fine_tuning("paper")
    training = experiment.training.model_copy(update={"lora": None})
    with pytest.raises(ConfigError, match=r"got training.lora: null; choose another experiment"):
        require_suitable(plan(experiment=experiment.model_copy(update={"training": training})))


def test_goals_do_not_apply_to_the_tiny_network(tmp_path):
    seen = []
    verify(plan(report=lambda name, outcome: seen.append(outcome)), ["parity"], tmp_path)
    assert seen
    assert all(outcome.goal is None for outcome in seen)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "cpu"], "--size 8b and --model require a GPU"),
        (["--size", "tiny", "--device", "cpu", "--model", "x"], "--size 8b and --model require a GPU"),
        (["--size", "tiny", "--device", "cpu", "--questions", "q.jsonl"], "--questions requires --model"),
        (["--size", "tiny", "--part", "speed"], "--part must be one of .*parity.* got 'speed'"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    result = CliRunner().invoke(app, ["verify-gpu", *arguments])
    assert isinstance(result.exception, ConfigError)
    with pytest.raises(ConfigError, match=message):
        raise result.exception


def run_without(hidden, *arguments, folder):
    code = WITHOUT.format(hidden=sorted(hidden), arguments=["weft", *arguments])
    repository = Path(__file__).resolve().parents[3]
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(repository), "PATH": "", "OMP_NUM_THREADS": "1", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_parity_needs_few_packages(tmp_path):
    hidden = hidden_without(NEEDED)
    assert {"jaxtyping", "datasets", "deepspeed", "pandas"} <= hidden
    run = run_without(hidden, *COMMAND, "--part", "parity", folder=tmp_path)
    assert run.returncode == 0, run.stderr
    assert "jaxtyping" not in run.stderr
    assert (tmp_path / "out" / PAGE_FILE).exists()


@pytest.mark.slow
def test_all_parts_run_with_few_packages_and_say_what_was_left_out(tmp_path):
    hidden = hidden_without(NEEDED)
    run = run_without(hidden, *COMMAND, folder=tmp_path)
    assert run.returncode == 0, run.stderr
    report = read_json(tmp_path / "out" / RESULT_FILE, VerifyReport)
    assert [part.part for part in report.parts] == ["parity", "step", "sample"]
    assert [len(part.skipped) for part in report.parts] == [0, 2, 0]
    assert "deepspeed, datasets not installed" in report.parts[1].skipped[0].why


@pytest.mark.parametrize(
    ("name", "visible", "expected"),
    [
        ("auto", [Device("0", "GPU-a"), Device("1", "GPU-b")], 2),
        ("cuda:1", [Device("0", "GPU-a"), Device("1", "GPU-b")], 1),
        ("cuda", [Device("MIG-a", "MIG-a"), Device("MIG-b", "MIG-b")], 1),
        ("cpu", [Device("0", "GPU-a"), Device("1", "GPU-b")], 1),
    ],
)
def test_all_visible_gpus_train_together_unless_they_cannot(monkeypatch, name, visible, expected):
    monkeypatch.setattr(verify_gpu, "list_visible", lambda: visible)
    monkeypatch.setattr(verify_gpu, "device_kind", lambda name: "cpu" if name == "cpu" else "cuda")
    assert verify_gpu.count_devices(name) == expected
