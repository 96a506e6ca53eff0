"""Training sets from files: which rows are taken, what is reported, and what is refused."""

import json

import datasets
import pytest

from weft.config.sources import FileData
from weft.data import row_sets
from weft.data.datasets import load_dataset
from weft.data.row_sets import read_row_set
from weft.errors import DataError

CHAT = {"messages": [{"role": "user", "content": "3+3?"}, {"role": "assistant", "content": "6"}]}


def pairs(*numbers):
    return [{"question": f"{n}+{n}?", "answer": str(2 * n)} for n in numbers]


@pytest.fixture
def write(tmp_path):
    """Write rows as JSON Lines and return the path."""

    def write(name, *rows):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(tmp_path / name)

    return write


def read(path, *, source="file", **options):
    return read_row_set("mine", FileData(source=source, path=path, **options), offline=[])


def questions(found):
    return [example.question for example in found.examples]


def test_several_files_are_read_in_the_order_of_the_experiment(write, tmp_path):
    (tmp_path / "b.csv").write_text("question,answer\n7+7?,14\n")
    found = read([write("c.jsonl", *pairs(1, 2)), str(tmp_path / "b.csv"), write("a.jsonl", *pairs(3))])
    assert questions(found) == ["1+1?", "2+2?", "7+7?", "3+3?"]
    places = [example.origin.removeprefix(f"{tmp_path}/") for example in found.examples]
    assert places == ["c.jsonl, line 1", "c.jsonl, line 2", "b.csv, line 2", "a.jsonl, line 1"]


def test_what_was_recognised_and_the_first_example_are_reported(write):
    row = {"problem": "long " * 200 + "?", "solution": "a\n\nb"}
    path = write("a.jsonl", row, {"problem": "q", "solution": "a"})
    loaded = load_dataset(
        "mine",
        FileData(source="file", path=path, columns={"question": "problem", "answer": "solution"}),
        offline=[],
    )
    form, first, user, assistant = loaded.report
    assert form == "rows in the form question_answer: question (problem), answer (solution)"
    assert first == f"the first example, {path}, line 1:"
    assert user.startswith("  user: long long")
    assert user.endswith(" ...")
    assert len(user) < 200
    assert assistant == "  assistant: a b"


def test_the_first_examples_are_taken_and_repeated_ones_do_not_count(write):
    path = write("a.jsonl", *pairs(1, 1, 2, 3))
    assert questions(read(path, num_examples=2)) == ["1+1?", "2+2?"]
    assert len(read(path, num_examples=3).examples) == 3
    message = r"datasets.mine.num_examples must be at most .* got 4 for 3 examples in 4 rows"
    with pytest.raises(DataError, match=message):
        read(path, num_examples=4)


def test_rows_behind_the_last_example_are_not_read(write):
    path = write("a.jsonl", *pairs(1), {"question": "no answer"})
    assert questions(read(path, num_examples=1)) == ["1+1?"]
    with pytest.raises(DataError, match=r"line 2: expected answer and question \(form question_answer\)"):
        read(path)


def test_all_rows_have_the_form_of_the_first(write):
    path = write("a.jsonl", *pairs(1), CHAT)
    with pytest.raises(DataError, match=r"a.jsonl, line 2: expected answer and question"):
        read(path)
    assert questions(read(path, source="jsonl")) == ["1+1?", "3+3?"]
    other = write("b.jsonl", {"instruction": "2+2?", "output": "4"}, *pairs(1))
    message = (
        r"b.jsonl, line 2: expected instruction and output \(form alpaca\), as in the first row, got the "
    )
    with pytest.raises(DataError, match=rf"{message}keys 'question', 'answer'; .*the same form$"):
        read(other)


def test_the_form_of_the_experiment_is_used(write):
    path = write("a.jsonl", {**CHAT, "prompt": "1+1?", "completion": "2"})
    assert questions(read(path)) == ["3+3?"]
    assert questions(read(path, form="prompt_completion")) == ["1+1?"]


def test_folders_are_read_with_their_split(write, tmp_path):
    write("clone/data/train-0.jsonl", *pairs(1, 2))
    write("clone/data/test-0.jsonl", *pairs(3))
    clone = str(tmp_path / "clone")
    assert questions(read(clone)) == ["1+1?", "2+2?"]
    assert questions(read(clone, split="test")) == ["3+3?"]
    train, other = (datasets.Dataset.from_list(pairs(*numbers)) for numbers in ((4, 5), (6,)))
    datasets.DatasetDict({"train": train, "other": other}).save_to_disk(tmp_path / "saved")
    found = read([clone, str(tmp_path / "saved")], split="train[:50%]")
    assert questions(found) == ["1+1?", "4+4?"]
    assert found.examples[1].origin == f"{tmp_path}/saved/train, row 1"
    with pytest.raises(DataError, match=r"clone: split expected at least 3 rows, got 2; correct split"):
        read(clone, split="train[:3]")
    with pytest.raises(DataError, match=r"train-0.jsonl: expected a folder, whose splits can be chosen"):
        read(f"{clone}/data/train-0.jsonl", split="train")


def test_a_hash_is_of_one_file(write, tmp_path):
    with pytest.raises(DataError, match=r"a.jsonl must have sha256 0{64}"):
        read(write("a.jsonl", *pairs(1)), sha256="0" * 64)
    with pytest.raises(DataError, match=f"{tmp_path.name} must have sha256"):
        read(str(tmp_path), sha256="0" * 64)


def test_the_number_of_rows_is_bounded(write, monkeypatch):
    monkeypatch.setattr(row_sets, "MAX_ROWS", 2)
    with pytest.raises(DataError, match=r"a.jsonl, line 3: expected at most 2 rows"):
        read(write("a.jsonl", *pairs(1, 1, 1)))
