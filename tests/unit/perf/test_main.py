from pathlib import Path

import pytest
from typer.testing import CliRunner

from perf import sampler
from perf.__main__ import app
from weft.errors import ConfigError


def test_the_sampler_s_experiment_is_checked_before_anything_is_measured(tmp_path, monkeypatch):
    threshold = Path("experiments/tiny.yaml").read_text()
    threshold = threshold.replace("  tokens_per_step: 1 ", "  confidence_threshold: 0.9 ")
    (tmp_path / "tiny.yaml").write_text(threshold)
    monkeypatch.setattr(sampler, "bench_sampler", lambda **_: pytest.fail("this part is long"))
    arguments = ["sampler", "--quick", "--experiment", str(tmp_path / "tiny.yaml")]
    with pytest.raises(ConfigError, match=r"got sampling.confidence_threshold: 0\.9;"):
        CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_help_lists_the_measurements():
    output = CliRunner().invoke(app, ["--help"]).output
    assert "startup" in output
    assert "training" in output
    assert "sampler" in output


def test_the_sampler_is_measured_with_a_shipped_model_only():
    with pytest.raises(ConfigError, match="'paper'"):
        CliRunner().invoke(app, ["sampler", "--experiment", "paper"], catch_exceptions=False)
