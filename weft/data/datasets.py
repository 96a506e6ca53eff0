"""Fine-tuning sets as text examples: generated, from the hub, or from files of the user."""

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from weft.config.places import find_path
from weft.config.sources import DataSource, FileData, GeneratedData, HubData, HubFile
from weft.data.hub import fetch_hub_file, pin_hub_file
from weft.data.instructions import describe_instruction, find_instruction, with_instruction
from weft.data.row_sets import read_row_set
from weft.data.rows import Loaded, describe_files, read_rows, take_text
from weft.data.tasks.examples import generate_examples
from weft.data.tasks.problem import join_answer
from weft.errors import DataError
from weft.records import Example, JsonObject
from weft.records.ids import example_id


def load_dataset(
    name: str, source: DataSource, *, offline: Sequence[str], pins: Path | None = None
) -> Loaded[Example]:
    """Load the examples of a fine-tuning set. Files from the hub are pinned once they have been read.

    If rows repeat an example, only the first copy is kept: the noise depends on the example, so all copies
    would be masked at the same positions. Published reasoning traces (``files``) are not changed.

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
    pinned: list[HubFile] = []
    files: list[Path] = []
    inputs: list[Path] = []
    report: Sequence[str] = ()
    num_repeated = 0
    if isinstance(source, GeneratedData):
        examples = generate_examples(source.tasks, seed=source.seed, is_checked=source.checked_steps)
    elif isinstance(source, HubData):
        pinned = source.files
        files = [fetch_hub_file(file, offline=offline, pins=pins) for file in source.files]
        examples = _read_hub(name, source, files, find_instruction(source.instruction, offline=offline))
    else:
        row_set = read_row_set(name, source, offline=offline, pins=pins)
        examples, report = row_set.examples, row_set.report
        num_repeated = row_set.num_rows - len(examples)
        pinned, files = [file for file, _ in row_set.files], [path for _, path in row_set.files]
        inputs = [find_path(path) for path in source.path] if isinstance(source, FileData) else []
    if not examples:
        read = f" in {', '.join(map(str, inputs or files))}" if inputs or files else ""
        raise DataError(f"data set {name!r} must have at least one example, got none{read}; check its source")
    for file, path in zip(pinned, files, strict=True):
        pin_hub_file(file, path, pins=pins)
    notes: JsonObject = {
        "files": describe_files(files),
        "instruction": describe_instruction(getattr(source, "instruction", "none")),
        "num_repeated": num_repeated,
    }
    return Loaded(records=examples, inputs=inputs, notes=notes, num_repeated=num_repeated, report=report)


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
        answer = join_answer(trajectory, attempt)
        identity = example_id(name, question, answer)
        examples.append(Example(example_id=identity, question=question, answer=answer, source=name))
    if source.num_examples is not None and len(examples) < source.num_examples:
        raise DataError(
            f"datasets.{name}.num_examples must be at most the number of rows with an answer, got "
            f"{source.num_examples} for {len(examples)} of {len(rows)} rows; lower it or leave it out"
        )
    return examples


def find_place(example: Example, sources: Mapping[str, DataSource]) -> str | None:
    """Return the place from which an example of the experiment's data sets was read, or None."""
    return example.origin if example.source in sources else None
