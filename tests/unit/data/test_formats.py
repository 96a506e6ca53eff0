"""Files and rows in other formats: what the message calls them, and that its command converts them."""

import gzip
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pandas
import pytest
import yaml

from weft.config.sources import FileData
from weft.data.datasets import load_dataset
from weft.data.jsonl import read_numbered_rows
from weft.errors import DataError

ROW = {"question": "2+2?", "answer": "4"}
LINE = json.dumps(ROW) + "\n"


def load(path, **options):
    return load_dataset("mine", FileData(source="file", path=str(path), **options), offline=[]).records


def refuse(path):
    """Return the message of the reader of published files, which expects JSON Lines."""
    with pytest.raises(DataError) as caught:
        list(read_numbered_rows(path, remedy="correct the file"))
    return str(caught.value)


def refuse_row(path):
    with pytest.raises(DataError) as caught:
        load(path)
    return str(caught.value)


def convert(path):
    """Run the command of the message, and load the file that it writes."""
    message = refuse(path)
    command = re.search(r"(?:convert|unpack) (?:it|them): (.*?)(?:; correct|$)", message)[1]
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"{command.split()[0]} is not installed")
    before = set(path.parent.iterdir())
    subprocess.run(command, shell=True, check=True, executable="/bin/sh")
    (new,) = set(path.parent.iterdir()) - before
    return [(example.question, example.answer) for example in load(new)]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"PAR1" + b"\x00" * 20, "a Parquet file"),
        (b"ARROW1\x00\x00", "an Arrow file"),
        (b"\xff\xff\xff\xff\x00", "an Arrow file of the library datasets"),
        (b"BZh91AY", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"\x80\x04\x95\x00", "a binary file"),
        (LINE.encode("utf-16"), "UTF-16"),
        (LINE.encode("utf-16-be"), "a binary file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:35dc\nsize 446564\n", "git lfs pull"),
        (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
        (b"<html>\n<head>", "a web page"),
        (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "a web page"),
    ],
)
def test_a_file_in_another_format_is_named(tmp_path, content, name):
    (tmp_path / "a.jsonl").write_bytes(content)
    message = refuse(tmp_path / "a.jsonl")
    assert re.search(r"a\.jsonl.*: expected JSON Lines, got ", message)
    assert name in message


def test_archives_and_directories_are_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jsonl", LINE)
    assert "a ZIP archive" in refuse(tmp_path / "a.zip")
    assert "got a directory; name a file in it" in refuse(tmp_path)
    assert "got a directory" in refuse(Path())
    assert "got a directory" in refuse(Path("/"))


@pytest.mark.parametrize("name", ["a.json", "my data's.json"])
@pytest.mark.parametrize(
    "text",
    [
        json.dumps([ROW]),
        json.dumps([ROW], indent=2),
        json.dumps({"version": 1, "train": [ROW]}, indent=1),
    ],
)
def test_a_json_list_is_converted(tmp_path, text, name):
    (tmp_path / name).write_text(text)
    assert convert(tmp_path / name) == [("2+2?", "4")]


def test_objects_over_several_lines_are_converted(tmp_path):
    rows = [ROW, {"question": "a", "answer": "b"}]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row, indent=2) for row in rows))
    assert convert(tmp_path / "a.jsonl") == [("2+2?", "4"), ("a", "b")]


def test_packed_files_tables_and_other_encodings_are_converted(tmp_path):
    contents = {
        "a.jsonl.gz": gzip.compress(LINE.encode()),
        "b.jsonl": LINE.replace("\n", "\r").encode() * 2,
        "c.jsonl": LINE.replace("2+2?", "na\u00efve?").encode("utf-16"),
        "d.jsonl": json.dumps({"question": "na\u00efve?", "answer": "4"}, ensure_ascii=False).encode(
            "latin1"
        ),
        "e.csv": b'question,answer\n2+2?,007\n"a, b",4\n',
    }
    expected = [[("2+2?", "4")]] * 2 + [[("na\u00efve?", "4")]] * 2 + [[("2+2?", "007"), ("a, b", "4")]]
    for (name, content), rows in zip(contents.items(), expected, strict=True):
        (tmp_path / name).write_bytes(content)
        assert convert(tmp_path / name) == rows, name


