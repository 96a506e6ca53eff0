"""Training data and questions made to crash or to occupy the program that reads them.

Every file gives one error with the file and the line or row, or is read.
"""

import gzip
import io
import json
import os

import pyarrow as pa
import pyarrow.parquet
import pytest

from weft.config.sources import FileData
from weft.data.datasets import load_dataset
from weft.data.questions import read_published
from weft.errors import DataError, SamplingError
from weft.sampling.files import read_questions

MAX_CHARACTERS = 900
"""Length of the longest message; the paths of these tests have 150 characters."""
GOOD = '{"question": "1+1?", "answer": "2"}\n'
DEEP = "[" * 100_000


def line(**changes):
    return json.dumps({"question": "1+1?", "answer": "2"} | changes) + "\n"


def packed(content, times=1):
    stream = io.BytesIO()
    with gzip.GzipFile(fileobj=stream, mode="wb") as file:
        for _ in range(times):
            file.write(content)
    return stream.getvalue()


def parquet(*rows):
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(list(rows)), stream)
    return stream.getvalue()


ROWS = {
    "nested deep": '{"question": "a", "answer": ' + DEEP + "\n",
    "nested deep in another field": GOOD[:-2] + ', "other": ' + DEEP + "\n",
    "nested 900 levels": GOOD[:-2] + ', "other": ' + "[" * 900 + "]" * 900 + "}\n",
    "nested 70 levels": GOOD[:-2] + ', "other": ' + '{"a":' * 70 + "1" + "}" * 70 + "}\n",
    "surrogate in a question": '{"question": "\\ud800", "answer": "2"}\n',
    "surrogate in an answer": '{"question": "1+1?", "answer": "a\\udfffb"}\n',
    "surrogate in a key": GOOD[:-2] + ', "\\ud800": 1}\n',
    "surrogate as bytes": b'{"question": "\xed\xa0\x80", "answer": "2"}\n',
    "integer of 5,000 digits": GOOD[:-2] + f', "other": {"9" * 5000}}}\n',
    "float beyond the range": GOOD[:-2] + ', "other": 1e400}\n',
    "NaN": GOOD[:-2] + ', "other": NaN}\n',
    "key twice": GOOD[:-2] + ', "answer": "3"}\n',
    "long key twice": GOOD[:-2] + f', "{"k" * 100_000}": 1, "{"k" * 100_000}": 2}}\n',
    "long line that is no JSON": "x" * 1_000_000 + "\n",
    "NUL in the file": '{"question": "1+1?", "answer": "2"\0}\n',
    "control character in a text": '{"question": "1+\n1?", "answer": "2"}\n',
    "byte that is not UTF-8": b'{"question": "\xff", "answer": "2"}\n',
    "a list": "[1, 2]\n",
    "a number": "5\n",
    "no end": '{"question": "1+1?", "answer": "2\n',
    "long name of a missing field": json.dumps({"x" * 100_000: 1}) + "\n",
    "an answer that is an object": '{"question": "1+1?", "answer": {"a": [1, 2, 3]}}\n',
}
"""Second line of a file of JSON Lines."""
FILES = {
    "list nested deep.json": "[" + GOOD.strip() + ', {"question": ' + DEEP,
    "lists nested deep.json": DEEP,
    "list with a surrogate.json": "[" + GOOD.strip() + ', {"question": "\\ud800", "answer": "2"}]',
    "list with a large integer.json": "[" + GOOD.strip() + f', {{"question": {"9" * 5000}}}]',
    "object nested deep.json": '{"data": ' + DEEP,
    "bomb.jsonl.gz": packed(b"0" * 2**20, times=400),
    "bomb of spaces.jsonl.gz": packed(b" " * 2**20, times=400),
    "cut.jsonl.gz": packed(GOOD.encode() * 100)[:-10],
    "damaged.jsonl.gz": packed(GOOD.encode() * 100)[:20] + b"\0" * 40,
    "deep.jsonl.gz": packed(('{"question": ' + DEEP).encode()),
    "quote without end.csv": 'question,answer\n1+1?,"2\n' + "x,y\n" * 1000,
    "another number of values.csv": "question,answer\n1+1?,2,3\n",
    "columns twice.csv": "question,question\na,b\n",
    "many columns.csv": ",".join(["c"] * 100_000) + "\n",
    "NUL.csv": "question,answer\n1\0,2\n",
    "surrogate.csv": b"question,answer\n\xed\xa0\x80,2\n",
    "empty.csv": "",
    "empty.jsonl": "",
    "damaged.parquet": parquet({"question": "a", "answer": "b"})[:-20],
    "only the mark.parquet": b"PAR1",
    "damaged inside.parquet": parquet({"question": "a", "answer": "b"}).replace(
        b"question", b"qu\xff\xff\xff\xffon"
    ),
    "of numbers.parquet": parquet({"question": 1, "answer": 2}),
    "of objects.parquet": parquet({"question": {"a": {"b": [1]}}, "answer": "b"}),
    "nothing in it.parquet": parquet({"question": None, "answer": None}),
}


