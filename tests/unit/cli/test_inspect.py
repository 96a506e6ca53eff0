import json
import re

from typer.testing import CliRunner

from weft.cli import app
from weft.errors import ConfigError


def plan(*arguments):
    return CliRunner().invoke(app, ["plan", *arguments])


def test_the_plan_is_for_the_gpus_that_are_named():
    result = plan("paper", "--gpu", "a100-40", "--gpus", "4")
    assert result.exit_code == 0, result.output
    assert re.search(r"with 4 A100 40 GB: \d+ to \d+ hours, 4 for a training", result.output)
    assert "H100" not in result.output
    assert "with 1 GPU for a training" in plan("paper").output


def test_an_unknown_gpu_is_an_error_before_anything_is_printed():
    result = plan("d1-baselines", "--gpu", "tpu")
    assert isinstance(result.exception, ConfigError)
    assert "4090" in str(result.exception)
    assert result.output == ""
    assert plan("paper", "--gpus", "0").exit_code == 2


def doctor(*arguments):
    return CliRunner().invoke(app, ["doctor", *arguments])


def test_the_doctor_examines_an_experiment():
    result = doctor("tiny", "--json", "--device", "cpu")
    findings = json.loads(result.stdout)
    checks = {finding["check"] for finding in findings}
    assert checks >= {
        "Python", "versions", "open files", "shared memory", "devices", "compiler", "results, locks",
        "results, replacing files", "results, hard links", "results, clock", "Snakemake", "clock", "memory",
        "disk", "files",
    }  # fmt: skip
    assert {finding["level"] for finding in findings} <= {"ok", "warning"}, findings
    assert result.exit_code == 0


def test_a_problem_is_the_exit_code_of_the_doctor(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").touch()
    result = doctor("--device", "cpu")
    assert "problem  Snakemake: " in result.stdout
    assert len(re.findall("^problem", result.stdout, flags=re.M)) == 1
    assert result.exit_code == 1


def test_the_doctor_checks_nothing_after_the_build(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").touch()
    result = doctor("--build")
    assert result.exit_code == 0, "a checkout is installed also while Snakemake runs in it"
    assert "C++ compiler" in result.stdout
    assert "Snakemake:" not in result.stdout


def test_invalid_options_of_the_doctor():
    result = doctor("--device", "gpu")
    assert isinstance(result.exception, ConfigError)
    assert "--device and --processes" in str(result.exception)
