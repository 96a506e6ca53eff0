"""Questions shared among jobs or ranks, and their records put together again.

A shard takes every nth question, so that long and short questions are spread evenly.  An answer does
not depend on the shard it is made in, so the merged file is the one that a single job would have written.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from weft.data.benchmarks import read_jsonl
from weft.errors import SamplingError
from weft.sampling.records import Record, write_records

ItemT = TypeVar("ItemT")

RANKS = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS"))
"""Variables by which a process learns its place: torchrun's, then Slurm's."""
ALIKE = ("model", "seed", "gen_length", "diffusion_steps", "block_length", "approximate", "digest")
"""Fields that all records of a file have in common."""
MOST_NAMED = 3  # examples in an error message


@dataclass(frozen=True)
class Shard:
    """One of several shares of the questions.

    Attributes:
        number: which one, from 1.
        count: how many there are.

    Raises:
        SamplingError: there is no such shard.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise SamplingError(
                f"a shard must be one of 1/{self.count} to {self.count}/{self.count}, got {self}"
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def take(self, items: Sequence[ItemT]) -> Sequence[ItemT]:
        """Select the shard's share, in order."""
        return items[self.number - 1 :: self.count]

    def fill_in(self, path: Path) -> Path:
        """Replace ``{shard}`` and ``{shards}`` in a path by the shard's number and their count."""
        return Path(str(path).replace("{shard}", str(self.number)).replace("{shards}", str(self.count)))


def parse_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """Read a shard as a person writes it.

    Args:
        text: such as 2/4, or auto: this process's place among those of torchrun or Slurm.
        environment: of the process; looked at for auto only.

    Raises:
        SamplingError: the text says something else, or there is no such shard.
    """
    if text == "auto":
        return find_rank(environment) or Shard()
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None:
        raise SamplingError(f"a shard must be K/N, such as 2/4, or auto, got {text!r}")
    return Shard(int(match[1]), int(match[2]))


def find_rank(environment: Mapping[str, str]) -> Shard | None:
    """Find a process's place among those that torchrun or Slurm started together; None if it is alone.

    Raises:
        SamplingError: the variables hold something else than numbers.
    """
    for rank, world_size in RANKS:
        if rank in environment and world_size in environment:
            try:
                number, count = int(environment[rank]) + 1, int(environment[world_size])
            except ValueError as error:
                raise SamplingError(f"{rank} and {world_size} must be numbers: {error}") from error
            return Shard(number, count) if count > 1 else None
    return None


def merge_shards(questions: Path, shards: Sequence[Path], out: Path) -> int:
    """Put the records of several shards together, in the order of the questions.

    Args:
        questions: the questions that were shared out.
        shards: record files of all shards, in any order.
        out: file to write.

    Returns:
        How many records there are.

    Raises:
        SamplingError: a question has no answer or several, an answer belongs to no question, or the
            records were not made in the same way.
        DataError: a file is malformed.
    """
    if out.resolve() in (path.resolve() for path in (questions, *shards)):
        raise SamplingError(f"the merged file must be another than those that are read, got {out}")
    order = read_questions(questions)
    records = [(record, path) for path in shards for record in _read_shard(path)]
    answers = Counter(record["example_id"] for record, _ in records)
    for requirement, examples in (
        (f"every answer must be to one of {questions}, got", [one for one in answers if one not in order]),
        (
            "every question must be answered once, got several of",
            [one for one in answers if answers[one] > 1],
        ),
        ("every question must be answered, got nothing for", [one for one in order if one not in answers]),
    ):
        if examples:
            raise SamplingError(f"{requirement} {_name(examples)}; check that these are all the shards")
    _require_alike(records)
    by_example = {record["example_id"]: record for record, _ in records}
    write_records([by_example[example_id] for example_id in order], out)
    return len(order)


def read_questions(path: Path) -> dict[str, Record]:
    """Read test questions by their ids, in file order.

    Raises:
        SamplingError: there is no such file, a question lacks a field, or an id stands there twice.
        DataError: a line is no JSON object.
    """
    questions: dict[str, Record] = {}
    for row in _read(path):
        lacking = [
            key for key in ("example_id", "benchmark", "question", "prompt", "reference") if key not in row
        ]
        if lacking:
            raise SamplingError(f"{path}: every question must have {', '.join(lacking)}, got {sorted(row)}")
        if str(row["example_id"]) in questions:
            raise SamplingError(
                f"{path}: every question must stand there once, got {row['example_id']!r} again"
            )
        _require_usable(row, path)
        questions[row["example_id"]] = row
    return questions


def _require_usable(row: Record, path: Path) -> None:
    """Make sure that a question can be asked, and its answer written down, before any is."""
    for key in ("example_id", "benchmark", "question", "prompt"):
        if not isinstance(row[key], str):
            raise SamplingError(
                f"{path}: {key} must be text, got {row[key]!r:.60} in {row['example_id']!r:.60}"
            )
    try:
        row["prompt"].encode()
        json.dumps(row["reference"], allow_nan=False)
    except ValueError as error:
        raise SamplingError(
            f"{path}: the prompt must be valid text and the reference valid JSON, got {error} in "
            f"{row['example_id']!r:.60}"
        ) from error


def _read_shard(path: Path) -> list[Record]:
    records = _read(path)
    for record in records:
        lacking = [key for key in ("example_id", *ALIKE) if key not in record and key != "approximate"]
        if lacking:
            raise SamplingError(
                f"{path} must hold generation records, got one without {', '.join(lacking)}; is it a shard?"
            )
        if not isinstance(record["example_id"], str):
            raise SamplingError(f"{path}: example_id must be text, got {record['example_id']!r:.60}")
    return records


def _read(path: Path) -> list[Record]:
    try:
        return read_jsonl(path)
    except OSError as error:
        raise SamplingError(f"{path} must be a readable file: {error.strerror}") from error


def _require_alike(records: Sequence[tuple[Record, Path]]) -> None:
    for record, path in records:
        first, its_path = records[0]
        for key in ALIKE:
            if record.get(key) != first.get(key):
                raise SamplingError(
                    f"all shards must have the same {key}, got {first.get(key)!r} in {its_path} and "
                    f"{record.get(key)!r} in {path}; merge what one experiment, run and length made"
                )


def _name(examples: Sequence[str]) -> str:
    """Name a few examples."""
    more = len(examples) - MOST_NAMED
    return ", ".join(examples[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
