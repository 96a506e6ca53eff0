"""Local copies of published files: find them in the offline folders, and check their content.

The setting ``offline`` in config.yaml lists folders. A file that would be downloaded is looked up in them
first. An address in the list is a mirror: a web server with the content of such a folder, from which files
with an address are fetched. Files of the hub are not, because ``HF_ENDPOINT`` names another hub.

The module imports no heavy library, because the Snakefile imports it.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from weft.config.experiment import PublishedGenerations
from weft.config.places import FoundPath, expand_home, find_path
from weft.errors import DataError
from weft.provenance import sha256_once


def find_offline(name: str, folders: Sequence[str]) -> Path | None:
    """Return the first existing ``folder/name``, or None; see `weft.config.places.find_path`."""
    paths = (find_path(Path(folder) / name) for folder in folders if not is_address(folder))
    return next((path for path in paths if path.exists()), None)


def is_address(place: str) -> bool:
    """Return True for a mirror among the folders of ``offline``."""
    return place.startswith(("http://", "https://"))


def list_places(name: str, folders: Sequence[str]) -> str:
    """Return the paths at which a file is looked up, joined by "or", for a message."""
    paths = [str(Path(folder) / name) for folder in folders if not is_address(folder)]
    return " or ".join(paths) or f"FOLDER/{name} and pass --offline FOLDER"


def find_generations(
    source: PublishedGenerations, benchmark: str, gen_length: int, offline: Sequence[str]
) -> list[Path]:
    """Find the files of published generations for a benchmark and a length of the answers.

    Args:
        source: folder and name pattern of the files.
        benchmark: value of ``{benchmark}`` in the pattern.
        gen_length: value of ``{gen_length}``, in tokens.
        offline: folders in which the folder of the files is looked up, unless it lies beside the experiment.

    Returns:
        The files, ordered by the numbers in their names.

    Raises:
        DataError: the folder does not exist, or it holds no file of that name.
    """
    is_found = isinstance(source.folder, FoundPath)  # beside the experiment file
    folder = Path(source.folder) if is_found else find_offline(str(expand_home(source.folder)), offline)
    if folder is None or not folder.is_dir():
        raise DataError(
            f"generations.folder must be a folder at {list_places(source.folder, offline)}, got none; copy "
            "the published files there, or name the parent folder with --config offline=FOLDER"
        )
    name = source.pattern.format(benchmark=benchmark, gen_length=gen_length, shard="*")
    files = sorted(folder.glob(name), key=lambda file: [int(n) for n in re.findall(r"\d+", file.name)])
    if not files:
        raise DataError(f"{folder} must contain files named {name}, got none; correct generations.pattern")
    return files


def check_sha256(path: Path, expected: str, *, name: str) -> None:
    """Raise a DataError, which refers to the file as ``name``, if its SHA-256 is not as expected."""
    if not path.is_file():
        raise DataError(f"{name} must have sha256 {expected}, but the file does not exist; fetch it again")
    actual = sha256_once(path)
    if actual != expected:
        raise DataError(
            f"{name} must have sha256 {expected}, got {actual}; the file is damaged or another version: "
            f"{explain_renewal(path)}"
        )


def explain_renewal(path: Path) -> str:
    """Return the advice to delete a bad copy and fetch it again; links into the hub's cache are resolved."""
    return f"delete {path.resolve() if path.is_symlink() else 'it'} and fetch it again"
