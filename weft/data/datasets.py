"""Fine-tuning sets as text examples: generated, from the hub, or one's own file."""

import hashlib
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from weft.config.sources import DataSource, GeneratedData, HubData, JsonlData
from weft.data.benchmarks import read_jsonl, read_records
from weft.data.examples import Example, Message, generate_examples, lay_out_answer
from weft.data.instructions import find_instruction, with_instruction
from weft.data.remote import check_sha256, fetch_hub_file
from weft.errors import DataError


def load_examples(
    name: str, source: DataSource, *, offline: Sequence[str], pins: Path | None = None
) -> list[Example]:
    """Make or read the examples of a fine-tuning set.

    Args:
        name: name of the set in the experiment.
        source: where it comes from.
        offline: folders searched before any download.
        pins: lock file of the experiment, see `weft.config.pins`.

    Returns:
        The examples in training order, repeated ones included.

    Raises:
        DataError: a file is missing, unreachable, damaged or malformed, or no example is left.
    """
    if isinstance(source, GeneratedData):
        examples = generate_examples(source.tasks, seed=source.seed)
    elif isinstance(source, HubData):
        examples = _read_hub(name, source, offline, pins)
    else:
        examples = _read_own(name, source, offline)
    if not examples:
        raise DataError(f"data set {name!r} must have at least one example, got none")
    return examples


def _read_hub(name: str, source: HubData, offline: Sequence[str], pins: Path | None) -> list[Example]:
    paths = [fetch_hub_file(file, offline=offline, pins=pins) for file in source.files]
    rows = [row for path in paths for row in read_records(path)]
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
        try:
            history, question, answer = _read_conversation(row) if "messages" in row else _read_pair(row)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}; correct the line") from error
        examples.append(_example(name, with_instruction(instruction, question), answer, history=history))
    return examples


def _read_pair(row: dict[str, Any]) -> tuple[list[Message], str, str]:
    missing = sorted({"question", "answer"} - row.keys())
    if missing:
        raise ValueError(f"must have question and answer, or messages; {missing} missing, got {sorted(row)}")
    answer = row["answer"]
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        answer = str(answer)
    question, answer = _text(row["question"], "question"), _text(answer, "answer")
    if row.get("reasoning") in (None, ""):
        return [], question, answer
    return [], question, lay_out_answer(_text(row["reasoning"], "reasoning"), answer)


def _read_conversation(row: dict[str, Any]) -> tuple[list[Message], str, str]:
    """Split ``messages`` into the turns before the last question, that question, and the answer to it."""
    mixed = sorted({"question", "answer", "reasoning"} & row.keys())
    if mixed:
        raise ValueError(f"must have either messages or question and answer, got messages and {mixed}")
    messages = row["messages"]
    if not isinstance(messages, list):
        raise ValueError(f"messages must be a list of turns, got {type(messages).__name__}")
    turns = [_read_turn(turn, f"messages[{index}]") for index, turn in enumerate(messages)]
    has_system = bool(turns) and turns[0]["role"] == "system"
    if len(turns) < 2 + has_system:
        raise ValueError(f"messages must have a user turn and its answer, got {[t['role'] for t in turns]}")
    for index, turn in enumerate(turns[has_system:]):
        expected = "assistant" if index % 2 else "user"
        if turn["role"] != expected:
            raise ValueError(
                f"messages[{index + has_system}] must have role {expected!r}, got {turn['role']!r}; turns of "
                "user and assistant alternate, and only the first one may be the system's"
            )
    if turns[-1]["role"] != "assistant":
        raise ValueError(f"the last of the messages must be the assistant's, got {turns[-1]['role']!r}")
    return turns[:-2], turns[-2]["content"], turns[-1]["content"]


def _read_turn(turn: Any, where: str) -> Message:
    if not isinstance(turn, dict) or not {"role", "content"} <= turn.keys():
        raise ValueError(f"{where} must be an object with role and content, got {json.dumps(turn):.80}")
    if turn["role"] not in ("system", "user", "assistant"):
        raise ValueError(f"{where} must have role system, user or assistant, got {turn['role']!r:.80}")
    return {"role": turn["role"], "content": _text(turn["content"], f"{where}.content")}


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where} must be text, got {type(value).__name__}")
    if not value.strip():
        raise ValueError(f"{where} must hold text, got nothing")
    return value


def drop_repeats(examples: Iterable[Example]) -> tuple[list[Example], int]:
    """Keep the first of equal examples.

    Equal ones would be masked at the same positions in every epoch, since noise depends on the example.

    Returns:
        The distinct examples in their order, and how many were left out.
    """
    everything = list(examples)
    first: dict[str, Example] = {}
    for example in everything:
        first.setdefault(example.example_id, example)
    return list(first.values()), len(everything) - len(first)


def _take(row: dict[str, Any], field: str, name: str) -> str:
    if field not in row:
        raise DataError(f"data set {name!r}: every row must have the field {field!r}, got {sorted(row)}")
    value = row[field]
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, str) or not first.strip():
        raise DataError(f"data set {name!r}: the field {field!r} must hold text, got {first!r}")
    return first


def _example(name: str, question: str, answer: str, *, history: Sequence[Message] = ()) -> Example:
    before = json.dumps(list(history)) if history else ""
    identity = hashlib.sha256(f"{name}\n{before}{question}\n{answer}".encode()).hexdigest()[:16]
    return Example(example_id=identity, question=question, answer=answer, source=name, history=tuple(history))
