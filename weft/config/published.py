"""Find the files of published generations."""

import re
from collections.abc import Sequence
from pathlib import Path

from weft.config.experiment import PublishedGenerations
from weft.config.offline import find_offline, offline_places
from weft.errors import DataError


def find_generations(
    source: PublishedGenerations, benchmark: str, gen_length: int, offline: Sequence[str]
) -> list[Path]:
    """List the shards of one benchmark and length, in the order of their numbers.

    Args:
        source: folder and pattern.
        benchmark: value of {benchmark}.
        gen_length: value of {gen_length}, in tokens.
        offline: folders in which to look for the folder.

    Raises:
        DataError: no such folder, or no file of that name in it.
    """
    folder = find_offline(source.folder, offline)
    if folder is None or not folder.is_dir():
        places = offline_places(source.folder, offline)
        raise DataError(
            f"generations.folder {source.folder!r} must exist as {places}, it does not; copy "
            "the published files there, or name their parent folder with --config offline=FOLDER"
        )
    name = source.pattern.format(benchmark=benchmark, gen_length=gen_length, shard="*")
    files = sorted(
        folder.glob(name), key=lambda file: [int(number) for number in re.findall(r"\d+", file.name)]
    )
    if not files:
        raise DataError(f"{folder} must hold files named {name}, none found; correct generations.pattern")
    return files
