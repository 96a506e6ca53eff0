"""Sizes of the files that an experiment would download, and the room for them."""

import fnmatch
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from weft.config import Experiment
from weft.config.inputs import list_models, list_sources
from weft.config.instructions import instruction_file
from weft.config.sources import HubData, HubDataset, HubFile, HubModel, PublishedBenchmark, WebFile
from weft.costs.published_files import find_published
from weft.data.hub import MODEL_SUFFIXES
from weft.data.offline import find_offline
from weft.data.pins import RepoType, find_pin
from weft.errors import DataError
from weft.records.full_disk import existing_folder

GB = 1e9


@dataclass(frozen=True)
class Download:
    """A file or a repository that is downloaded.

    Attributes:
        name: its place below an offline folder.
        size: size in bytes; None if it is not known before the download.
    """

    name: str
    size: int | None


def list_downloads(
    experiment: Experiment, *, offline: Sequence[str], pins: Path | None = None
) -> list[Download]:
    """List what an experiment would download, with sizes from the hub and from weft's table of known files.

    Args:
        experiment: the experiment.
        offline: folders that are searched before any download.
        pins: lock file of the experiment.

    Returns:
        The downloads, each once. What lies in the cache of the hub's client counts as well.
    """
    wanted = dict(_list_wanted(experiment, pins))
    return [Download(name, size()) for name, size in wanted.items() if find_offline(name, offline) is None]


def _list_wanted(experiment: Experiment, pins: Path | None) -> Iterator[tuple[str, Callable[[], int | None]]]:
    """Yield the place of each file or repository below an offline folder, and a function for its size."""
    for model in list_models(experiment):
        if isinstance(model, HubModel):
            commit = _commit("model", model.repo, model.revision, pins)
            patterns = [f"*{suffix}" for suffix in MODEL_SUFFIXES]
            yield model.repo, _size_on_hub("model", model.repo, commit, patterns)
    for _, source in list_sources(experiment):
        text = instruction_file(getattr(source, "instruction", "none"))
        if text is not None:
            yield text.offline, _size_in_table(text.offline)
        files = source.files if isinstance(source, HubData) else []
        if isinstance(source, PublishedBenchmark):
            if isinstance(source.file, WebFile):
                yield source.file.offline, _size_in_table(source.file.offline)
            else:
                files = [source.file]
        for file in files:
            yield f"{file.repo}/{file.file}", _size_of_file(file, pins)
        if isinstance(source, HubDataset):
            yield source.repo, _size_in_table(source.repo)


def _size_of_file(file: HubFile, pins: Path | None) -> Callable[[], int | None]:
    return _size_on_hub("dataset", file.repo, _commit("dataset", file.repo, file.revision, pins), [file.file])


def _commit(kind: RepoType, repo: str, revision: str, pins: Path | None) -> str:
    pin = find_pin(pins, kind, repo, revision)
    return revision if pin is None or pin.commit is None else pin.commit


def _size_on_hub(
    kind: RepoType, repo: str, revision: str, patterns: Sequence[str]
) -> Callable[[], int | None]:
    """Return a function for the size of the files of a repository that match one of the patterns."""

    def size() -> int | None:
        from huggingface_hub import HfApi

        try:
            tree = HfApi().list_repo_tree(repo, revision=revision, repo_type=kind, recursive=True)
            sizes = {entry.path: getattr(entry, "size", 0) for entry in tree}
        except Exception:  # the download itself says why the hub cannot be reached
            return None
        return sum(
            size
            for path, size in sizes.items()
            if any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)
        )

    return size


def _size_in_table(name: str) -> Callable[[], int | None]:
    """Return a function for the size of a file that weft knows."""

    def size() -> int | None:
        known = find_published(name)
        return None if known is None else int(known.megabytes * 1e6)

    return size


def describe_downloads(downloads: Sequence[Download], folders: Sequence[Path]) -> str:
    """Return one line with what is downloaded and the room for it.

    Args:
        downloads: what is downloaded.
        folders: folders to which files are written; they need not exist yet.

    Returns:
        The line.

    Raises:
        DataError: the known sizes together exceed the free space of a folder.
    """
    known = [download.size for download in downloads if download.size is not None]
    total, unknown = sum(known), len(downloads) - len(known)
    free = {}
    for folder in folders:
        free[folder] = shutil.disk_usage(existing_folder(folder)).free
        if free[folder] < total:
            raise DataError(
                f"{folder} must have room for {_in_gb(total)} of downloads, got {_in_gb(free[folder])}; free "
                "space or choose another folder"
            )
    more = f" and {unknown} of unknown size" if unknown else ""
    room = ", ".join(f"{_in_gb(size)} in {folder}" for folder, size in free.items())
    return f"to download: {len(downloads)} files and repositories, {_in_gb(total)}{more}; free: {room}"


def _in_gb(size: int) -> str:
    return f"{size / GB:.1f} GB" if size >= GB / 10 else f"{size / GB:.4f} GB"
