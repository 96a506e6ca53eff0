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
