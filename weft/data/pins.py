"""The lock file of an experiment: the commit and the file hashes of each revision on the hub.

The commit of a branch such as ``main`` changes over time. The first use through an experiment ``NAME.yaml``
writes the commit and the SHA-256 of every file to ``NAME.lock.json`` in the same folder. Later downloads
request that commit, and all copies are checked against these hashes. The commit of an offline copy is not
known; the first download that agrees with the hashes adds it. The lock file should be put under version
control. To follow the branch again, delete an entry or the whole file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from weft.config.section import Section, Sha256
from weft.errors import DataError
from weft.layout import SHIPPED_FILES, lock_file
from weft.records.files import read_text, write_json

RepoType = Literal["dataset", "model"]


class Pin(Section):
    """The content of a revision of a repository."""

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")] | None
    """Commit of the revision; None as long as only offline copies were used."""
    files: dict[str, Sha256]
    """SHA-256 of each file that was used."""


_PINS = TypeAdapter(dict[str, Pin])


def pins_path(experiment_file: Path) -> Path:
    """Return the path of an experiment's lock file: ``paper.lock.json`` for ``paper.yaml``.

    It is beside the experiment file, or in the working directory if the file is part of an installed package.
    """
    name = f"{experiment_file.stem}.lock.json"
    is_installed = experiment_file.absolute().is_relative_to(SHIPPED_FILES)
    return Path(name) if is_installed else experiment_file.with_name(name)


def find_pin(pins: Path | None, repo_type: RepoType, repo: str, revision: str) -> Pin | None:
    """Return the pin of a revision; None if it is not pinned yet, or if there is no lock file."""
    return None if pins is None else _read(pins).get(_key(repo_type, repo, revision))


def add_pin(
    pins: Path,
    repo_type: RepoType,
    repo: str,
    revision: str,
    *,
    commit: str | None,
    files: Mapping[str, str],
) -> None:
    """Add the commit of a revision, and hashes by path in the repository, to the lock file.

    Args:
        pins: the lock file.
        repo_type: type of the repository.
        repo: the repository.
        revision: the revision.
        commit: its commit; None for an offline copy.
        files: path in the repository -> SHA-256.

    Raises:
        DataError: the entry differs, which is never changed, or the file cannot be written. The file is
            locked during the update, so that concurrent jobs do not overwrite each other's entries.
    """
    from filelock import FileLock

    key = _key(repo_type, repo, revision)
    try:
        with FileLock(lock_file(pins)):
            entries = _read(pins)
            pin = entries.get(key, Pin(commit=commit, files={}))
            changed = sorted(name for name in files if pin.files.get(name, files[name]) != files[name])
            known = pin.commit or commit
            if (commit is not None and known != commit) or changed:
                raise DataError(
                    f"{pins} has commit {pin.commit} for {key}, got {commit} (changed files: {changed}); "
                    "another job pinned it in the meantime: run this job again"
                )
            entries[key] = Pin(commit=known, files=dict(sorted({**pin.files, **files}.items())))
            write_json(pins, {name: entries[name].model_dump() for name in sorted(entries)})
    except OSError as error:
        raise DataError(
            f"{pins} must be writable, to pin what was used: {error}; or give commit and sha256 "
            "in the experiment file"
        ) from error


def _key(repo_type: RepoType, repo: str, revision: str) -> str:
    return f"{repo_type}s/{repo}@{revision}"


def _read(pins: Path) -> dict[str, Pin]:
    if not pins.exists():
        return {}
    try:
        return _PINS.validate_json(read_text(pins, remedy="restore or delete it"))
    except ValidationError as error:
        raise DataError(
            f"{pins} must be a lock file written by weft: {error.errors()[0]['msg']}; restore or delete it"
        ) from error
