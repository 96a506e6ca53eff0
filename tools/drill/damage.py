"""Damage to files between two sessions: what a failing disk, a full one, or a careless person does."""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from weft.layout import STORE_ENDING

How = Literal["truncated", "flipped bit", "deleted"]
Target = Literal["checkpoint", "answers", "digests", "result"]
TARGETS: Mapping[Target, tuple[str, ...]] = {
    "checkpoint": ("runs/.*.state/checkpoint-*/**/*",),
    "answers": (f"samples/*/*/.*{STORE_ENDING}",),
    "digests": (".*.digests.json", "*/.*.digests.json"),
    "result": ("samples/*/*/*.jsonl", "scores/*/*/*/*.jsonl", "tables/*.csv"),
}
"""Kind of file -> patterns below the results folder. The first three are partial or hidden state."""
WAYS: Mapping[Target, tuple[How, ...]] = {
    "checkpoint": ("truncated", "flipped bit", "deleted"),
    "answers": ("truncated", "flipped bit", "deleted"),
    "digests": ("truncated", "flipped bit", "deleted"),
    "result": ("deleted",),
}
"""Kind of file -> what is done to it. Snakemake takes a finished result with another content for one of its
own; `weft verify` is what names it, see `tools.drill.tamper`."""


def damage_file(root: Path, targets: Sequence[Target], seed: int) -> str | None:
    """Damage a file below a results folder.

    Args:
        root: the results folder of an experiment.
        targets: kinds of file that may be damaged.
        seed: seed of the choice of kind, file and way.

    Returns:
        What was done, such as "flipped bit: runs/...", or None if there is no such file.
    """
    generator = random.Random(seed)
    for target in generator.sample(list(targets), len(targets)):
        files = sorted(
            path
            for pattern in TARGETS[target]
            for path in root.glob(pattern)
            if path.is_file() and path.stat().st_size > 0
        )
        if files:
            file, how = generator.choice(files), generator.choice(WAYS[target])
            ACTIONS[how](file, generator)
            return f"{how}: {file.relative_to(root)}"
    return None


def truncate(file: Path, generator: random.Random) -> None:
    """Cut a file at a random length."""
    size = file.stat().st_size
    with file.open("rb+") as opened:
        opened.truncate(generator.randrange(size))


def flip_bit(file: Path, generator: random.Random) -> None:
    """Change one bit of a file."""
    place, bit = generator.randrange(file.stat().st_size), 1 << generator.randrange(8)
    with file.open("rb+") as opened:
        opened.seek(place)
        (value,) = opened.read(1)
        opened.seek(place)
        opened.write(bytes([value ^ bit]))


def delete(file: Path, _: random.Random) -> None:
    """Delete a file."""
    file.unlink()


ACTIONS: Mapping[How, Callable[[Path, random.Random], None]] = {
    "truncated": truncate,
    "flipped bit": flip_bit,
    "deleted": delete,
}
