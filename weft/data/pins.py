"""The lock file of an experiment: the commit and the file hashes behind each revision on the hub.

A branch such as ``main`` moves. The first download through an experiment ``NAME.yaml`` writes the commit
and the SHA-256 of every downloaded file to ``NAME.lock.json`` beside it. Later downloads request that
commit, and all copies are checked against these hashes. The lock file belongs under version control.
Delete an entry, or the whole file, to follow the branch again.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from weft.config.section import Section, Sha256
from weft.errors import DataError
from weft.layout import lock_file
from weft.records.files import read_text, write_json

RepoType = Literal["dataset", "model"]


class Pin(Section):
    """The content of one revision of a repository."""

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]
    """The commit."""
    files: dict[str, Sha256]
    """SHA-256 of each file that was used."""


_PINS = TypeAdapter(dict[str, Pin])


def pins_path(experiment_file: Path) -> Path:
    """Return the path of an experiment's lock file: ``paper.lock.json`` beside ``paper.yaml``."""
    return experiment_file.with_name(f"{experiment_file.stem}.lock.json")


def find_pin(pins: Path | None, repo_type: RepoType, repo: str, revision: str) -> Pin | None:
    """Return the pin of a revision; None if it is not pinned yet, or if there is no lock file."""
    return None if pins is None else _read(pins).get(_key(repo_type, repo, revision))


def add_pin(
    pins: Path, repo_type: RepoType, repo: str, revision: str, *, commit: str, files: Mapping[str, str]
) -> None:
    """Add a commit and file hashes to the lock file. Existing entries stay and must agree.

    Concurrent jobs take turns, so that no entry is lost.

    Args:
        pins: the lock file, created if necessary.
        repo_type: type of the repository.
        repo: owner/name.
        revision: commit, tag or branch.
        commit: the commit that the revision points to.
        files: path in the repository -> SHA-256.

    Raises:
        DataError: the lock file holds another commit or another hash, or cannot be read or written.
    """
    from filelock import FileLock

    key = _key(repo_type, repo, revision)
    try:
        with FileLock(lock_file(pins)):
            entries = _read(pins)
            pin = entries.get(key, Pin(commit=commit, files={}))
            changed = sorted(name for name in files if pin.files.get(name, files[name]) != files[name])
            if pin.commit != commit or changed:
                raise DataError(
                    f"{pins} holds commit {pin.commit} for {key}, got {commit}"
                    + (f" with other content in {changed}" if changed else "")
                    + "; another job has pinned it in the meantime: run this job again"
                )
            entries[key] = Pin(commit=commit, files=dict(sorted({**pin.files, **files}.items())))
            write_json(pins, {name: entries[name].model_dump() for name in sorted(entries)})
    except OSError as error:
        raise DataError(
            f"{pins} must be writable, to pin the commit that was used: {error}; or give commit and sha256 "
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
