"""Fine-tuning sets as text examples: generated, from the hub, or from a custom JSON Lines file."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from weft.config.places import find_path
from weft.config.sources import DataSource, FileData, GeneratedData, HubData
from weft.data.forms import make_example
from weft.data.hub import fetch_hub_file, pin_hub_file
from weft.data.instructions import describe_instruction, find_instruction, with_instruction
from weft.data.jsonl import read_numbered_rows
from weft.data.offline import check_sha256
from weft.data.rows import Loaded, describe_files, read_rows, take_text
from weft.data.tasks.examples import generate_examples
from weft.data.tasks.problem import join_answer
from weft.errors import DataError
from weft.records import Example, JsonObject, Message
from weft.records.ids import example_id


def load_dataset(
    name: str, source: DataSource, *, offline: Sequence[str], pins: Path | None = None
) -> Loaded[Example]:
    """Load the examples of a fine-tuning set. Files from the hub are pinned once they have been read.

    If a custom file repeats an example, only the first copy is kept: the noise depends on the example, so
    all copies would be masked at the same positions. Published data sets are not changed.

    Args:
        name: name of the data set in the experiment.
        source: source of the examples in the experiment.
        offline: folders searched before any download.
        pins: lock file of the experiment, see `weft.data.pins`.

    Returns:
        The examples in training order.

    Raises:
        DataError: a file is missing, unreachable, damaged or malformed, or no example is left.
    """
    files: list[Path] = []
    inputs: list[Path] = []
    num_repeated = 0
    if isinstance(source, GeneratedData):
        examples = generate_examples(source.tasks, seed=source.seed, is_checked=source.checked_steps)
    elif isinstance(source, HubData):
        files = [fetch_hub_file(file, offline=offline, pins=pins) for file in source.files]
        examples = _read_hub(name, source, files, find_instruction(source.instruction, offline=offline))
    else:
        inputs = [find_path(path) for path in source.paths]
        read = _read_custom(name, source, offline)
        examples = list({example.example_id: example for example in read}.values())
        num_repeated = len(read) - len(examples)
    if not examples:
        raise DataError(f"data set {name!r} must have at least one example, got none; check its source")
    if isinstance(source, HubData):
        for file, path in zip(source.files, files, strict=True):
            pin_hub_file(file, path, pins=pins)
    notes: JsonObject = {
        "files": describe_files(files),
        "instruction": describe_instruction(getattr(source, "instruction", "none")),
        "num_repeated": num_repeated,
    }
    return Loaded(records=examples, inputs=inputs, notes=notes, num_repeated=num_repeated)


def find_leaks(examples: Iterable[Example], questions: Collection[str]) -> list[str]:
    """Return the sorted ids of the examples in which a turn of the user is a test question.

    Only the end of a turn is compared, because an instruction may precede the question.
    """
    ends = tuple({question.strip() for question in questions})
    return sorted(
        example.example_id
        for example in examples
        if any(turn.strip().endswith(ends) for turn in example.user_turns)
    )


def _read_hub(name: str, source: HubData, files: Sequence[Path], instruction: str) -> list[Example]:
    rows = [row for file in files for row in read_rows(file)]
    random.Random(source.shuffle_seed).shuffle(rows)
    examples: list[Example] = []
    for row in rows:
        if len(examples) == source.num_examples:
            break
        try:
            question, trajectory, attempt = (
                take_text(row, field) for field in (source.question, source.trajectory, source.attempt)
            )
        except ValueError as error:
            raise DataError(f"data set {name!r}: {error}; correct datasets.{name}") from error
        if source.split_trajectory_at is not None:
            trajectory, mark, attempt = trajectory.partition(source.split_trajectory_at)
            if not mark or not attempt.strip():
                continue  # the row ends before its answer
            trajectory = trajectory.strip().removeprefix(source.trajectory_prefix).strip()
            attempt = attempt.strip()
        question = with_instruction(instruction, question)
        examples.append(_example(name, question, join_answer(trajectory, attempt)))
    return examples


def _read_custom(name: str, source: FileData, offline: Sequence[str]) -> list[Example]:
    instruction = find_instruction(source.instruction, offline=offline)
    remedy = f"correct the file or datasets.{name}.path"
    examples = []
    for path in map(find_path, source.paths):
        if source.sha256 is not None:
            check_sha256(path, source.sha256, name=str(path))
        for place, row in read_numbered_rows(path, remedy=remedy):
            example = make_example(
                row, dataset=name, place=place, columns=source.columns, instruction=instruction
            )
            examples.append(example)
    return examples


def find_place(example: Example, sources: Mapping[str, DataSource]) -> str | None:
    """Return the place from which an example of the experiment's data sets was read, or None."""
    return example.origin if example.source in sources else None


def _example(name: str, question: str, answer: str, history: tuple[Message, ...] = ()) -> Example:
    optional = {"history": history} if history else {}  # an empty history is not written
    identity = example_id(name, question, answer, history)
    return Example(example_id=identity, question=question, answer=answer, source=name, **optional)
