import json
from pathlib import Path

import pandas as pd
import pytest

from weft.benchmarks.custom import CustomBenchmarkFile, load_custom_benchmark
from weft.config.sources import GeneratedBenchmark
from weft.data.benchmarks import (
    generate_questions,
    read_custom,
    read_jsonl,
    read_published,
    read_records,
    write_jsonl,
)
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
        ("gsm8k", "g.jsonl", json.dumps({"question": "q", "answer": "work\n#### -3"}), -3.0),
        ("math500", "m.jsonl", json.dumps({"problem": "p", "answer": r"\frac{1}{2}"}), r"\frac{1}{2}"),
    ],
)
def test_published_forms(tmp_path, benchmark, name, line, reference):
    (tmp_path / name).write_text(line)
    row = read_published(benchmark, tmp_path / name, num_examples=None, instruction="Think.")[0]
    assert row["reference"] == reference
    assert row["prompt"] == f"Think.\n\n{row['question']}"


def test_a_parquet_file_of_the_hub_says_the_same(tmp_path):
    row = {"question": "How many?", "answer": "work\n#### 1,200"}
    pd.DataFrame([row]).to_parquet(tmp_path / "g.parquet")
    write_jsonl([row], tmp_path / "g.jsonl")
    from_hub, from_web = (
        read_published("gsm8k", tmp_path / name, num_examples=None) for name in ("g.parquet", "g.jsonl")
    )
    assert from_hub == from_web


@pytest.mark.parametrize(
    ("benchmark", "record", "message"),
    [
        ("sudoku", {"Puzzle": "12", "Solution": "34"}, "16 digits, got '12'"),
        (
            "sudoku",
            {"puzzle": "1" * 16},
            "the field 'Puzzle' must hold text, got None; the row has .'puzzle'",
        ),
        ("countdown", {"input": "3,x", "output": "17"}, "x"),
        ("gsm8k", {"question": "q", "answer": "no number"}, "must end with #### and a number"),
        ("math500", {"problem": " ", "answer": "1"}, "the field 'problem' must hold text, got ' '"),
        ("math500", {"problem": "p", "answer": 1}, "the field 'answer' must hold text, got 1"),
    ],
)
def test_a_foreign_row_is_named(tmp_path, benchmark, record, message):
    good = {
        "sudoku": {"Puzzle": "0234341221434321", "Solution": "1234341221434321"},
        "countdown": {"input": "3,4,5", "output": "17"},
        "gsm8k": {"question": "q", "answer": "#### 1"},
        "math500": {"problem": "p", "answer": "1"},
    }[benchmark]
    write_jsonl([good, record], tmp_path / "x.jsonl")
    with pytest.raises(DataError, match=f"x.jsonl, row 2: must be a question of {benchmark}.*{message}"):
        read_published(benchmark, tmp_path / "x.jsonl", num_examples=None)


@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
def test_a_file_of_another_form_is_refused(tmp_path, name):
    (tmp_path / name).write_text('a,b\n1,"2')
    with pytest.raises(DataError, match=f"must be a .{name[2:]} file: .* fetch it again"):
        read_records(tmp_path / name)


def test_own_questions_keep_their_order_and_get_their_instruction():
    custom = load_custom_benchmark(Path("examples/custom_benchmark.py"))
    rows = read_custom("capitals", custom, num_examples=2)
    assert [row["reference"] for row in rows] == ["Nairobi", "Lima"]
    assert {row["benchmark"] for row in rows} == {"capitals"}
    assert all(row["prompt"] == f"{custom.instruction}\n\n{row['question']}" for row in rows)
    assert len(read_custom("capitals", custom, num_examples=None)) == 4


def test_an_empty_instruction_adds_nothing():
    custom = CustomBenchmarkFile(
        path=Path("x.py"), instruction="", questions=lambda: [("Q?", 1)], scorer=print
    )
    assert read_custom("x", custom, num_examples=None)[0]["prompt"] == "Q?"


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
        if benchmark == "gsm8k":  # where d1's parser found no number, its file has null
            assert {item["ground_truth"] for item in published if not ours[item["question"]] >= 0} == {None}
            published = [item for item in published if ours[item["question"]] >= 0]
        assert all(ours[item["question"]] == item["ground_truth"] for item in published)


@pytest.mark.parametrize(
    ("benchmark", "file"),
    [("sudoku", "d1_dataset/4x4_test_sudoku.csv"), ("countdown", "d1_dataset/countdown_cd3_test.jsonl")],
)
def test_the_seeded_choice_stands_in_the_published_order(shared_data, benchmark, file):
    """d1 sampled on seven devices, of which number r took the questions r, r + 7, r + 14 and so on."""
    questions = [row["question"] for row in read_published(benchmark, shared_data / file, num_examples=256)]
    shards = sorted((shared_data / "d1_baselines").glob(f"{benchmark}_*_generations.json"))
    assert len(shards) == 11
    for shard in shards:
        rank = int(shard.stem.split("_")[-2])
        published = [item["question"] for item in json.loads(shard.read_text())["generations"]]
        assert published == questions[rank::7]


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