def load(*paths):
    return load_dataset("own", FileData(source="file", path=[str(path) for path in paths]), offline=[])


def refuse(path):
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert len(message) <= MAX_CHARACTERS
    return message


def test_a_good_file_is_read(tmp_path):
    (tmp_path / "good.jsonl").write_text(GOOD)
    assert len(load(tmp_path / "good.jsonl").records) == 1


@pytest.mark.parametrize("content", ROWS.values(), ids=ROWS)
def test_a_hostile_row_is_an_error_with_file_and_line(tmp_path, content):
    path = tmp_path / "own.jsonl"
    path.write_bytes(GOOD.encode() + (content if isinstance(content, bytes) else content.encode()))
    message = refuse(path)
    assert f"{path}, line 2" in message, message


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_an_error_with_its_name(tmp_path, name):
    path, content = tmp_path / name, FILES[name]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert str(path) in refuse(path)


@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_devices_and_pipes_are_not_read(tmp_path, kind):
    path = tmp_path / "own.jsonl"
    if kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
    assert "expected a regular file, got a device or a pipe" in refuse(path)


@pytest.mark.parametrize("name", ["NUL", "bidi", "long", "code"])
def test_odd_texts_are_data(tmp_path, name):
    texts = {"NUL": "a\0b", "bidi": "\u202e1+1", "long": "word " * 100_000, "code": "__import__('os')"}
    (tmp_path / "own.jsonl").write_text(line(question=texts[name]))
    assert load(tmp_path / "own.jsonl").records[0].question.strip() == texts[name].strip()


@pytest.mark.parametrize(
    ("benchmark", "name", "content"),
    [
        ("gsm8k", "q.jsonl", '{"question": ' + DEEP),
        ("gsm8k", "q.jsonl", '{"question": "\\ud800", "answer": "#### 1"}\n'),
        ("gsm8k", "q.jsonl", '{"question": "a", "answer": "#### ' + "9" * 5000 + '"}\n'),
        ("gsm8k", "q.jsonl", json.dumps({"x" * 100_000: 1}) + "\n"),
        ("math500", "q.parquet", b"PAR1" + b"\0" * 100),
        ("sudoku", "q.csv", "Puzzle,Solution\n" + "x" * 200_000 + ",1\n"),
        ("sudoku", "q.csv", "Puzzle,Solution\n" + "1" * 100_000 + ",1\n"),
        ("countdown", "q.jsonl", json.dumps({"input": "1," + "9" * 5000, "output": "1"}) + "\n"),
    ],
)
def test_a_hostile_file_of_questions_is_an_error_with_its_name(tmp_path, benchmark, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        read_published(benchmark, path, num_examples=None)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) <= MAX_CHARACTERS


QUESTION = {"example_id": "00", "benchmark": "gsm8k", "question": "a", "prompt": "a", "reference": 1.0}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(QUESTION | {"example_id": "a\nb"}),
        json.dumps(QUESTION | {"example_id": "\x1b[2J"}),
        json.dumps(QUESTION | {"example_id": "\u202eab"}),
        json.dumps(QUESTION | {"example_id": "i" * 100_000}),
        json.dumps(QUESTION | {"example_id": "\ud800"}),
        json.dumps(QUESTION | {"prompt": "\ud800"}),
        json.dumps(QUESTION)[:-1] + ', "other": ' + DEEP,
        json.dumps(QUESTION)[:-1] + f', "other": {"9" * 5000}}}',
        json.dumps(QUESTION | {"reference": [[[1]] * 10_000]}),
    ],
    ids=range(9),
)
def test_a_hostile_question_is_an_error_with_file_and_line(tmp_path, text):
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps(QUESTION | {"example_id": "01"}) + "\n" + text + "\n")
    with pytest.raises(SamplingError) as caught:
        read_questions(path)
    assert f"{path}, line 2" in str(caught.value)
    assert len(str(caught.value)) <= MAX_CHARACTERS
