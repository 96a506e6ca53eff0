"""Data sets, benchmarks and instructions in their published forms, with texts of our own."""

import io
import json
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet

from weft.data.tasks.examples import generate_examples

NUM_ROWS = 24
"""Rows of each training set."""


def s1k() -> bytes:
    """Return a file with the columns of simplescaling/s1K; a row has one or more trajectories."""
    return _parquet(
        {
            "question": question,
            "solution": attempt,
            "thinking_trajectories": [thought, "a second trajectory, which d1 does not use"],
            "attempt": attempt,
        }
        for question, thought, attempt in _triples(seed=1)
    )


def s1k_1_1() -> bytes:
    """Return a file with the columns of simplescaling/s1K-1.1, which has traces of two models."""
    return _parquet(
        {
            "question": question,
            "deepseek_thinking_trajectory": thought,
            "deepseek_attempt": attempt,
            "gemini_thinking_trajectory": "another model's thoughts",
            "gemini_attempt": "another model's answer",
        }
        for question, thought, attempt in _triples(seed=2)
    )


def open_r1() -> bytes:
    """Return a file with the columns of open-r1/OpenR1-Math-220k; every fourth first trace is cut off."""
    return _parquet(
        {
            "problem": question,
            "answer": attempt,
            "generations": [
                f"<think>\n{thought}" if number % 4 == 0 else f"<think>\n{thought}\n</think>\n\n{attempt}",
                f"<think>\nanother\n</think>\n\n{attempt}",
            ],
        }
        for number, (question, thought, attempt) in enumerate(_triples(seed=3))
    )


def benchmark_files() -> Mapping[str, bytes]:
    """Return benchmark -> its test file, in the form in which d1, OpenAI and others publish it."""
    boards = [("1004300220000020", "1234341221434321"), ("1030040040200103", "1234341243212143")]
    sudoku = "Puzzle,Solution\n" + "".join(f"{puzzle},{solution}\n" for puzzle, solution in boards)
    return {
        "sudoku": sudoku.encode(),
        "countdown": _json_lines(
            [
                {"input": "7,5,12", "output": "24"},
                {"input": "3,8,20", "output": "31"},
                {"input": "2,9,4", "output": "7"},
            ]
        ),
        "gsm8k": _json_lines(
            [
                {"question": "Ida has 3 pens and buys 4. How many?", "answer": "3 + 4 = <<3+4=7>>7\n#### 7"},
                {"question": "A loaf costs 2 coins. What do 600 cost?", "answer": "2 * 600\n#### 1,200"},
            ]
        ),
        "math500": _json_lines(
            [
                {"problem": "What is $2^5$?", "solution": "It is $32$.", "answer": "32", "subject": "Algebra",
                 "level": 1, "unique_id": "test/algebra/1.json"},
                {"problem": "Halve $\\frac{1}{2}$.", "solution": "$\\frac{1}{4}$", "answer": "\\frac{1}{4}",
                 "subject": "Prealgebra", "level": 2, "unique_id": "test/prealgebra/2.json"},
            ]
        ),
    }  # fmt: skip


def instruction_source(constant: str, text: str) -> bytes:
    """Return a Python file like those of d1, which assigns the text to a constant and must not be run."""
    head, tail = text[: len(text) // 2], text[len(text) // 2 :]
    return f"import a_module_that_does_not_exist\n\n{constant} = {head!r} + (\n    {tail!r}\n)\n".encode()


def _triples(*, seed: int) -> list[tuple[str, str, str]]:
    """Return questions with reasoning and final answer."""
    examples = generate_examples({"gsm8k": NUM_ROWS // 2, "math500": NUM_ROWS // 2}, seed=seed)
    return [
        (example.question, f"Let me think.\n{example.answer}", f"The answer is {number}.")
        for number, example in enumerate(examples)
    ]


def _parquet(rows: Iterable[object]) -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


def _json_lines(rows: Sequence[Mapping[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
