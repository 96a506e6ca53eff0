"""Divide the questions of a file among jobs or ranks, and merge their generations.

A shard takes every n-th question, so that long and short questions are distributed evenly. Answers do not
depend on shards, so the merged file has the same bytes as the file of a single job.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from weft.errors import SamplingError, name_some
from weft.records import Generation
from weft.records.files import read_lines, write_lines
from weft.sampling.files import read_questions

ItemT = TypeVar("ItemT")

RANK_VARIABLES = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS"))
"""Environment variables with the rank of a process and the number of ranks: torchrun's, then Slurm's."""
SHARED_FIELDS = ("model", "seed", "gen_length", "diffusion_steps", "block_length", "approximate", "digest")
"""Fields of `Generation` that must be the same in all shards."""
MAX_EXAMPLES_NAMED = 3
"""Maximum number of examples that an error message names."""


@dataclass(frozen=True)
class Shard:
    """A part of the questions; all parts have equal size, or differ by one question.

    Attributes:
        number: number of the shard, from 1.
        count: number of shards.

    Raises:
        SamplingError: the number is not between 1 and the count.
    """

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise SamplingError(
                f"a shard must be from 1/{self.count} to {self.count}/{self.count}, got {self}"
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def take(self, items: Sequence[ItemT]) -> Sequence[ItemT]:
        """Return the items of this shard, in order."""
        return items[self.number - 1 :: self.count]

    def fill_in(self, path: Path) -> Path:
        """Replace ``{shard}`` and ``{shards}`` in a path by the number and the count."""
        return Path(str(path).replace("{shard}", str(self.number)).replace("{shards}", str(self.count)))


WHOLE = Shard()
"""The shard that contains all questions."""


def parse_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """Parse a shard as given on the command line.

    Args:
        text: K/N, such as 2/4, or auto to use the rank of this process under torchrun or Slurm.
        environment: environment variables of the process; used for auto only.

    Returns:
        The shard; for auto in a single process, the shard that contains all questions.
    """
    if text == "auto":
        return find_rank(environment) or WHOLE
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None:
        raise SamplingError(f"a shard must be K/N, such as 2/4, or auto, got {text!r}")
    return Shard(int(match[1]), int(match[2]))


def find_rank(environment: Mapping[str, str]) -> Shard | None:
    """Return the rank of this process under torchrun or Slurm as a shard; None for a single process."""
    for rank, world_size in RANK_VARIABLES:
        if rank in environment and world_size in environment:
            try:
                number, count = int(environment[rank]) + 1, int(environment[world_size])
            except ValueError as error:
                raise SamplingError(f"{rank} and {world_size} must be numbers: {error}") from error
            return Shard(number, count) if count > 1 else None
    return None


def merge_shards(questions: Path, shards: Sequence[Path], out: Path) -> int:
    """Merge the generations of several shards in the order of the questions.

    Args:
        questions: all test questions.
        shards: generation files of all shards, in any order.
        out: file to write.

    Returns:
        Number of generations.

    Raises:
        SamplingError: a question has no answer or several, an answer belongs to no question, the answers were
            sampled with different settings, or a file is missing or malformed.
    """
    if out.resolve() in (path.resolve() for path in (questions, *shards)):
        raise SamplingError(f"--out must be a file other than the questions and the shards, got {out}")
    order = read_questions(questions)
    answers = [
        (path, generation)
        for path in shards
        for generation in read_lines(path, Generation, error=SamplingError, remedy="check that it is a shard")
    ]
    for answer in answers:
        _require_same_settings(answers[0], answer)
    counts = Counter(generation.example_id for _, generation in answers)
    _require_none("every answer must belong to a question", [name for name in counts if name not in order])
    repeated = [name for name, count in counts.items() if count > 1]
    _require_none("every question must be answered only once", repeated)
    _require_none("every question must be answered", [name for name in order if name not in counts])
    merged = {generation.example_id: generation for _, generation in answers}
    write_lines(out, [merged[name] for name in order])
    return len(order)


def _require_same_settings(first: tuple[Path, Generation], other: tuple[Path, Generation]) -> None:
    """Raise SamplingError if two generations, each with its file, were sampled with different settings."""
    for field in SHARED_FIELDS:
        values = [getattr(generation, field) for _, generation in (first, other)]
        if values[0] != values[1]:
            raise SamplingError(
                f"{field} must be the same in all shards, got {values[0]!r} in {first[0]} and {values[1]!r} "
                f"in {other[0]}; merge shards of the same experiment, run and length"
            )


def _require_none(requirement: str, examples: Sequence[str]) -> None:
    """Raise a SamplingError that names some of the examples if any violates a requirement."""
    if examples:
        names = name_some(examples, MAX_EXAMPLES_NAMED)
        raise SamplingError(
            f"{requirement}; this does not hold for {names}; check that these are all the shards"
        )
