"""Read generation files, in the form of weft or of d1.

weft's form is JSON Lines with a `weft.records.Generation` on each line::

    {"example_id": "...", "benchmark": "gsm8k", "question": "...", "reference": 18.0, "generation": "..."}

d1's form is a single JSON object, written by eval/eval.py of dllm-reasoning/d1 @ 837888f::

    {"generations": [{"question": "...", "generations": "...", "ground_truth": 18.0}], "gen_length": 256}

A file is read and checked as a whole before anything is scored.
"""

from pathlib import Path

from pydantic import ConfigDict, JsonValue

from weft.errors import ScoringError
from weft.records import Count, Generation, Record
from weft.records.files import numbered_lines, parse_json, parse_record, read_text
from weft.records.ids import stored_question_id

REMEDY = (
    "a generation file must be weft's JSON Lines or d1's JSON; if it is incomplete, run the sampling again, "
    "which resumes where it stopped, or fetch the file again"
)


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


def read_generations(path: Path, benchmark: str) -> list[Generation]:
    """Read a generation file, in file order.

    Args:
        path: the file, in weft's form or in d1's.
        benchmark: name of the benchmark that the file must belong to; d1's form does not name it.

    Returns:
        At least one generation.

    Raises:
        ScoringError: the file cannot be read, is damaged, has another form, repeats an example, belongs
            to another benchmark or is empty.
    """
    text = read_text(path, error=ScoringError, remedy=REMEDY)
    is_d1_form = _is_single_object(text)
    generations = _read_d1_form(text, benchmark, path) if is_d1_form else _read_lines(text, benchmark, path)
    if not generations:
        raise ScoringError(f"{path}: expected at least one generation, got none; run the sampling again")
    return generations


def _is_single_object(text: str) -> bool:
    """Return True if the text is a single object, as in d1's form, or is damaged, and is not JSON Lines."""
    try:
        first = parse_json(text.partition("\n")[0], allow_nan=True)
    except (ValueError, RecursionError):
        return text != ""
    return isinstance(first, dict) and "generations" in first and "example_id" not in first


def _read_lines(text: str, benchmark: str, path: Path) -> list[Generation]:
    """Read a file in weft's form."""
    generations: dict[str, Generation] = {}
    for place, line in numbered_lines(path, text):
        generation = parse_record(
            line, Generation, place=place, error=ScoringError, remedy=REMEDY, allow_nan=True
        )
        if generation.benchmark != benchmark:
            raise ScoringError(
                f"{place}: benchmark: expected {benchmark!a}, got {generation.benchmark!a}; "
                "score the files of each benchmark separately"
            )
        if generation.example_id in generations:
            raise ScoringError(
                f"{place}: example_id: expected an id that the file has not used, got "
                f"{generation.example_id!a} again; remove one of the two lines"
            )
        generations[generation.example_id] = generation
    return list(generations.values())


def _read_d1_form(text: str, benchmark: str, path: Path) -> list[Generation]:
    """Read a file in d1's form."""
    file = parse_record(text, _D1File, place=str(path), error=ScoringError, remedy=REMEDY, allow_nan=True)
    return [
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
        )
        for item in file.generations
    ]
