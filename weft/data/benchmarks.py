"""Test questions of each benchmark as one JSONL: example_id, benchmark, question, prompt, reference."""

import itertools
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from weft.benchmarks.custom import CustomBenchmarkFile
from weft.config.sources import GeneratedBenchmark
from weft.data.instructions import with_instruction
from weft.data.remote import how_to_renew
from weft.data.tasks import TASKS, draw_problems
from weft.data.tasks.problem import question_id
from weft.errors import DataError

Row = dict[str, Any]


def generate_questions(benchmark: str, source: GeneratedBenchmark) -> list[Row]:
    """Draw test questions; their keys never occur in training data."""
    stream = draw_problems(TASKS[benchmark], split="test", seed=source.seed)
    problems = itertools.islice(stream, source.num_examples)
    return [_row(benchmark, p.question, p.reference, instruction="") for p in problems]


def read_custom(benchmark: str, custom: CustomBenchmarkFile, *, num_examples: int | None) -> list[Row]:
    """Return the questions of a custom benchmark, in file order; all where no number is given.

    Raises:
        ConfigError: the file's questions have another form, or are too few.
    """
    pairs = custom.list_questions(num_examples)
    return [
        _row(benchmark, question, reference, instruction=custom.instruction) for question, reference in pairs
    ]


def read_published(
    benchmark: str, path: Path, *, num_examples: int | None, instruction: str = ""
) -> list[Row]:
    """Read a published test file and choose questions as d1 does.

    Args:
        benchmark: whose form the file has.
        path: the file: JSON lines, CSV or Parquet.
        num_examples: size of the seeded choice; all, in file order, when empty.
        instruction: text in front of every question.

    Returns:
        Question and reference in the form of d1's stored generations, and the prompt, which is the
        question with its instruction.  A GSM8K reference is the true number, also where d1 has none.

    Raises:
        DataError: the file or a row of it cannot be read, or there are too few rows.

    Source:
        d1 @ 837888f, eval/: the choice is numpy.random.seed(42); choice(n, size, replace=False).
    """
    rows = []
    for number, record in enumerate(read_records(path), start=1):
        try:
            rows.append(PUBLISHED_FORMS[benchmark](record))
        except ValueError as error:
            raise DataError(
                f"{path}, row {number}: must be a question of {benchmark} as published: {error}; "
                f"the row has {sorted(record)}, correct benchmarks.{benchmark}.file"
            ) from error
    if num_examples is not None:
        if num_examples > len(rows):
            raise DataError(f"{path} must hold at least {num_examples} questions, got {len(rows)}")
        chosen = np.random.RandomState(42).choice(len(rows), num_examples, replace=False)
        rows = [rows[int(index)] for index in chosen]
    return [_row(benchmark, question, reference, instruction=instruction) for question, reference in rows]


def write_jsonl(rows: Iterable[Row], out: Path) -> None:
    """Write JSON lines through a temporary file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.new")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=True) + "\n" for row in rows)
    temporary.replace(out)


def read_jsonl(path: Path) -> list[Row]:
    """Read JSON lines.

    Raises:
        DataError: a line is no JSON object; file and line are named.
    """
    rows = []
    # Only a line feed ends a line of JSONL; splitlines() would also cut at U+2028 inside a text.
    for number, line in enumerate(path.read_bytes().removesuffix(b"\n").split(b"\n"), start=1):
        if number == 1 and not line:
            continue
        try:
            row = json.loads(line)
        except ValueError as error:  # not JSON, or not UTF-8
            raise DataError(f"{path}, line {number}: must be a JSON object: {error}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: must be a JSON object, got {type(row).__name__}")
        rows.append(row)
    return rows


def read_records(path: Path) -> list[Row]:
    """Read rows of a CSV or Parquet file, by its ending, or else of JSON lines.

    Raises:
        DataError: the file has another form.
    """
    if path.suffix not in {".csv", ".parquet"}:
        try:
            return read_jsonl(path)
        except DataError as error:
            raise DataError(f"{error}; {how_to_renew(path)}") from error
    import pandas as pd
    import pyarrow.parquet

    try:
        if path.suffix == ".parquet":
            return list(pyarrow.parquet.read_table(path).to_pylist())
        frame = pd.read_csv(path, dtype=str)  # a puzzle is text: 0123… must keep its zeros
    except (ValueError, OSError) as error:  # what pandas and pyarrow raise is among these
        raise DataError(f"{path} must be a {path.suffix} file: {error}; {how_to_renew(path)}") from error
    return [{str(key): value for key, value in record.items()} for record in frame.to_dict("records")]


def _row(benchmark: str, question: str, reference: Any, *, instruction: str) -> Row:
    return {
        "example_id": question_id(benchmark, question),
        "benchmark": benchmark,
        "question": question,
        "prompt": with_instruction(instruction, question),
        "reference": reference,
    }


def _text(record: Row, field: str) -> str:
    text = record.get(field)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"the field {field!r} must hold text, got {text!r:.80}")
    return text


def _sudoku(record: Row) -> tuple[str, Any]:
    puzzle, solution = _text(record, "Puzzle"), _text(record, "Solution")
    if not all(re.fullmatch(r"[0-4]{16}", board) for board in (puzzle, solution)):
        raise ValueError(f"Puzzle and Solution must have 16 digits, got {puzzle!r:.40} and {solution!r:.40}")
    return f"Solve the following Sudoku puzzle: {puzzle}\n", solution


def _countdown(record: Row) -> tuple[str, Any]:
    numbers, target = [int(n) for n in _text(record, "input").split(",")], int(_text(record, "output"))
    return f"Numbers: {numbers}\nTarget: {target}", [numbers, target]


def _gsm8k(record: Row) -> tuple[str, Any]:
    number = _text(record, "answer").rpartition("####")[2].strip().replace(",", "")
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", number):
        raise ValueError(f"the answer must end with #### and a number, got {number!r:.80}")
    return _text(record, "question"), float(number)


def _math500(record: Row) -> tuple[str, Any]:
    return _text(record, "problem"), _text(record, "answer")


PUBLISHED_FORMS: dict[str, Callable[[Row], tuple[str, Any]]] = {
    "sudoku": _sudoku,
    "countdown": _countdown,
    "gsm8k": _gsm8k,
    "math500": _math500,
}
