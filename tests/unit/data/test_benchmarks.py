import json

import pytest

from weft.config.sources import GeneratedBenchmark
from weft.data.benchmarks import generate_questions, read_jsonl, read_published, write_jsonl
from weft.errors import DataError


def test_generated_questions_have_ids_prompts_and_references():
    rows = generate_questions("sudoku", GeneratedBenchmark(source="generated", num_examples=5, seed=1))
    assert [set(row) for row in rows] == [{"example_id", "benchmark", "question", "prompt", "reference"}] * 5
    assert len({row["example_id"] for row in rows}) == 5


@pytest.mark.parametrize(
    ("benchmark", "name", "line", "reference"),
    [
        ("sudoku", "s.csv", "Puzzle,Solution\n0234341221434321,1234341221434321\n", "1234341221434321"),
        ("countdown", "c.jsonl", json.dumps({"input": "3,4,5", "output": "17"}), [[3, 4, 5], 17]),
        ("gsm8k", "g.jsonl", json.dumps({"question": "q", "answer": "work\n#### 1,200"}), 1200.0),
        ("gsm8k", "g.jsonl", json.dumps({"question": "q", "answer": "work\n#### -3"}), None),
        ("math500", "m.jsonl", json.dumps({"problem": "p", "answer": r"\frac{1}{2}"}), r"\frac{1}{2}"),
    ],
)
def test_published_forms(tmp_path, benchmark, name, line, reference):
    (tmp_path / name).write_text(line)
    row = read_published(benchmark, tmp_path / name, num_examples=None, instruction="mathematics")[0]
    assert row["reference"] == reference
    assert row["prompt"].endswith(f"\n\n{row['question']}")
    assert row["prompt"] != row["question"]


def test_questions_equal_those_of_the_published_generations(shared_data):
    files = {
        "sudoku": ("d1_dataset/4x4_test_sudoku.csv", 256),
        "countdown": ("d1_dataset/countdown_cd3_test.jsonl", 256),
        "gsm8k": ("gsm8k/test.jsonl", None),
        "math500": ("math500/test.jsonl", None),
    }
    for benchmark, (file, size) in files.items():
        rows = read_published(benchmark, shared_data / file, num_examples=size)
        ours = {row["question"]: row["reference"] for row in rows}
        shards = list((shared_data / "d1_baselines").glob(f"{benchmark}_*.json"))
        published = [item for shard in shards for item in json.loads(shard.read_text())["generations"]]
        assert published
        assert all(ours[item["question"]] == item["ground_truth"] for item in published)


def test_too_small_a_file_is_refused(tmp_path):
    (tmp_path / "c.jsonl").write_text(json.dumps({"input": "3,4,5", "output": "17"}))
    with pytest.raises(DataError, match="at least 2 questions, got 1"):
        read_published("countdown", tmp_path / "c.jsonl", num_examples=2)


def test_a_broken_line_is_named(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(DataError, match=r"x.jsonl, line 2"):
        read_jsonl(tmp_path / "x.jsonl")


def test_any_text_survives_writing_and_reading(tmp_path):
    rows = [{"text": "line\u2028separator \u0085 \ud800 \x00 \n end"}, {"text": ""}]
    write_jsonl(rows, tmp_path / "x.jsonl")
    assert read_jsonl(tmp_path / "x.jsonl") == rows


def test_lines_come_back(tmp_path):
    write_jsonl([{"a": "é"}], tmp_path / "new" / "x.jsonl")
    assert read_jsonl(tmp_path / "new" / "x.jsonl") == [{"a": "é"}]
