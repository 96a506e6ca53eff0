from typer.testing import CliRunner

from weft.cli import app
from weft.harness import command


def test_all_arguments_are_handed_to_the_harness(monkeypatch):
    seen = []
    monkeypatch.setattr(command, "run_harness", seen.append)
    given = ["--model_args", "pretrained=x,mc_num=8", "--tasks", "gsm8k", "-h", "-b4", "--limit=3", "-L", "2"]
    result = CliRunner().invoke(app, ["lm-eval", *given])
    assert result.exception is None
    assert seen == [given]
