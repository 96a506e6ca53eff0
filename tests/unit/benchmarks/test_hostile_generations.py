"""Whatever a model has written, its file is read and its answer gets a verdict."""

import json

import pytest

from weft.benchmarks import find_scorer
from weft.benchmarks.generations import read_generations
from weft.benchmarks.scoring import score_generations
from weft.records.scores import MAX_SHOWN_CHARACTERS

REFERENCES = {
    "gsm8k": ("How many?", 18.0),
    "math500": ("What is $x$?", "18"),
    "countdown": ("Numbers: [3, 6]\nTarget: 18", [[3, 6], 18]),
    "sudoku": (
        "Solve the following Sudoku puzzle: 1234341221430000\n",
        "1234341221434321",
    ),
}
TEXTS = {
    "lone surrogates": "\ud800 \udfff <answer>\\boxed{18}</answer>",
    "NUL": "\0" * 1000,
    "terminal codes": "\x1b[2J\\boxed{18}",
    "directions of text": "\u202e\u2066\\boxed{81}",
    "nested boxes": "\\boxed{" * 5000,
    "nested brackets": "<answer>" + "(" * 50_000 + "</answer>",
    "nested tags": "<answer>" * 20_000,
    "long": "<answer>\\boxed{" + "x" * 300_000 + "}</answer>",
    "long without a box": "18 " * 100_000,
    "command": r"<answer>\boxed{\write18{true}}</answer>",
    "empty": "",
}
FIELDS = {
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep object": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "long integer": "9" * 100_000,
    "not a number": "NaN",
    "surrogates": '"\\ud800"',
}


def score(path, benchmark, rules):
    scorer = find_scorer(benchmark, rules)
    generations = read_generations(path, benchmark, scorer=scorer)
    return list(score_generations(generations, scorer=scorer, scoring=rules))


def as_record(benchmark, text, name):
    question, reference = REFERENCES[benchmark]
    return {
        "example_id": name,
        "benchmark": benchmark,
        "question": question,
        "reference": reference,
        "generation": text,
    }


@pytest.mark.parametrize("rules", ["d1", "strict"])
@pytest.mark.parametrize("benchmark", REFERENCES)
def test_every_answer_gets_a_verdict(tmp_path, benchmark, rules):
    path = tmp_path / "answers.jsonl"
    records = [as_record(benchmark, text, f"{name}\n\0\ud800") for name, text in TEXTS.items()]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    scores = score(path, benchmark, rules)
    assert [scored.example_id for scored in scores] == [record["example_id"] for record in records]
    assert all(scored.as_line().isascii() for scored in scores)
    for scored in scores:
        assert len(scored.extracted or "") <= MAX_SHOWN_CHARACTERS
        assert len(scored.reason) <= MAX_SHOWN_CHARACTERS


def test_the_part_that_is_extracted_may_be_long_and_is_cut(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps(as_record("math500", TEXTS["long"], "a")) + "\n")
    [scored] = score(path, "math500", "d1")
    assert scored.extracted == "x" * MAX_SHOWN_CHARACTERS


@pytest.mark.parametrize("value", FIELDS.values(), ids=FIELDS)
def test_a_field_that_is_not_used_does_not_matter(tmp_path, value):
    path = tmp_path / "answers.jsonl"
    record = json.dumps(as_record("gsm8k", r"\boxed{18}", "a"))
    path.write_text(f'{record[:-1]}, "logits": {value}}}\n')
    assert [scored.verdict for scored in score(path, "gsm8k", "strict")] == ["correct"]
    item = json.dumps({"question": "How many?", "generations": r"\boxed{18}", "ground_truth": 18.0})
    path.write_text(f'{{"generations": [{item[:-1]}, "logits": {value}}}], "other": {value}}}')
    assert [scored.verdict for scored in score(path, "gsm8k", "d1")] == ["correct"]


def test_no_number_is_read_from_a_command(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps(as_record("gsm8k", TEXTS["command"], "a")) + "\n")
    assert [scored.verdict for scored in score(path, "gsm8k", "strict")] == ["wrong"]
