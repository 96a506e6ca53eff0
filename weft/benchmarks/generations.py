"""Read generation files, in the form of weft or of d1.

weft's form is JSON Lines with a `weft.records.Generation` on each line::

    {"example_id": "...", "benchmark": "gsm8k", "question": "...", "reference": 18.0, "generation": "..."}

d1's form is a single JSON object, written by eval/eval.py of dllm-reasoning/d1 @ 837888f::

    {"generations": [{"question": "...", "generations": "...", "ground_truth": 18.0}], "gen_length": 256}

Blank lines are skipped, and objects of either form may be indented over several lines, as jq writes them.
A file is read and checked as a whole before anything is scored.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, JsonValue

from weft.benchmarks import Scorer
from weft.benchmarks.references import find_problem
from weft.errors import ScoringError
from weft.records import Count, Generation, Record
from weft.records.files import numbered_lines, parse_json, parse_record, read_text
from weft.records.ids import stored_question_id

REMEDY = (
    "a generation file must be weft's JSON Lines or d1's JSON; if it is incomplete, run the sampling again, "
    "which resumes where it stopped, or fetch the file again"
)
_NOT_SPACE = re.compile(r"[^ \t\r\n]")
_LINE_END = re.compile(r"[ \t\r]*+(?:\n|\Z)")


class _D1Generation(Record):
    """A generation in d1's form."""

    model_config = ConfigDict(allow_inf_nan=True)

    question: str
    """Text of the question."""
    generations: str
    """Text of the answer, special tokens included."""
    ground_truth: JsonValue
    """The right answer."""


class _D1File(Record):
    """A file in d1's form."""

    generations: list[_D1Generation]
    """The answers, in file order."""
    gen_length: Count | None = None
    """Length of each canvas, in tokens."""
    diffusion_steps: Count | None = None
    """Denoising steps of each answer."""
    model_path: str | None = None
    """Name or path of the model."""


def read_generations(path: Path, benchmark: str, *, scorer: Scorer | None = None) -> list[Generation]:
    """Read a generation file, in file order.

    Args:
        path: the file, in weft's form or in d1's.
        benchmark: name of the benchmark that the file must belong to; d1's form does not name it.
        scorer: scorer whose requirements the questions and references must meet; None checks no references.

    Returns:
        At least one generation.

    Raises:
        ScoringError: the file cannot be read, is damaged, has another form, repeats an example, belongs
            to another benchmark or is empty, or a question or reference has another form.
    """
    text = read_text(path, error=ScoringError, remedy=REMEDY)
    pieces = [piece for piece in numbered_lines(path, text) if piece[1].strip()]
    if pieces and _parse(pieces[0][1]) is None:
        pieces = list(_split_objects(path, text))
    first = _parse(pieces[0][1]) if pieces else None
    is_d1_form = isinstance(first, dict) and "generations" in first and "example_id" not in first
    generations = _read_d1_form(text, benchmark, path) if is_d1_form else _read_objects(pieces, benchmark)
    if not generations:
        raise ScoringError(f"{path}: expected at least one generation, got none; run the sampling again")
    if scorer is not None:
        for place, generation in generations:
            _check_reference(scorer, generation, place)
    return [generation for _, generation in generations]


def _parse(text: str) -> Any:
    """Return the JSON value of a text; None if the text is damaged."""
    try:
        return parse_json(text, allow_nan=True)
    except (ValueError, RecursionError):
        return None


def _split_objects(path: Path, text: str) -> Iterator[tuple[str, str]]:
    """Yield the place, "FILE, line N", and the text of each object of a file with indented objects.

    A part that is no object, or that is not followed by the end of a line, is yielded with all that follows,
    behind as many line ends as are before it, so that a parser's message has the right line.
    """
    decoder = json.JSONDecoder()
    end, line = 0, 1
    while True:
        beginning = _NOT_SPACE.search(text, end)
        if beginning is None:
            return
        start = beginning.start()
        line += text.count("\n", end, start)
        try:
            _, end = decoder.raw_decode(text, start)
            is_whole = _LINE_END.match(text, end) is not None
        except (ValueError, RecursionError):
            is_whole = False
        if not is_whole:
            rest = "\n" * (line - 1) + text[start:]
            yield str(path) if "\n" in rest else f"{path}, line 1", rest
            return
        yield f"{path}, line {line}", text[start:end]
        line += text.count("\n", start, end)


def _check_reference(scorer: Scorer, generation: Generation, place: str) -> None:
    """Raise ScoringError if a scorer does not accept the question or the reference of a generation."""
    if generation.reference is None and generation.benchmark == "gsm8k":
        return  # d1 has no reference for questions with a negative answer
    problem = find_problem(scorer, question=generation.question, reference=generation.reference)
    if problem is not None:
        raise ScoringError(f"{place}: {problem}")


def _read_objects(pieces: list[tuple[str, str]], benchmark: str) -> list[tuple[str, Generation]]:
    """Read the objects of a file in weft's form, each given by its place and its text."""
    generations: dict[str, tuple[str, Generation]] = {}
    for place, text in pieces:
        generation = parse_record(
            text, Generation, place=place, error=ScoringError, remedy=REMEDY, allow_nan=True
        )
        if generation.benchmark != benchmark:
            raise ScoringError(
                f"{place}: benchmark: expected {benchmark!a}, got {generation.benchmark!a}; "
                "score the files of each benchmark separately"
            )
        if generation.example_id in generations:
            raise ScoringError(
                f"{place}: example_id: expected an id that the file has not used, got "
                f"{generation.example_id!a} again; remove one of the two"
            )
        generations[generation.example_id] = place, generation
    return list(generations.values())


def _read_d1_form(text: str, benchmark: str, path: Path) -> list[tuple[str, Generation]]:
    """Read a file in d1's form; the place of a generation is its index."""
    file = parse_record(text, _D1File, place=str(path), error=ScoringError, remedy=REMEDY, allow_nan=True)
    return [
        (
            f"{path}: generations.{index}",
            Generation(
                example_id=stored_question_id(item.question),
                benchmark=benchmark,
                question=item.question,
                reference=item.ground_truth,
                generation=item.generations,
                gen_length=file.gen_length,
                diffusion_steps=file.diffusion_steps,
                num_forward=file.diffusion_steps,  # d1's sampler takes all steps for every answer
                model=file.model_path,
            ),
        )
        for index, item in enumerate(file.generations)
    ]
