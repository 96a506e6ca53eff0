"""Fine-tuning sets as text examples: generated, from the hub, or one's own file."""

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.config.sources import DataSource, GeneratedData, HubData, JsonlData
from weft.data.benchmarks import read_jsonl, read_records
from weft.data.examples import Example, generate_examples, lay_out_answer
from weft.data.instructions import find_instruction, with_instruction
from weft.data.remote import check_sha256, fetch_hub_file
from weft.errors import DataError


def load_examples(name: str, source: DataSource, *, offline: Sequence[str]) -> list[Example]:
    """Make or read the examples of a fine-tuning set.

    Args:
        name: name of the set in the experiment.
        source: where it comes from.
        offline: folders searched before any download.

    Returns:
        The examples in training order.

    Raises:
        DataError: a file is missing, unreachable, damaged or malformed, or no example is left.
    """
    if isinstance(source, GeneratedData):
        examples = generate_examples(source.tasks, seed=source.seed)
    elif isinstance(source, HubData):
        examples = _read_hub(name, source, offline)
    else:
        examples = _read_own(name, source, offline)
    if not examples:
        raise DataError(f"data set {name!r} must have at least one example, got none")
    return examples


def _read_hub(name: str, source: HubData, offline: Sequence[str]) -> list[Example]:
    rows = [row for file in source.files for row in read_records(fetch_hub_file(file, offline=offline))]
    instruction = find_instruction(source.instruction, offline=offline)
    random.Random(source.shuffle_seed).shuffle(rows)
    examples: list[Example] = []
    for row in rows:
        if len(examples) == source.num_examples:
            break
        question, trajectory, attempt = (
            _take(row, field, name) for field in (source.question, source.trajectory, source.attempt)
        )
        if source.split_trajectory_at is not None:
            trajectory, mark, attempt = trajectory.partition(source.split_trajectory_at)
            if not mark or not attempt.strip():
                continue  # cut off before its answer: nothing to learn from
            trajectory = trajectory.strip().removeprefix(source.trajectory_prefix).strip()
            attempt = attempt.strip()
        question = with_instruction(instruction, question)
        examples.append(_example(name, question, lay_out_answer(trajectory, attempt)))
    return examples


def _read_own(name: str, source: JsonlData, offline: Sequence[str]) -> list[Example]:
    path = Path(source.path)
    if not path.is_file():
        raise DataError(f"data set {name!r}: {path} must exist, not found; correct datasets.{name}.path")
    if source.sha256 is not None:
        check_sha256(path, source.sha256, name=str(path))
    instruction = find_instruction(source.instruction, offline=offline)
    examples = []
    for number, row in enumerate(read_jsonl(path), start=1):
        missing = {"question", "answer"} - row.keys()
        if missing:
            raise DataError(
                f"{path}, line {number}: must have question and answer, {sorted(missing)} missing"
            )
        empty = sorted(field for field in ("question", "answer") if row[field] in (None, ""))
        if empty:
            raise DataError(f"{path}, line {number}: {empty} must hold text, got nothing")
        answer = str(row["answer"])
        text = lay_out_answer(str(row["reasoning"]), answer) if row.get("reasoning") else answer
        question = with_instruction(instruction, str(row["question"]))
        examples.append(_example(name, question, text))
    return examples


def _take(row: dict[str, Any], field: str, name: str) -> str:
    if field not in row:
        raise DataError(f"data set {name!r}: every row must have the field {field!r}, got {sorted(row)}")
    value = row[field]
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, str) or not first.strip():
        raise DataError(f"data set {name!r}: the field {field!r} must hold text, got {first!r}")
    return first


def _example(name: str, question: str, answer: str) -> Example:
    identity = hashlib.sha256(f"{name}\n{question}\n{answer}".encode()).hexdigest()[:16]
    return Example(example_id=identity, question=question, answer=answer, source=name)
