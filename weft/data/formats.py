"""Recognise files and rows that are not in the form of weft's training data, and say how to convert them.

The commands in the messages read one file and write another; they are tried in the tests.
"""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weft.records import JsonObject

HEAD_BYTES = 4096
"""Number of bytes at the beginning of a file by which its format is recognised."""
MAX_KEYS_SHOWN = 12
PARQUET, GZIP = b"PAR1", b"\x1f\x8b"
"""First bytes of files of these formats."""
TABLES = (".csv", ".tsv")
"""Endings of files that are recognised by their ending."""


@dataclass(frozen=True)
class Format:
    """A format that is not JSON Lines.

    Attributes:
        name: name of the format, with an article.
        advice: what to do; ``{source}`` and ``{target}`` are replaced by paths, quoted for the shell, and
            ``{same}`` by that of a new file in the same format.
    """

    name: str
    advice: str


def _python(code: str, files: str = "< {source} > {target}") -> str:
    """Return the advice to convert a file by a line of Python; braces in the code are escaped."""
    return f'convert it: python -c "{code.replace("{", "{{").replace("}", "}}")}" {files}'


def _pandas(reader: str, files: str = "{source} {target}") -> str:
    options = "orient='records', lines=True, double_precision=15"
    return _python(f"import pandas, sys; pandas.{reader}.to_json(sys.argv[2], {options})", files)


_UNPACK = "unpack it: {command} {{source}} > {{same}}"
_LIST = "import json, sys; [print(json.dumps(row)) for row in json.load(sys.stdin){key}]"
_CSV = _pandas("read_csv(sys.argv[1], sep=None, engine='python', dtype=str, keep_default_na=False)")
BINARY_FORMATS = {
    PARQUET: Format("a Parquet file", _pandas("read_parquet(sys.argv[1])")),
    b"ARROW1": Format("an Arrow file", _pandas("read_feather(sys.argv[1])")),
    b"\xff\xff\xff\xff": Format(
        "an Arrow file of the library datasets",
        _python(
            "import datasets, sys; datasets.Dataset.from_file(sys.argv[1]).to_json(sys.argv[2])",
            "{source} {target}",
        ),
    ),
    GZIP: Format("a file compressed by gzip", _UNPACK.format(command="gunzip -c <")),
    b"BZh": Format("a file compressed by bzip2", _UNPACK.format(command="bunzip2 -c <")),
    b"\xfd7zXZ\x00": Format("a file compressed by xz", _UNPACK.format(command="xz -dc <")),
    b"\x28\xb5\x2f\xfd": Format("a file compressed by zstd", _UNPACK.format(command="zstd -dc <")),
    b"PK\x03\x04": Format(
        "a ZIP archive or an Excel workbook",
        "unpack it (unzip {source}), or save the workbook as CSV and convert that",
    ),
    b"SQLite format 3\x00": Format("an SQLite database", "export its table as JSON Lines"),
    b"\xff\xfe": Format("UTF-16 text", "convert it: iconv -f utf-16 -t utf-8 < {source} > {same}"),
    b"\xfe\xff": Format("UTF-16 text", "convert it: iconv -f utf-16 -t utf-8 < {source} > {same}"),
}
"""First bytes of a file -> its format."""
LATIN1 = "convert it: iconv -f latin1 -t utf-8 < {source} > {same}"
"""Advice for text that is not UTF-8."""


def recognise_path(path: Path) -> Format | None:
    """Return the format of a file or directory by its first bytes, or None if it may be JSON Lines."""
    if path.is_dir():
        return Format("a directory", "name a file in it")
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return recognise_head(file.read(HEAD_BYTES))


def recognise_head(head: bytes) -> Format | None:
    """Return the format of a file by its first bytes, or None if it may be JSON Lines."""
    for start, known in BINARY_FORMATS.items():
        if head.startswith(start):
            return known
    is_text = head.lstrip().startswith(b"{") and b"\x00" not in head[:4]  # UTF-16 has NUL in its first bytes
    if b"\x00" in head and not is_text:
        return Format("a binary file", "convert it to JSON Lines in UTF-8")
    return None


def recognise_text(text: str) -> Format | None:
    """Return the format of a text whose first line is not a JSON object, or None if it is just damaged."""
    start = text.lstrip()[:HEAD_BYTES]
    if start.startswith("version https://git-lfs"):
        return Format(
            "a pointer of Git LFS in place of the file",
            "fetch the file itself: git lfs pull, in the repository from which it comes",
        )
    if re.match(r"<(!doctype|html|head|\?xml)", start, re.IGNORECASE):
        return Format(
            "a web page (HTML or XML)",
            "download the file itself; on the hub, its address has /resolve/ where that of its page has "
            "/blob/",
        )
    if start.startswith(("{", "[")):
        return _recognise_json(text)
    lines = start.splitlines() or [""]
    if re.fullmatch(r"[\w ./\"-]+(?:[,;\t][\w ./\"-]+)+", lines[0]):
        return Format("a table (CSV or TSV)", _CSV)
    return None


