import itertools
import json
import tracemalloc
from pathlib import Path

import yaml
from typer.testing import CliRunner

from perf.scoring import sudoku_answers
from weft.benchmarks import SCORERS, Score
from weft.cli import app
from weft.errors import WeftError
from weft.layout import ResultLayout, provenance_file
from weft.provenance import file_sha256
from weft.records import TIMED_OUT, Provenance
from weft.records.files import read_json, write_lines

RECORD = {
    "example_id": "00",
    "benchmark": "gsm8k",
    "question": "How many?",
    "reference": 4.0,
    "generation": r"<answer>\boxed{4}</answer>",
}


def score_line(tmp_path, rows):
    path = tmp_path / "g.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["score", "--benchmark", "gsm8k", "--out", str(tmp_path / "s.jsonl"), str(path)]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.output.count("\n")) == (0, 1)
    return result.output


def test_scores_have_provenance(tmp_path):
    score_line(tmp_path, [RECORD])
    scores, generations = tmp_path / "s.jsonl", tmp_path / "g.jsonl"
    provenance = read_json(provenance_file(scores), Provenance)
    assert provenance.sha256 == file_sha256(scores)
    assert provenance.inputs == {str(generations): file_sha256(generations)}


def test_a_reference_of_another_form_is_an_error_before_anything_is_written(tmp_path):
    rows = [RECORD, RECORD | {"example_id": "01", "reference": "4"}]
    (tmp_path / "g.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = ["--benchmark", "gsm8k", "--out", str(tmp_path / "s.jsonl"), str(tmp_path / "g.jsonl")]
    result = CliRunner().invoke(app, ["score", *arguments])
    assert isinstance(result.exception, WeftError)
    assert "g.jsonl, line 2: a gsm8k reference must be a number or null, got '4'" in str(result.exception)
    assert not (tmp_path / "s.jsonl").exists()


def test_score_counts_the_answers_that_timed_out(tmp_path, monkeypatch):
    def time_out(generation, *, question, reference):
        reason = f"{TIMED_OUT}: it took long" if "9^9" in generation else "it failed"
        return Score.unscorable(generation, reason=reason)

    monkeypatch.setitem(SCORERS["gsm8k"], "d1", time_out)
    rows = [RECORD | {"example_id": str(number), "generation": "9^9" * (number % 2)} for number in range(3)]
    assert "0 correct, 3 unscorable (1 timed out) ->" in score_line(tmp_path, rows)
    assert "0 correct, 1 unscorable ->" in score_line(tmp_path, rows[:1])


def test_an_unknown_experiment_is_an_error_before_anything_is_written(tmp_path):
    (tmp_path / "g.jsonl").write_text(json.dumps(RECORD) + "\n")
    arguments = ["--benchmark", "gsm8k", "--out", str(tmp_path / "s.jsonl"), str(tmp_path / "g.jsonl")]
    result = CliRunner().invoke(app, ["score", "--experiment", "no-such-experiment", *arguments])
    assert isinstance(result.exception, WeftError)
    assert not (tmp_path / "s.jsonl").exists()


def test_score_names_approximate_sampling_in_its_line(tmp_path):
    rows = [RECORD | {"approximate": "dual cache, threshold 0.9"}, RECORD | {"example_id": "01"}]
    line = score_line(tmp_path, rows[:1])
    assert "0 unscorable, approximate sampling: dual cache, threshold 0.9 ->" in line
    assert "approximate sampling: dual cache, threshold 0.9 (1 of 2 answers) ->" in score_line(tmp_path, rows)
    assert "approximate sampling" not in score_line(tmp_path, rows[1:])


def test_score_run_scores_all_files_of_a_run_as_score_does(tmp_path):
    layout = ResultLayout(tmp_path)
    content = yaml.safe_load(Path("experiments/tiny.yaml").read_text(encoding="utf-8"))
    content["benchmarks"] = {
        "gsm8k": content["benchmarks"]["gsm8k"],
        "capitals": {"source": "custom", "path": "examples/custom_benchmark.py"},
    }
    content["sampling"]["gen_lengths"] = [32, 64]
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    for name, length in itertools.product(content["benchmarks"], (32, 64)):
        answers = layout.samples("base", name, length)
        answers.parent.mkdir(parents=True, exist_ok=True)
        reference = 4 if name == "gsm8k" else "4"
        answers.write_text(json.dumps(RECORD | {"benchmark": name, "reference": reference}) + "\n")
    command = ["score-run", "--experiment", str(tmp_path / "tiny.yaml"), "--rules", "strict"]
    result = CliRunner().invoke(app, [*command, "--run", "base", str(tmp_path)])
    assert (result.exit_code, result.output.count("\n")) == (0, 4), result.output
    for name, custom in (("gsm8k", []), ("capitals", ["--custom", "examples/custom_benchmark.py"])):
        answers, scores = layout.samples("base", name, 64), layout.scores("strict", "base", name, 64)
        alone = ["score", "--benchmark", name, "--rules", "strict", "--out", str(tmp_path / "s.jsonl")]
        assert CliRunner().invoke(app, [*alone, *custom, str(answers)]).exit_code == 0
        assert scores.read_bytes() == (tmp_path / "s.jsonl").read_bytes()
        assert json.loads(scores.read_text())["rules"] == ("custom" if custom else "strict")
        recorded = read_json(provenance_file(scores), Provenance)
        assert list(recorded.inputs) == [str(answers), *custom[1:]]
    result = CliRunner().invoke(app, [*command, "--run", "other", str(tmp_path)])
    assert "--run must be one of ['base'," in str(result.exception)


def peak_bytes(tmp_path, count):
    """Return the peak of Python's memory while answers are scored."""
    answers, out = tmp_path / "answers.jsonl", tmp_path / "scores.jsonl"
    write_lines(answers, sudoku_answers(count))
    tracemalloc.start()
    try:
        result = CliRunner().invoke(app, ["score", "--benchmark", "sudoku", "--out", str(out), str(answers)])
        assert f"of {count} examples" in result.output
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_memory_does_not_grow_with_the_answers(tmp_path):
    peak_bytes(tmp_path, 10)  # which loads modules
    assert peak_bytes(tmp_path, 800) - peak_bytes(tmp_path, 100) < 700 * 250, "an answer has 700 bytes"
