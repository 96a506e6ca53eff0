"""Files that would otherwise be downloaded: where to look for them first."""

from collections.abc import Sequence
from pathlib import Path


def find_offline(name: str, folders: Sequence[str]) -> Path | None:
    """Return the first existing ``folder/name``."""
    return next((Path(folder) / name for folder in folders if (Path(folder) / name).exists()), None)


def offline_places(name: str, folders: Sequence[str]) -> str:
    """Say where a file could be put, for a message."""
    return " or ".join(str(Path(folder) / name) for folder in folders)