def follow(path):
    """Run the commands of the messages of the reader of training data until the last new file is read."""
    while True:
        try:
            return [(example.question, example.answer) for example in load(path)]
        except DataError as error:
            command = re.search(r"(?:convert|unpack) (?:it|them): (.*?)(?:; correct|$)", str(error))[1]
        before = set(path.parent.iterdir())
        subprocess.run(command, shell=True, check=True, executable="/bin/sh")
        (path,) = set(path.parent.iterdir()) - before


@pytest.mark.parametrize("encoding", ["utf-16", "latin1"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "question;answer\nna\u00efve?;4\n"),
        ("a.csv.gz", "question,answer\nna\u00efve?,4\n"),
        ("a.TSV", "question\tanswer\nna\u00efve?\t4\n"),
        ("a.jsonl.gz", '{"question": "na\u00efve?", "answer": "4"}\n'),
        ("a.json", '[{"question": "na\u00efve?",\n"answer": "4"}]\n'),
    ],
)
def test_a_converted_file_keeps_the_ending_by_which_it_is_read(tmp_path, name, text, encoding):
    content = text.encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert follow(tmp_path / name) == [("na\u00efve?", "4")]


def test_a_parquet_file_is_converted(tmp_path):
    pandas.DataFrame([ROW, {"question": "a", "answer": "b"}]).to_parquet(tmp_path / "a.parquet")
    assert convert(tmp_path / "a.parquet") == [("2+2?", "4"), ("a", "b")]


TURNS = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]


@pytest.mark.parametrize(
    ("row", "form"),
    [
        ({"prompt": "2+2?", "chosen": "4", "rejected": "5"}, "preferences (DPO)"),
        ({"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": TURNS[1:]}, "preferences (DPO)"),
        ({"prompt": "2+2?", "response": "4"}, "prompt and response"),
        ({"query": "2+2?", "response": "4"}, "MetaMathQA"),
        ({"problem": "2+2?", "solution": "4", "answer": "5"}, "MATH and NuminaMath"),
        ({"problem": "2+2?", "answer": "4"}, "problem and answer"),
        ({"question": "2+2?", "solution": "4"}, "question and solution"),
        ({"question": "2+2?", "response": "4"}, "question and response"),
        ({"system_prompt": "", "question": "2+2?", "response": "4"}, "OpenOrca"),
        ({"input": "2+2?", "output": "4"}, "input and output"),
        ({"Question": "2+2?", " answer ": "4"}, None),
    ],
)
def test_the_columns_of_other_projects_are_named(tmp_path, row, form):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n\n")
    message = refuse_row(path)
    assert f"{path}, line 1: expected question and answer, or messages, got the keys" in message
    assert form is None or f", as in {form}; " in message
    columns = yaml.safe_load(re.search(r"write columns: (\{.*?\}) for this data set", message)[1])
    (example,) = load(path, columns=columns)
    assert (example.question, example.answer, example.history) == ("2+2?", "4", ())


@pytest.mark.parametrize("prefix", ["", "deepseek_"])
def test_reasoning_of_s1k_is_kept(tmp_path, prefix):
    names = (
        ("deepseek_thinking_trajectory", "deepseek_attempt")
        if prefix
        else ("thinking_trajectories", "attempt")
    )
    row = {"question": "2+2?", "solution": "4", names[0]: "two and two", names[1]: "4"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    columns = yaml.safe_load(re.search(r"columns: (\{.*?\})", refuse_row(tmp_path / "a.jsonl"))[1])
    (example,) = load(tmp_path / "a.jsonl", columns=columns)
    assert example.answer == "<reasoning>two and two</reasoning>\n<answer>4</answer>"


def test_unknown_rows_show_their_keys(tmp_path):
    path = tmp_path / "a.jsonl"
    for row, text in (
        ({"text": "once"}, "got the keys 'text'; plain texts have no question"),
        ({"frage": "?", "antwort": "!"}, "got the keys 'frage', 'antwort'; if other columns hold question"),
        ({}, "got no key; if other columns"),
        ({f"k{n}": n for n in range(20)}, "'k11', ...; if other columns"),
    ):
        path.write_text(json.dumps(row))
        assert text in refuse_row(path)
