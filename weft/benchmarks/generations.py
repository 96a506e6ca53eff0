"""Reading of generation files, in our form or in d1's.

Ours is JSON lines, one object an example:

    {"example_id": "…", "benchmark": "gsm8k", "question": "…", "reference": 18.0, "generation": "…", …}

Where the field ``approximate`` stands it says in words how sampling was approximate.

d1's (dllm-reasoning/d1 @ 837888f, eval/eval.py) is one object:

    {"generations": [{"question": "…", "generations": "…", "ground_truth": 18.0}, …], "gen_length": 256, …}

A file is read whole and checked before anything is scored.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.errors import ScoringError


@dataclass(frozen=True, slots=True)
class Generation:
    """What a model answered to one question.

    Attributes:
        example_id: the same for the same question, whichever model answered.
        benchmark: name of the benchmark.
        question: text of the question.
        reference: the right answer, in the form that the benchmark's scorer names.
        generation: text of the answer, special tokens included where the file has them.
        gen_length: length of the answer, in tokens, if the file says so.
        model: name or path of the model, if the file says so.
        approximate: what made the answer approximate, if the file says so; d1's form never does.
    """

    example_id: str
    benchmark: str
    question: str
    reference: Any
    generation: str
    gen_length: int | None
    model: str | None
    approximate: str | None = None


def read_generations(path: str | os.PathLike[str], benchmark: str) -> list[Generation]:
    """Read a generation file, in file order.

    Args:
        path: the file, in our form or in d1's.
        benchmark: the benchmark that the file must be of; d1's form does not say which it is.

    Returns:
        At least one generation.

    Raises:
        ScoringError: the file cannot be read, is damaged, has another form, repeats an example, is
            of another benchmark or is empty.
    """
    path = Path(path)
    text = _read_text(path)
    try:
        whole = json.loads(text)
    except json.JSONDecodeError as error:
        if error.lineno > 1 and not _is_json(text.partition("\n")[0]):
            raise ScoringError(
                f"{path}: line {error.lineno}: one JSON object over several lines must go on or end here, "
                f"got {text[error.pos :][:40]!a} ({error.msg}); it is cut off or damaged, fetch it again"
            ) from error
        whole = None  # several objects, or a damaged one: the lines will tell
    except (ValueError, RecursionError):
        whole = None
    if isinstance(whole, dict) and "example_id" not in whole and "generations" in whole:
        generations = _read_d1_object(whole, benchmark, path)
    else:
        generations = _read_lines(text, benchmark, path)
    if not generations:
        raise ScoringError(f"{path}: at least one generation is needed, got none; run the sampling again")
    return generations


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def make_example_id(question: str) -> str:
    """Make an id of 16 hexadecimal digits from the text of a question, for files that have no ids."""
    return hashlib.sha256(question.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _read_text(path: Path) -> str:
    """Read a file as UTF-8, with or without a byte order mark, lone surrogates allowed."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScoringError(f"{path}: cannot be read ({error.strerror}); check the path") from error
    try:
        return data.decode("utf-8", "surrogatepass").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line_number = data.count(b"\n", 0, error.start) + 1
        raise ScoringError(
            f"{path}: line {line_number}: text must be UTF-8, got byte {data[error.start]:#04x}; "
            "run the sampling again"
        ) from error


def _read_lines(text: str, benchmark: str, path: Path) -> list[Generation]:
    """Read our form."""
    *lines, rest = text.split("\n")
    if _is_json(rest):  # whole, if without its line end
        lines, rest = [*lines, rest], ""
    generations: dict[str, Generation] = {}
    for line_number, line in enumerate(lines, start=1):
        where = f"{path}: line {line_number}"
        generation = _read_record(_parse_line(line, where), benchmark, where)
        if generation.example_id in generations:
            raise ScoringError(
                f"{where}: an example must stand in a file once, got {generation.example_id!a} again; "
                "remove one of the two lines"
            )
        generations[generation.example_id] = generation
    if rest:
        raise ScoringError(
            f"{path}: line {len(lines) + 1}: every line must be ended, got {rest[:40]!a} at the end; "
            "it is cut off: let the sampling finish, which resumes there, or fetch it again"
        )
    return list(generations.values())


def _parse_line(line: str, where: str) -> dict[str, Any]:
    """Parse one line of our form."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ScoringError(
            f"{where}: a line must be one JSON object, got {line[:40]!a} ({type(error).__name__}: {error}); "
            "run the sampling again (or give d1's form, one object with the key 'generations')"
        ) from error
    if not isinstance(record, dict):
        raise ScoringError(
            f"{where}: a line must be one JSON object, got {line[:40]!a}; is this a generation file?"
        )
    return record


def _read_record(record: dict[str, Any], benchmark: str, where: str) -> Generation:
    """Read one parsed line of our form."""
    generation = Generation(
        example_id=_get(record, "example_id", str, where),
        benchmark=_get(record, "benchmark", str, where),
        question=_get(record, "question", str, where),
        reference=_get(record, "reference", object, where),
        generation=_get(record, "generation", str, where),
        gen_length=_get(record, "gen_length", int, where, is_optional=True),
        model=_get(record, "model", str, where, is_optional=True),
        approximate=_get(record, "approximate", str, where, is_optional=True),
    )
    if generation.benchmark != benchmark:
        raise ScoringError(
            f"{where}: the benchmark must be {benchmark!a}, got {generation.benchmark!a}; "
            "score the files of each benchmark by themselves"
        )
    return generation


def _read_d1_object(whole: dict[str, Any], benchmark: str, path: Path) -> list[Generation]:
    """Read d1's form."""
    gen_length = _get(whole, "gen_length", int, str(path), is_optional=True)
    model = _get(whole, "model_path", str, str(path), is_optional=True)
    generations = []
    for index, item in enumerate(_get(whole, "generations", list, str(path))):
        where = f"{path}: generations[{index}]"
        if not isinstance(item, dict):
            raise ScoringError(f"{where}: must be a JSON object, got {type(item).__name__}; check the file")
        question = _get(item, "question", str, where)
        generation = Generation(
            example_id=make_example_id(question),
            benchmark=benchmark,
            question=question,
            reference=_get(item, "ground_truth", object, where),
            generation=_get(item, "generations", str, where),
            gen_length=gen_length,
            model=model,
        )
        generations.append(generation)
    return generations


def _get(record: dict[str, Any], key: str, kind: type, where: str, *, is_optional: bool = False) -> Any:
    """Get a value of the given type; an optional one may be missing or null."""
    if is_optional and record.get(key) is None:
        return None
    if key not in record:
        raise ScoringError(f"{where}: the key {key!a} is needed, got {sorted(record)!a:.200}; check the file")
    value = record[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ScoringError(
            f"{where}: {key!a} must be of type {kind.__name__}, got {type(value).__name__}; check the file"
        )
    return value
