import json
from pathlib import Path

import pandas as pd
import pytest

from weft.benchmarks.custom import load_custom_benchmark
from weft.config.sources import CustomBenchmark, GeneratedBenchmark, PublishedBenchmark
from weft.data.questions import load_questions, read_published
from weft.data.tasks.problem import split_of
from weft.errors import DataError
from weft.provenance import file_sha256

ROWS = {
    "sudoku": {"Puzzle": "0234341221434321", "Solution": "1234341221434321"},
    "countdown": {"input": "3,4,5", "output": "17"},
    "gsm8k": {"question": "q", "answer": "work\n#### 1,200"},
    "math500": {"problem": "p", "answer": r"\frac{1}{2}"},
}
REFERENCES = {
    "sudoku": "1234341221434321",
    "countdown": [[3, 4, 5], 17],
    "gsm8k": 1200.0,
    "math500": r"\frac{1}{2}",
}
CUSTOM = "examples/custom_benchmark.py"


def put(folder, rows, name="x.jsonl"):
    path = folder / name
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    else:
        pd.DataFrame(rows).to_parquet(path)
    return path


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.parquet"])
@pytest.mark.parametrize("benchmark", ROWS)
def test_published_rows_become_questions_in_every_file_format(tmp_path, benchmark, name):
    path = put(tmp_path, [ROWS[benchmark]], name)
    (question,) = read_published(benchmark, path, num_examples=None, instruction="Think.")
    assert question.reference == REFERENCES[benchmark]
    assert question.prompt == f"Think.\n\n{question.question}"
    assert question.benchmark == benchmark


def test_a_negative_number_is_read(tmp_path):
    path = put(tmp_path, [{"question": "q", "answer": "work\n#### -3"}])
    assert read_published("gsm8k", path, num_examples=None)[0].reference == -3.0


@pytest.mark.parametrize(
    ("benchmark", "row", "field", "value"),
    [
        ("sudoku", {"Puzzle": "12", "Solution": "34"}, "Puzzle", "12"),
        ("sudoku", {"puzzle": "1" * 16}, "Puzzle", "puzzle"),
        ("countdown", {"input": "3,x", "output": "17"}, "", "x"),
        ("gsm8k", {"question": "q", "answer": "no number"}, "answer", "no number"),
        ("gsm8k", {"question": "q", "answer": f"#### {'9' * 400}"}, "answer", "999"),
        ("math500", {"problem": " ", "answer": "1"}, "problem", "' '"),
        ("math500", {"problem": "p", "answer": 1}, "answer", "1"),
    ],
)
def test_a_malformed_row_is_named(tmp_path, benchmark, row, field, value):
    path = put(tmp_path, [ROWS[benchmark], row])
    with pytest.raises(DataError, match=f"x.jsonl, row 2: .*{benchmark}.*{field}.*{value}"):
        read_published(benchmark, path, num_examples=None)


def test_too_few_published_questions_are_refused(tmp_path):
    with pytest.raises(DataError, match="at least 2 questions, got 1"):
        read_published("gsm8k", put(tmp_path, [ROWS["gsm8k"]]), num_examples=2)
    with pytest.raises(DataError, match="at least 1 questions, got 0"):
        read_published("gsm8k", put(tmp_path, []), num_examples=None)


def test_each_source_gives_questions_and_their_origin(tmp_path):
    generated = GeneratedBenchmark(source="generated", num_examples=5, seed=1)
    loaded = load_questions("sudoku", generated, tmp_path / "q.jsonl", offline=[])
    assert len({question.example_id for question in loaded.records}) == 5
    assert (loaded.inputs, loaded.notes) == ((), {})

    validation = generated.model_copy(update={"split": "validation"})
    others = load_questions("sudoku", validation, tmp_path / "q.jsonl", offline=[])
    keys = [split_of("sudoku", question.question.split()[-1]) for question in others.records]
    assert keys == ["validation"] * 5
    assert [split_of("sudoku", question.question.split()[-1]) for question in loaded.records] == ["test"] * 5

    custom = CustomBenchmark(source="custom", path=CUSTOM, num_examples=2)
    loaded = load_questions("capitals", custom, tmp_path / "q.jsonl", offline=[])
    instruction = load_custom_benchmark(Path(CUSTOM)).instruction
    assert [question.reference for question in loaded.records] == ["Nairobi", "Lima"]
    assert all(one.prompt == f"{instruction}\n\n{one.question}" for one in loaded.records)
    assert [str(path) for path in loaded.inputs] == [CUSTOM]

    put(tmp_path, [ROWS["gsm8k"]], "owner.jsonl")
    file = {"url": "http://127.0.0.1:9/x", "sha256": "", "offline": "owner.jsonl"}
    file["sha256"] = file_sha256(tmp_path / "owner.jsonl")
    published = PublishedBenchmark.model_validate(
        {"source": "published", "file": file, "instruction": "mathematics"}
    )
    loaded = load_questions("gsm8k", published, tmp_path / "q.jsonl", offline=[str(tmp_path)])
    assert [question.reference for question in loaded.records] == [1200.0]
    assert loaded.notes["files"] == [{"file": "gsm8k.source.jsonl", "commit": None, "sha256": file["sha256"]}]
    assert loaded.notes["instruction"]["name"] == "mathematics"


def test_questions_equal_those_of_the_published_generations(shared_data):
    files = {
        "sudoku": ("d1_dataset/4x4_test_sudoku.csv", 256),
        "countdown": ("d1_dataset/countdown_cd3_test.jsonl", 256),
        "gsm8k": ("gsm8k/test.jsonl", None),
        "math500": ("math500/test.jsonl", None),
    }
    for benchmark, (file, size) in files.items():
        questions = read_published(benchmark, shared_data / file, num_examples=size)
        references = {question.question: question.reference for question in questions}
        shards = list((shared_data / "d1_baselines").glob(f"{benchmark}_*.json"))
        published = [item for shard in shards for item in json.loads(shard.read_text())["generations"]]
        assert published
        if benchmark == "gsm8k":  # d1's file has null where its parser did not find the number
            is_read = [references[item["question"]] >= 0 for item in published]
            unread = [item for item, read in zip(published, is_read, strict=True) if not read]
            assert {item["ground_truth"] for item in unread} == {None}
            published = [item for item, read in zip(published, is_read, strict=True) if read]
        assert all(references[item["question"]] == item["ground_truth"] for item in published)


@pytest.mark.parametrize(
    ("benchmark", "file"),
    [("sudoku", "d1_dataset/4x4_test_sudoku.csv"), ("countdown", "d1_dataset/countdown_cd3_test.jsonl")],
)
def test_the_seeded_selection_has_the_published_order(shared_data, benchmark, file):
    """d1 sampled on seven devices; device r took the questions r, r + 7, r + 14 and so on."""
    questions = [one.question for one in read_published(benchmark, shared_data / file, num_examples=256)]
    shards = sorted((shared_data / "d1_baselines").glob(f"{benchmark}_*_generations.json"))
    assert len(shards) == 11
    for shard in shards:
        rank = int(shard.stem.split("_")[-2])
        published = [item["question"] for item in json.loads(shard.read_text())["generations"]]
        assert published == questions[rank::7]
