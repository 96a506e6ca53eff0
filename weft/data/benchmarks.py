"""Test questions of each benchmark as one JSONL: example_id, benchmark, question, prompt, reference."""

import itertools
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from weft.config.sources import GeneratedBenchmark
from weft.data.instructions import with_instruction
from weft.data.tasks import TASKS, draw_problems
from weft.data.tasks.problem import question_id
from weft.errors import DataError

Row = dict[str, Any]


def generate_questions(benchmark: str, source: GeneratedBenchmark) -> list[Row]:
    """Draw test questions; their keys never occur in training data."""
    stream = draw_problems(TASKS[benchmark], split="test", seed=source.seed)
    return [
        {
            "example_id": p.example_id,
            "benchmark": benchmark,
            "question": p.question,
            "prompt": p.question,
            "reference": p.reference,
        }
        for p in itertools.islice(stream, source.num_examples)
    ]


def read_published(
    benchmark: str, path: Path, *, num_examples: int | None, instruction: str = "none"
) -> list[Row]:
    """Read a published test file and choose questions as d1 does.

    Args:
        benchmark: whose form the file has.
        path: the file.
        num_examples: size of the seeded choice; all, in file order, when empty.
        instruction: name of the text in front of every question.

    Returns:
        Question and reference in the form of d1's stored generations, and the prompt, which is the
        question with its instruction.

    Raises:
        DataError: a line cannot be read.

    Source:
        d1 @ 837888f, eval/: the choice is numpy.random.seed(42); choice(n, size, replace=False).
    """
    rows = [PUBLISHED_FORMS[benchmark](record) for record in _read_records(path)]
    if num_examples is not None:
        if num_examples > len(rows):
            raise DataError(f"{path} must hold at least {num_examples} questions, got {len(rows)}")
        chosen = np.random.RandomState(42).choice(len(rows), num_examples, replace=False)
        rows = [rows[int(index)] for index in chosen]
    return [
        {
            "example_id": question_id(benchmark, question),
            "benchmark": benchmark,
            "question": question,
            "prompt": with_instruction(instruction, question),
            "reference": reference,
        }
        for question, reference in rows
    ]


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


def _read_records(path: Path) -> list[Row]:
    if path.suffix != ".csv":
        return read_jsonl(path)
    import pandas as pd

    frame = pd.read_csv(path, dtype=str)  # a puzzle is text: 0123… must keep its zeros
    return [{str(key): value for key, value in record.items()} for record in frame.to_dict("records")]


def _sudoku(record: Row) -> tuple[str, Any]:
    return f"Solve the following Sudoku puzzle: {record['Puzzle']}\n", record["Solution"]


def _countdown(record: Row) -> tuple[str, Any]:
    numbers, target = [int(n) for n in record["input"].split(",")], int(record["output"])
    return f"Numbers: {numbers}\nTarget: {target}", [numbers, target]


def _gsm8k(record: Row) -> tuple[str, Any]:
    answer = record["answer"].rpartition("####")[2].strip().replace(",", "")
    # d1's parser finds no number in a negative answer and stores null.
    return record["question"], float(answer) if answer.isdigit() else None


def _math500(record: Row) -> tuple[str, Any]:
    return record["problem"], record["answer"]


PUBLISHED_FORMS: dict[str, Callable[[Row], tuple[str, Any]]] = {
    "sudoku": _sudoku,
    "countdown": _countdown,
    "gsm8k": _gsm8k,
    "math500": _math500,
}
