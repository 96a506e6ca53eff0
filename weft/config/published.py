"""Find the files of published generations."""

import re
from collections.abc import Sequence
from pathlib import Path

from weft.config.experiment import PublishedGenerations
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
    folder = next(
        (Path(place) / source.folder for place in offline if (Path(place) / source.folder).is_dir()), None
    )
    if folder is None:
        places = " or ".join(str(Path(place) / source.folder) for place in offline)
        raise DataError(
            f"generations.folder {source.folder!r} must exist as {places}, it does not; copy the published "
            "files there, or name their parent folder with --config offline=FOLDER"
        )
    name = source.pattern.format(benchmark=benchmark, gen_length=gen_length, shard="*")
    files = sorted(
        folder.glob(name), key=lambda file: [int(number) for number in re.findall(r"\d+", file.name)]
    )
    if not files:
        raise DataError(f"{folder} must hold files named {name}, none found; correct generations.pattern")
    return files
