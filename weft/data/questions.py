"""Test questions of a benchmark: generated, from a published file, or from a custom benchmark."""

import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from weft.benchmarks.custom import load_custom_benchmark
from weft.config.places import find_path
from weft.config.sources import BenchmarkSource, CustomBenchmark, GeneratedBenchmark, HubFile
from weft.config.training import LearningCurve
from weft.data.hub import fetch_hub_file, pin_hub_file
from weft.data.instructions import describe_instruction, find_instruction, with_instruction
from weft.data.rows import Loaded, describe_files, is_unicode, read_rows, take_text
from weft.data.tasks import draw_problems, find_generator
from weft.data.tasks.problem import Split
from weft.data.web import fetch_web_file
from weft.errors import ConfigError, DataError
from weft.records import JsonObject, Question
from weft.records.ids import question_id


def load_questions(
    benchmark: str, source: BenchmarkSource, out: Path, *, offline: Sequence[str], pins: Path | None = None
) -> Loaded[Question]:
    """Load the test questions of a benchmark. Files from the hub are pinned once they have been read.

    Args:
        benchmark: name of the benchmark in the experiment.
        source: source of the questions in the experiment.
        out: file to which the questions will be written; a download is kept in the same folder.
        offline: folders searched before any download.
        pins: lock file of the experiment, see `weft.data.pins`.

    Returns:
        The questions and their provenance.

    Raises:
        ConfigError: the questions of a custom benchmark have the wrong form, or are too few.
        DataError: a file is missing, unreachable, damaged or malformed, or has too few questions.
    """
    if isinstance(source, GeneratedBenchmark):
        return Loaded(records=generate_questions(benchmark, source, split=source.split))
    if isinstance(source, CustomBenchmark):
        custom = load_custom_benchmark(find_path(source.path))
        pairs = custom.list_questions(source.num_examples)
        for number, (question, _) in enumerate(pairs, start=1):
            if not is_unicode(question):
                raise ConfigError(
                    f"{source.path}: question {number} must be valid Unicode, got {question!r:.200}; correct "
                    "QUESTIONS"
                )
        questions = [_question(benchmark, *pair, instruction=custom.instruction) for pair in pairs]
        return Loaded(records=questions, inputs=[custom.path])
    if isinstance(source.file, HubFile):
        path = fetch_hub_file(source.file, offline=offline, pins=pins)
    else:
        path = out.with_name(f"{benchmark}.source{Path(source.file.offline).suffix}")
        fetch_web_file(source.file, path, offline=offline)
    instruction = find_instruction(source.instruction, offline=offline)
    questions = read_published(benchmark, path, num_examples=source.num_examples, instruction=instruction)
    if isinstance(source.file, HubFile):
        pin_hub_file(source.file, path, pins=pins)
    notes: JsonObject = {
        "files": describe_files([path]),
        "instruction": describe_instruction(source.instruction),
    }
    return Loaded(records=questions, notes=notes)


def generate_questions(
    benchmark: str, source: GeneratedBenchmark | LearningCurve, *, split: Split = "test"
) -> list[Question]:
    """Generate questions of a split, disjoint from the training data of every experiment."""
    stream = draw_problems(find_generator(benchmark), split=split, seed=source.seed)
    problems = itertools.islice(stream, source.num_examples)
    return [_question(benchmark, problem.question, problem.reference) for problem in problems]


def read_published(
    benchmark: str, path: Path, *, num_examples: int | None, instruction: str = ""
) -> list[Question]:
    """Read a published test file, and select ``num_examples`` questions as d1 does, or all if None.

    Questions and references have the form of d1's stored generations, except that a GSM8K reference is always
    the right number, even where d1's file has null.

    Source:
        d1 @ 837888f, eval/: numpy.random.seed(42), then choice(n, size, replace=False).
    """
    read_row = PUBLISHED_FORMS[benchmark]
    pairs = []
    for number, row in enumerate(read_rows(path), start=1):
        try:
            pairs.append(read_row(row))
        except ValueError as error:
            raise DataError(
                f"{path}, row {number}: must be a question of {benchmark} in its published form: {error}; "
                f"correct benchmarks.{benchmark}.file"
            ) from error
    if len(pairs) < (num_examples or 1):
        raise DataError(
            f"{path} must contain at least {num_examples or 1} questions, got {len(pairs)}; "
            f"correct benchmarks.{benchmark}"
        )
    if num_examples is not None:
        selected = np.random.RandomState(42).choice(len(pairs), num_examples, replace=False)
        pairs = [pairs[index] for index in selected.tolist()]
    return [_question(benchmark, *pair, instruction=instruction) for pair in pairs]


def _question(benchmark: str, question: str, reference: Any, *, instruction: str = "") -> Question:
    return Question(
        example_id=question_id(benchmark, question),
        benchmark=benchmark,
        question=question,
        prompt=with_instruction(instruction, question),
        reference=reference,
    )


def _read_sudoku(row: JsonObject) -> tuple[str, Any]:
    puzzle, solution = take_text(row, "Puzzle"), take_text(row, "Solution")
    if not all(re.fullmatch(r"[0-4]{16}", board) for board in (puzzle, solution)):
        raise ValueError(f"Puzzle and Solution must have 16 digits, got {puzzle!r:.40} and {solution!r:.40}")
    return f"Solve the following Sudoku puzzle: {puzzle}\n", solution


def _read_countdown(row: JsonObject) -> tuple[str, Any]:
    numbers = [int(number) for number in take_text(row, "input").split(",")]
    target = int(take_text(row, "output"))
    return f"Numbers: {numbers}\nTarget: {target}", [numbers, target]


def _read_gsm8k(row: JsonObject) -> tuple[str, Any]:
    number = take_text(row, "answer").rpartition("####")[2].strip().replace(",", "")
    if not re.fullmatch(r"-?[0-9]{1,300}(\.[0-9]+)?", number):
        raise ValueError(f"the field 'answer' must end with #### and a number, got {number!r:.80}")
    return take_text(row, "question"), float(number)


def _read_math500(row: JsonObject) -> tuple[str, Any]:
    return take_text(row, "problem"), take_text(row, "answer")


PUBLISHED_FORMS: dict[str, Callable[[JsonObject], tuple[str, Any]]] = {
    "sudoku": _read_sudoku,
    "countdown": _read_countdown,
    "gsm8k": _read_gsm8k,
    "math500": _read_math500,
}
"""Benchmark -> function that reads question and reference from a row of its published file."""