def _recognise_json(text: str) -> Format | None:
    if "\r" in text and "\n" not in text and text.strip().count("\r"):
        return Format(
            "lines that end with a carriage return alone",
            r"convert them: tr '\r' '\n' < {source} > {target}",
        )
    content = text.lstrip("\ufeff \t\r\n")
    first_line = content.partition("\n")[0].strip()
    try:
        value, end = json.JSONDecoder().raw_decode(content)
    except (ValueError, RecursionError):
        value, end = {"{": {}, "[": []}.get(first_line), len(first_line) + 1
    if isinstance(value, list):
        return Format("a JSON list", _python(_LIST.format(key="")))
    if not isinstance(value, dict) or end <= len(first_line):
        return None
    if (key := find_list_of_rows(value)) is not None and not content[end:].strip():
        return Format(f"one JSON object with all rows under {key!r}", _python(_LIST.format(key=f"['{key}']")))
    return Format("JSON objects over several lines", "convert it: jq -c . {source} > {target}")


def find_list_of_rows(row: JsonObject) -> str | None:
    """Return the key of an object under which a list of rows lies, or None."""
    keys = [key for key, value in row.items() if isinstance(value, list) and value]
    is_only = len(keys) == 1 and keys[0] not in ("messages", "conversations")
    return (
        keys[0] if is_only and re.fullmatch(r"\w+", keys[0]) and isinstance(row[keys[0]][0], dict) else None
    )


def fill_paths(path: Path, advice: str) -> str:
    """Return an advice with the paths of the file and of a new file, quoted for the shell.

    A file compressed by gzip has to be unpacked before anything else.
    """
    if "{source}" in advice and _is_packed(path):
        advice = BINARY_FORMATS[GZIP].advice
    path = path if path.name else path / "data.jsonl"  # "." and "/" have no name
    target = path if path.suffix == ".jsonl" else path.with_suffix("")  # such as train.jsonl.gz
    plain = path if path.suffix.lower() in TABLES else target
    if target.suffix != ".jsonl":
        target = target.with_name(f"{target.name}.jsonl")
    same = plain if plain.suffix.lower() in TABLES else target
    paths = {"source": path, "target": _other_name(target, path), "same": _other_name(same, path)}
    return advice.format(**{name: shlex.quote(str(file)) for name, file in paths.items()})


def _is_packed(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def _other_name(target: Path, path: Path) -> Path:
    return path.with_name(f"{path.stem}-converted{path.suffix}") if target == path else target


# Rows


@dataclass(frozen=True)
class PublishedRows:
    """Names of the columns in which training examples are published, and which are not read by themselves.

    Attributes:
        name: what is published so.
        columns: name in one of the forms of docs/data.md -> name of the column.
    """

    name: str
    columns: Mapping[str, str]


PUBLISHED_ROWS = (
    PublishedRows("s1K", {"question": "question", "reasoning": "thinking_trajectories", "answer": "attempt"}),
    PublishedRows(
        "s1K-1.1",
        {"question": "question", "reasoning": "deepseek_thinking_trajectory", "answer": "deepseek_attempt"},
    ),
    PublishedRows("MetaMathQA", {"question": "query", "answer": "response"}),
    PublishedRows("OpenOrca", {"question": "question", "answer": "response", "system": "system_prompt"}),
    PublishedRows("preferences (DPO)", {"prompt": "prompt", "completion": "chosen"}),
    PublishedRows("prompt and response", {"question": "prompt", "answer": "response"}),
    PublishedRows("MATH and NuminaMath", {"question": "problem", "answer": "solution"}),
    PublishedRows("problem and answer", {"question": "problem", "answer": "answer"}),
    PublishedRows("question and solution", {"question": "question", "answer": "solution"}),
    PublishedRows("question and response", {"question": "question", "answer": "response"}),
    PublishedRows("input and output", {"question": "input", "answer": "output"}),
)
"""Known names of columns, the first of which that a row has are named in messages."""


def describe_row(row: JsonObject) -> str:
    """Describe a row in none of the forms: its keys, and what to write in the experiment file."""
    shown = show_keys(row)
    for known in PUBLISHED_ROWS:
        if row.keys() >= set(known.columns.values()):
            columns = {name: column for name, column in known.columns.items() if name != column}
            return f"got {shown}, as in {known.name}; {_advise(columns)}"
    plain = {str(key).strip().lower(): str(key) for key in row}
    if {"question", "answer"} <= plain.keys():
        return f"got {shown}; {_advise({name: plain[name] for name in ('question', 'answer')})}"
    if set(row) == {"text"}:
        return f"got {shown}; plain texts have no question, which fine-tuning needs"
    return (
        f"got {shown}; if other columns hold question and answer, name them in the experiment file, for "
        "instance columns: {question: COLUMN, answer: COLUMN}"
    )


def show_keys(row: JsonObject) -> str:
    """Return the names of the first columns of a row, for messages."""
    names = [f"{key!r:.60}" for key in row][:MAX_KEYS_SHOWN]
    return f"the keys {', '.join(names)}{', ...' if len(row) > len(names) else ''}" if row else "no key"


def _advise(columns: Mapping[str, str]) -> str:
    pairs = ", ".join(f"{name}: {json.dumps(column) if column.strip() != column else column}"
                      for name, column in columns.items())  # fmt: skip
    return f"write columns: {{{pairs}}} for this data set in the experiment file"
