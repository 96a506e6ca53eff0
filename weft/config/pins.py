"""The lock file beside an experiment: what a branch of the hub stood for when it was first used.

A branch such as ``main`` moves.  The first download notes its commit and the SHA-256 of every file; from
then on that commit is asked for and the files are checked.  The file is meant to be committed.  Deleting an
entry, or the file, takes what the branch stands for then.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from weft.config.section import Section, Sha256
from weft.errors import DataError

RepoType = Literal["dataset", "model"]


class Pin(Section):
    """What one revision of one repository stood for."""

    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]
    """The commit."""
    files: dict[str, Sha256]
    """SHA-256 of each file that was used."""


_PINS = TypeAdapter(dict[str, Pin])


def pins_path(experiment_file: Path) -> Path:
    """Name the lock file of an experiment: ``paper.lock.json`` beside ``paper.yaml``."""
    return experiment_file.with_name(f"{experiment_file.stem}.lock.json")


def find_pin(pins: Path | None, repo_type: RepoType, repo: str, revision: str) -> Pin | None:
    """Look up what a revision stood for.

    Raises:
        DataError: the lock file cannot be read.
    """
    return None if pins is None else _read(pins).get(_key(repo_type, repo, revision))


def record_pin(
    pins: Path, repo_type: RepoType, repo: str, revision: str, *, commit: str, files: Mapping[str, str]
) -> None:
    """Note a commit and the hashes of files; what is noted already stays and must agree.

    Jobs that run at the same time take turns, so that no entry is lost.

    Raises:
        DataError: another commit or another hash is noted, or the lock file cannot be read or written.
    """
    from filelock import FileLock

    key = _key(repo_type, repo, revision)
    try:
        with FileLock(pins.with_name(f".{pins.name}.turn")):
            known = _read(pins)
            pin = known.get(key, Pin(commit=commit, files={}))
            other = sorted(name for name in files if pin.files.get(name, files[name]) != files[name])
            if pin.commit != commit or other:
                raise DataError(
                    f"{pins} notes commit {pin.commit} for {key}, got {commit}"
                    + (f" with other content in {other}" if other else "")
                    + "; another job noted it meanwhile: run this one again"
                )
            known[key] = Pin(commit=commit, files=dict(sorted({**pin.files, **files}.items())))
            text = json.dumps({name: known[name].model_dump() for name in sorted(known)}, indent=1)
            growing = pins.with_name(f".{pins.name}.new")
            growing.write_text(text + "\n")
            growing.replace(pins)
    except OSError as error:
        raise DataError(
            f"{pins} must be writable, to note which commit was used: {error}; or name commit and sha256 "
            "in the experiment"
        ) from error


def _key(repo_type: RepoType, repo: str, revision: str) -> str:
    return f"{repo_type}s/{repo}@{revision}"


def _read(pins: Path) -> dict[str, Pin]:
    try:
        return _PINS.validate_json(pins.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise DataError(
            f"{pins} must be a lock file as weft writes it: {reason}; restore or delete it"
        ) from error
