"""Files in the formats in which people keep training data, and what is an error with file and row."""

import gzip
import json

import datasets
import pandas
import pyarrow as pa
import pyarrow.parquet
import pytest

from weft.data import row_files
from weft.data.row_files import choose_split, is_saved, read_row_file, read_saved
from weft.errors import DataError

ROWS = [{"question": "2+2?", "answer": "4"}, {"question": 'a\nb, "c"', "answer": "5"}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


def read(path, wanted=("question", "answer")):
    found = list(read_row_file(path, wanted=wanted, remedy="correct the file"))
    return [row for _, row in found], [place.removeprefix(f"{path}, ") for place, _ in found]


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "text", "places"),
    [
        ("a.jsonl", LINES, ["line 1", "line 2"]),
        ("a.json", LINES.replace("}\n", "}\n\n"), ["line 1", "line 3"]),
        ("a.json", json.dumps(ROWS), ["row 1", "row 2"]),
        ("a.jsonl", f" {json.dumps(ROWS, indent=2)}\n", ["row 1", "row 2"]),
        ("a.json", json.dumps({"version": 1, "data": ROWS}, indent=1), ["row 1 of data", "row 2 of data"]),
        ("a.csv", 'question,answer\n2+2?,4\n\n"a\nb, ""c""",5\n', ["line 2", "line 4"]),
        ("a.CSV", '\ufeffquestion;answer\r\n2+2?;4\r\n"a\nb, ""c""";5\r\n', ["line 2", "line 3"]),
        ("a.tsv", 'question\tanswer\n2+2?\t4\n"a\nb, ""c"""\t5\n', ["line 2", "line 3"]),
    ],
)
def test_text_formats_are_read_with_their_places(tmp_path, name, text, places, packed):
    content = text.encode()
    (tmp_path / f"{name}{packed}").write_bytes(gzip.compress(content) if packed else content)
    assert read(tmp_path / f"{name}{packed}") == (ROWS, places)


def test_a_parquet_file_of_pandas_is_read_without_its_other_columns(tmp_path):
    frame = pandas.DataFrame(ROWS, index=["x", "y"]).assign(score=float("nan"), answer=[4, 5])
    frame.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.parquet.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
    rows = [{"question": row["question"], "answer": int(row["answer"])} for row in ROWS]
    rows = [{**row, "score": None, "__index_level_0__": None} for row in rows]
    assert read(tmp_path / "a.parquet") == read(tmp_path / "b.parquet.gz") == (rows, ["row 1", "row 2"])


def test_nested_types_of_parquet_are_lists_and_objects(tmp_path):
    turns = [{"role": "user", "content": [{"type": "text", "text": "q"}]}]
    table = pa.Table.from_pylist([{"messages": turns, "pairs": {"a": 1}, "blob": b"\xff"}])
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet", ("messages",))[0] == [
        {"messages": turns, "pairs": None, "blob": None}
    ]
    assert read(tmp_path / "a.parquet", ())[0] == [{"messages": None, "pairs": None, "blob": None}]


