"""`weft score` gives each reference answer its verdict, credit and weight, by both scorings.

The answers in tests/reference/answers were written for this test: right and wrong ones, with the slips of
diffusion models. Each line is a generation; its key ``expected`` holds the outcome per scoring.
"""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from weft.benchmarks import SCORERS
from weft.cli import app

ANSWERS = Path(__file__).parents[2] / "reference" / "answers"


@pytest.mark.parametrize("benchmark", SCORERS)
def test_reference_answers_get_their_scores(tmp_path, benchmark):
    path, out = ANSWERS / f"{benchmark}.jsonl", tmp_path / "scores.jsonl"
    answers = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(answers) > 20
    for scoring in SCORERS[benchmark]:
        arguments = ["score", "--benchmark", benchmark, "--rules", scoring, "--out", str(out), str(path)]
        result = CliRunner().invoke(app, arguments)
        assert (result.exit_code, result.output.count("\n")) == (0, 1), result.output
        scores = [json.loads(line) for line in out.read_text().splitlines()]
        assert [score["example_id"] for score in scores] == [answer["example_id"] for answer in answers]
        for answer, score in zip(answers, scores, strict=True):
            outcome = [score["verdict"], score["credit"], score["weight"]]
            assert outcome == answer["expected"][scoring], (scoring, answer["generation"], score["reason"])
