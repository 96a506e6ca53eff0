"""JSON Lines files that people write: what is read, and what is an error with file and line."""

import json

import pytest

from weft.config.sources import FileData
from weft.data.datasets import find_place, load_dataset
from weft.data.jsonl import read_numbered_rows
from weft.errors import DataError

ROW = b'{"question": "2+2?", "answer": "4"}'
PAIR = {"question": "2+2?", "answer": "4"}


def read(tmp_path, content, name="a.jsonl"):
    path = tmp_path / name
    path.write_bytes(content)
    return list(read_numbered_rows(path, remedy="correct the file"))


@pytest.mark.parametrize(
    "content",
    [
        ROW,
        ROW + b"\n",
        b"\xef\xbb\xbf" + ROW + b"\r\n",
        ROW + b"\n\n\n",
        ROW + b"\n \t\r\n",
    ],
)
def test_line_ends_and_blank_lines_at_the_end_do_not_matter(tmp_path, content):
    path = tmp_path / "a.jsonl"
    assert read(tmp_path, content) == [(f"{path}, line 1", PAIR)]


def test_blank_lines_are_skipped_and_counted(tmp_path):
    rows = read(tmp_path, b"\n" + ROW + b"\n\n\r\n" + ROW + b"\n")
    assert [place.rpartition(", ")[2] for place, _ in rows] == ["line 2", "line 5"]
    with pytest.raises(DataError, match=r"a.jsonl, line 3: .*'nonsense'"):
        read(tmp_path, ROW + b"\n\nnonsense")


def test_texts_are_kept_as_they_are(tmp_path):
    texts = ["a\u2028b\u0085c", "a\x00b", "\r\n", "\U0001f44d", " 4 \n"]
    content = "\n".join(json.dumps({"a": text}, ensure_ascii=escape) for text in texts for escape in (0, 1))
    rows = read(tmp_path, content.encode())
    assert [row["a"] for _, row in rows] == [text for text in texts for _ in range(2)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"question": "q", "answer": NaN}', "NaN is not JSON"),
        (b'{"question": "q", "answer": "4", "meta": {"scores": [1, -Infinity]}}', "-Infinity is not JSON"),
        (b'{"answer": 1e999}', "1e999 is too large"),
        (b'{"answer": -' + b"9" * 5000 + b"}", "5001 digits is too long"),
        (b'{"question": "a", "question": "b"}', "'question' is given twice"),
        (b'{"a": {"b": 1, "b": 2}}', "'b' is given twice"),
        (rb'{"answer": "fine \ud83d"}', r"'answer' holds '\\ud83d', half"),
        (rb'{"answer": "\uDC4D\uD83D"}', r"'answer' holds '\\udc4d', half"),
        (rb'{"messages": [{"content": "\udfff"}]}', r"'messages.0.content' holds '\\udfff', half"),
        (rb'{"\ud800": 1}', r"holds '\\ud800', half"),
        ('{"answer": "\ud83d"}'.encode("utf-8", "surrogatepass"), r"'answer' holds '\\ud83d', half"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep"),
        (ROW + ROW, "each object needs its own line"),
        (ROW + b",", "each object needs its own line"),
        (b"{'question': 'q'}", "property name enclosed in double quotes, column 2"),
        (b'{"question": "half', "Unterminated string"),
        (b'{"a": "\x00"}', "Invalid control character"),
        (b"[1]", "this is a list"),
        (b'"text"', "this is a str"),
        (b"NaN", "NaN is not JSON"),
        (b"\xef\xbb\xbf" + ROW, "BOM"),
    ],
)
def test_a_doubtful_line_is_an_error_with_file_line_and_reason(tmp_path, line, reason):
    with pytest.raises(DataError, match=rf"a.jsonl, line 3: expected a JSON object, got .*{reason}.*correct"):
        read(tmp_path, ROW + b"\n\n" + line + b"\n")


def load(tmp_path, *rows, **options):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return load_dataset("mine", FileData(source="jsonl", path=str(path), **options), offline=[]).records


TURNS = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "<think>2+2</think>4"}]


@pytest.mark.parametrize(
    "beside",
    [
        {"problem": "2+2?", "solution": "It is 4.", "answer": "4", "generations": ["4"]},
        {"question": "2+2?", "answer": "4", "reasoning": None},
        {"question": None, "answer": None},
        {"ground_truth": 4},
    ],
)
def test_messages_take_precedence_over_other_columns(tmp_path, beside):
    (example,) = load(tmp_path, {**beside, "messages": TURNS})
    assert (example.question, example.answer) == ("2+2?", "<think>2+2</think>4")


def test_null_columns_are_absent(tmp_path):
    (example,) = load(tmp_path, PAIR | {"messages": None, "reasoning": None, "history": None})
    assert (example.question, example.answer) == ("2+2?", "4")
    with pytest.raises(DataError, match=r"line 1: expected question and answer, or messages, .*'messages'"):
        load(tmp_path, {"messages": None})


def test_an_example_knows_its_place(tmp_path):
    rows = [PAIR, {"messages": TURNS}, {"messages": [{"role": "system", "content": "Be short."}, *TURNS]}]
    examples = load(tmp_path, *rows, instruction="format")
    sources = {"mine": FileData(source="jsonl", path=str(tmp_path / "a.jsonl"), instruction="format")}
    places = [find_place(example, sources) for example in examples]
    assert places == [f"{tmp_path / 'a.jsonl'}, line {number}" for number in (1, 2, 3)]
    assert find_place(examples[0], {}) is None