def test_a_line_with_a_list_in_it_is_a_row(tmp_path):
    row = {"question": "q", "answer": "a", "sources": [{"url": "u"}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    assert read(tmp_path / "a.jsonl")[0] == [row]


def test_long_fields_of_csv_are_read(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text(f"question,answer\nq,{'x' * 200_000}\n")
    assert len(read(tmp_path / "a.csv")[0][0]["answer"]) == 200_000
    monkeypatch.setattr(row_files, "MAX_FIELD_CHARACTERS", 1000)
    with pytest.raises(DataError, match=r"a.csv, line 2: .*field larger than field limit \(1000\)"):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", b'[{"a": 1}, {"a": NaN}]', "row 2: .*NaN is not JSON"),
        ("a.json", rb'[{"a": "\ud83d"}]', r"row 1: .*half of a surrogate pair"),
        ("a.json", b'[{"a": 1, "a": 2}]', "row 1: .*given twice"),
        ("a.json", b'[{"a": 1},\n "b"]', r"row 2: .*'\"b\"\]' \(this is a str\)"),
        ("a.json", b'[{"a": 1}', "row 1: .*Expecting"),
        ("a.json", b'[{"a": 1},]', "row 2: "),
        ("a.json", b'[{"a": 1}\n {"a": 2}]', "row 1: .*Expecting .*line 2"),
        ("a.json", b'[{"a": 1}] x', "expected the end of the file after the JSON list, got 'x'"),
        ("a.json", b"[" * 100_000, "row 1: .*nested too deep"),
        ("a.json", b'{"data": [{"a": 1}, 3]}', "row 2 of data: .*got 3"),
        ("a.csv", b"question,answer\nq\n", "line 2: expected 2 values as in the first line, got 1"),
        ("a.csv", b"question,answer\nq,a,b\n", "line 2: expected 2 values as in the first line, got 3"),
        ("a.csv", b"question,question\nq,a\n", "line 1: expected columns with different names"),
        ("a.csv", b'question,answer\n"q,a\n', "line 2: expected a row of CSV, got unexpected end of data"),
        ("a.csv", "na\u00efve,b\n".encode("latin1"), "line 1: expected UTF-8 .* iconv"),
        (
            "a.csv.gz",
            gzip.compress(b"a,b\n1,2\n", mtime=0)[:-9],
            "expected a file compressed by gzip, got EOFError",
        ),
        ("a.gz", b"\x1f\x8bnonsense", "expected a file compressed by gzip, got "),
        ("a.parquet", b"PAR1 and no more", "expected a Parquet file, got ArrowInvalid"),
        ("a.jsonl", b"BZh91AY", "expected JSON Lines, a JSON list, Parquet or CSV, got .*bzip2"),
        ("a.jsonl.gz", gzip.compress(b"PK\x03\x04", mtime=0), "got a ZIP archive"),
    ],
)
def test_a_damaged_file_is_an_error_with_its_place(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name}.* {message}|{name}, {message}|{name}: {message}"):
        read(tmp_path / name)


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"b.jsonl: expected a file, got none; correct the file"):
        read(tmp_path / "b.jsonl")


def test_a_file_that_grows_beyond_measure_is_refused(tmp_path, monkeypatch):
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(b" " * 2**20))
    assert read(tmp_path / "bomb.jsonl.gz")[0] == []
    monkeypatch.setattr(row_files, "SMALL_BYTES", 1000)
    with pytest.raises(DataError, match=r"bomb.jsonl.gz: expected at most [\d,]+ bytes after unpacking"):
        read(tmp_path / "bomb.jsonl.gz")


def test_two_columns_of_the_same_name_are_refused(tmp_path):
    table = pa.table([pa.array(["a"]), pa.array(["b"])], names=["question", "question"])
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(
        DataError, match=r"a.parquet: expected columns with different names, got \['question'"
    ):
        read(tmp_path / "a.parquet")


def saved_rows(folder, split=None, wanted=("question", "answer")):
    found = list(read_saved(folder, split=split, wanted=wanted, remedy="correct the folder"))
    return [row for _, row in found], [place.removeprefix(f"{folder}") for place, _ in found]


def test_a_saved_data_set_is_read(tmp_path):
    saved = datasets.Dataset.from_list([{**row, "score": 0.5} for row in ROWS])
    saved.select([1, 0]).save_to_disk(tmp_path / "one")
    assert is_saved(tmp_path / "one")
    assert not is_saved(tmp_path)
    rows = [{**row, "score": None} for row in reversed(ROWS)]
    assert saved_rows(tmp_path / "one") == (rows, [", row 1", ", row 2"])
    assert saved_rows(tmp_path / "one", wanted=())[0][0] == dict.fromkeys(("question", "answer", "score"))
    with pytest.raises(DataError, match="expected a folder with splits, got a single data set"):
        saved_rows(tmp_path / "one", "train")
    (tmp_path / "one" / "data-00000-of-00001.arrow").write_bytes(b"nonsense")
    with pytest.raises(
        DataError, match=r"expected a folder of datasets.save_to_disk, got .*correct the folder"
    ):
        saved_rows(tmp_path / "one")


def test_a_split_of_saved_data_is_chosen(tmp_path):
    splits = {
        name: datasets.Dataset.from_list([row]) for name, row in zip(("train", "test"), ROWS, strict=True)
    }
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "all")
    assert is_saved(tmp_path / "all")
    assert saved_rows(tmp_path / "all") == ([ROWS[0]], ["/train, row 1"])
    assert saved_rows(tmp_path / "all", "test") == ([ROWS[1]], ["/test, row 1"])
    with pytest.raises(DataError, match=r"all: split must be one of \['test', 'train'\], got validation"):
        saved_rows(tmp_path / "all", "validation")


def test_without_a_name_the_only_split_is_taken():
    assert choose_split(["test"], None, place="p") == "test"
    with pytest.raises(DataError, match=r"p: split must be one of \['a', 'b'\], got none"):
        choose_split(["b", "a"], None, place="p")
