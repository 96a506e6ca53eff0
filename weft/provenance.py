"""Digests of files, and the provenance of results.

The provenance of a result (`weft.records.Provenance`) is written to ``NAME.provenance.json``: commit,
versions, seed, device, and the SHA-256 of the result and of its inputs. `weft.audit` compares it with the
files.

`file_sha256` always reads the whole content. Jobs use `stored_digest`, which reads the files of a
directory only if their size or time has changed since they were hashed: a checkpoint of 16 GB is an
input of many jobs.
"""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import weft
from weft.errors import DataError, WeftError
from weft.layout import (
    PACKAGE,
    PROVENANCE_ENDING,
    SHIPPED_FILES,
    TIMING_FILE,
    digests_file,
    provenance_file,
)
from weft.records import FileDigest, FileDigests, Provenance
from weft.records.base import JsonObject
from weft.records.files import read_json, write_json

PACKAGE_ROOT = PACKAGE
RECORDED_PACKAGES = (
    "torch", "transformers", "deepspeed", "peft", "accelerate", "datasets", "tokenizers", "numpy", "pandas",
    "scipy", "matplotlib", "snakemake",
)  # fmt: skip
REPORT_CODE = ("stats", "report", "records", "layout")
CODE_OF_RESULTS = {
    "scores": ("benchmarks",),
    "curves": ("benchmarks",),
    "tables": REPORT_CODE,
    "figures": REPORT_CODE,
    "report/index.html": REPORT_CODE,
}
"""Kind of result, see `weft.audit.tree.kind_of` -> modules of weft whose change makes the workflow run its
job again. The other jobs are not run again, because their results would take hours to make."""

_HASHED: dict[tuple[int, int, int, int], str] = {}
"""Device, inode, size and time of each file that this process has hashed -> SHA-256, see `sha256_once`."""


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value, keys sorted, as 64 hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and hashes of a directory's files.

    In a directory, hidden files are ignored, such as Snakemake's time stamps and the files that a killed
    process leaves, and so are provenance files and wall times (``timing.json``): they can change while the
    content stays the same, and two trainings of the same run then have the same hash.
    """
    if path.is_dir():
        return digest({name: file_sha256(path / name) for name in _content(path)})
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_once(path: Path) -> str:
    """Return the SHA-256 of a file, which is read only once in a process while it does not change.

    A file is known again by its device, inode, size and time, so that hard links to it are known as well. A
    base model of 16 GB is checked, pinned and placed after a single reading.
    """
    status = path.stat()
    key = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
    if key not in _HASHED:
        _HASHED[key] = file_sha256(path)
    return _HASHED[key]


def stored_digest(path: Path) -> str:
    """Return `file_sha256` without reading the unchanged files of a directory; see `stored_file_digests`."""
    return _directory_digest(stored_file_digests(path)) if path.is_dir() else file_sha256(path)


def input_digests(paths: Iterable[Path]) -> dict[str, str]:
    """Return path -> `stored_digest` of files and directories on which several results depend."""
    return {str(path): stored_digest(path) for path in paths}


def stored_file_digests(directory: Path) -> dict[str, FileDigest]:
    """Return the digests of a directory's files, reading only those whose size or time has changed.

    The digests are stored in a hidden file beside the directory if it is a result with provenance. Those of
    files that were edited are not replaced there, so that the Snakefile notices the edit (`weft.edits`).
    """
    known = read_file_digests(directory)
    digests = _digest_files(directory, known)
    before = known_content(directory)
    is_edited = bool(before) and changed_files(before, digests) != []
    if digests != known and not is_edited and provenance_file(directory).exists():
        with contextlib.suppress(OSError):  # the folder may be read-only
            write_json(digests_file(directory), FileDigests(files=digests))
    return digests


def read_file_digests(directory: Path) -> Mapping[str, FileDigest]:
    """Return the stored digests of a directory's files; none if they are missing or damaged."""
    try:
        return read_json(digests_file(directory), FileDigests).files
    except WeftError:
        return {}


def known_content(directory: Path) -> Mapping[str, str]:
    """Return path -> SHA-256 of a directory's files, from the stored digests or else from its provenance.

    A copy of results may lack the digests, which are in a hidden file.
    """
    if known := read_file_digests(directory):
        return {name: file.sha256 for name, file in known.items()}
    try:
        return read_json(provenance_file(directory), Provenance).content
    except WeftError:
        return {}


def changed_files(before: Mapping[str, str], after: Mapping[str, FileDigest]) -> list[str]:
    """Return the names of the files that were changed, added or removed, sorted."""
    names = before.keys() | after.keys()
    return sorted(
        name
        for name in names
        if name not in before or name not in after or before[name] != after[name].sha256
    )


def _digest_files(directory: Path, known: Mapping[str, FileDigest]) -> dict[str, FileDigest]:
    """Hash the files of a directory, except those whose size and time have not changed."""
    digests = {}
    for name in _content(directory):
        # The time is read before the content, so that a change in between is noticed the next time.
        status = (directory / name).stat()
        times = {"mtime_ns": status.st_mtime_ns, "ctime_ns": status.st_ctime_ns}
        stored = known.get(name)
        if stored is None or not _is_unchanged(stored, status):
            stored = FileDigest(size=status.st_size, sha256=sha256_once(directory / name), **times)
        digests[name] = stored
    return digests


def _is_unchanged(stored: FileDigest, status: os.stat_result) -> bool:
    """Return whether a file has the size and the times of a stored digest.

    The time of the last modification can be set back, as ``cp -p`` and ``touch -d`` do; the other one cannot.
    """
    if (stored.size, stored.mtime_ns) != (status.st_size, status.st_mtime_ns):
        return False
    return stored.ctime_ns in (None, status.st_ctime_ns)


def _content(directory: Path) -> list[str]:
    """Return the paths of the files below a directory that are hashed, sorted."""
    names = (file.relative_to(directory) for file in directory.rglob("*") if file.is_file())
    return sorted(name.as_posix() for name in names if is_content(name))


def is_content(name: Path) -> bool:
    """Return True if a file, given its path below a directory, is part of its content; see `file_sha256`."""
    is_hidden = any(part.startswith(".") for part in name.parts)
    return not is_hidden and name.name != TIMING_FILE and not name.name.endswith(PROVENANCE_ENDING)


def _directory_digest(files: Mapping[str, FileDigest]) -> str:
    return digest({name: file.sha256 for name, file in files.items()})


def source_digest(*rooms: str) -> str:
    """Return a digest of the source code of modules and packages in weft."""
    files = [
        file
        for room in rooms
        for file in sorted([PACKAGE_ROOT / f"{room}.py", *(PACKAGE_ROOT / room).rglob("*")])
        if file.is_file() and "__pycache__" not in file.parts
    ]
    return digest({str(file.relative_to(PACKAGE_ROOT)): sha256_once(file) for file in files})[:16]


def write_provenance(
    result: Path,
    *,
    settings: JsonObject,
    experiment: str,
    seed: int | None = None,
    inputs: Iterable[Path] | Mapping[str, str] = (),
    device: str = "cpu",
    notes: JsonObject | None = None,
    files: Sequence[Path] | None = None,
) -> Provenance:
    """Write the provenance of a result beside it, as ``NAME.provenance.json``.

    The digests of the files of a directory are stored too, for `stored_digest`.

    If the files of a directory are listed, those that an earlier job listed and this one did not are deleted:
    they belong to an earlier version of the experiment.

    Args:
        result: file or directory, complete.
        settings: the whole checked experiment, as JSON.
        experiment: name of the experiment.
        seed: seed of the step, if it has one.
        inputs: files and directories that the result depends on, or their digests if they are known; see
            `input_digests`.
        device: device that computed the result.
        notes: further keys, as JSON.
        files: files of a directory that are the result; all of its content by default.

    Returns:
        The provenance.
    """
    commit, dirty = git_state()
    rooms = sorted({room.stem for room in PACKAGE_ROOT.iterdir()} - {SHIPPED_FILES.name, "__pycache__"})
    if result.is_dir():
        digests = _digest_files(result, known={})
        write_json(digests_file(result), FileDigests(files=digests))
        content = {name: file.sha256 for name, file in digests.items()}
        if files is not None:
            listed = {file.relative_to(result).as_posix() for file in files}
            _delete_former(result, keep=listed)
            content = {name: sha256 for name, sha256 in content.items() if name in listed}
        sha256 = digest(content)
    else:
        content, sha256 = {}, file_sha256(result)
    provenance = Provenance(
        weft_version=weft.__version__,
        commit=commit,
        dirty=dirty,
        source_digest=source_digest(*rooms),
        experiment=experiment,
        experiment_digest=digest(settings),
        seed=seed,
        versions=installed_versions(),
        python=platform.python_version(),
        machine=platform.machine(),
        device=device,
        inputs=dict(inputs) if isinstance(inputs, Mapping) else input_digests(inputs),
        sha256=sha256,
        **({"content": content} if content else {}),
        code={room: source_digest(room) for room in rooms},
        **(notes or {}),
    )
    write_json(provenance_file(result), provenance)
    return provenance


def _delete_former(directory: Path, *, keep: Collection[str]) -> None:
    """Delete the files of a directory that its provenance lists, except those to keep."""
    with contextlib.suppress(WeftError):  # there is no provenance yet
        for name in read_json(provenance_file(directory), Provenance).content:
            if name not in keep:
                (directory / name).unlink(missing_ok=True)


def recorded_digest(file: Path) -> str | None:
    """Return the digest of a file in its provenance, or in that of a folder above it; None without."""
    for path in (file, *file.parents):
        with contextlib.suppress(WeftError, ValueError):  # "." has no name
            recorded = read_json(provenance_file(path), Provenance)
            return (
                recorded.sha256 if path == file else recorded.content.get(file.relative_to(path).as_posix())
            )
    return None


def has_provenance(result: Path, *, inputs: Iterable[Path]) -> bool:
    """Return True if the provenance of a result exists and names its content and these inputs."""
    try:
        recorded = read_json(provenance_file(result), Provenance)
    except WeftError:
        return False
    digests = input_digests(inputs)
    return (recorded.sha256, recorded.inputs) == (stored_digest(result), digests)


def require_same_answers(result: Path, settings: JsonObject, *, inputs: Iterable[Path]) -> None:
    """Check that answers which were stored are those that earlier provenance of the same file records.

    Args:
        result: file with answers, none of which was sampled by this process.
        settings: the whole checked experiment, as JSON.
        inputs: files and directories on which the answers depend.

    Raises:
        DataError: there is provenance for the same experiment and the same inputs, but for other answers.
    """
    try:
        recorded = read_json(provenance_file(result), Provenance)
    except WeftError:  # the process that stored the answers was killed before it could write the provenance
        return
    same_origin = recorded.experiment_digest == digest(settings) and recorded.inputs == input_digests(inputs)
    if same_origin and recorded.sha256 != file_sha256(result):
        raise DataError(
            f"{result}: expected the answers whose SHA-256 is in {provenance_file(result).name}, got "
            f"others from the stored answers (.{result.name}.*.answers), which were changed; delete "
            "these three files and sample the answers again"
        )


def require_unchanged(result: Path, recorded: Provenance) -> None:
    """Check, by reading all of it, that a result has the content that its provenance records.

    Jobs trust the size and the time of a file that was hashed before (`stored_digest`); this check does not.

    Args:
        result: file or directory.
        recorded: its provenance.

    Raises:
        DataError: the result was changed after it had been written.
    """
    if file_sha256(result) != recorded.sha256:
        raise DataError(
            f"{result}: expected the content whose SHA-256 is in {provenance_file(result).name}, got "
            "other content; delete both and run the workflow again"
        )


def merge_provenance(parts: Sequence[Path], result: Path) -> None:
    """Write the provenance of a file that was merged from parts, if any of the parts has provenance.

    The provenance of the parts may differ only in the inputs and the shard.

    Args:
        parts: files that were merged.
        result: the merged file.

    Raises:
        DataError: a part has another content than its provenance records.
    """
    provenances = []
    for part in parts:
        if provenance_file(part).exists():
            provenances.append(read_json(provenance_file(part), Provenance))
            require_unchanged(part, provenances[-1])
    if not provenances:
        return
    merged = provenances[0].as_object() | {
        "inputs": {name: sha256 for part in provenances for name, sha256 in part.inputs.items()},
        "sha256": file_sha256(result),
        "parts": [part.sha256 for part in provenances],
    }
    merged.pop("shard", None)
    write_json(provenance_file(result), Provenance.model_validate(merged))


@functools.cache
def git_state() -> tuple[str | None, bool | None]:
    """Return the commit of the source tree, and whether tracked files differ from it; None outside git.

    An installed package has no commit, also if its environment is a folder in another repository.

    The documents and the stored results below ``docs`` do not count: no result depends on them, and storing a
    result changes them.
    """
    if SHIPPED_FILES.is_dir():
        return None, None
    status = ["git", "status", "--porcelain", "--untracked-files=no", "--", ":(top)", ":(exclude,top)docs"]
    commands = (["git", "rev-parse", "HEAD"], status)
    try:
        commit, changes = (
            subprocess.run(
                command, cwd=PACKAGE_ROOT, capture_output=True, text=True, check=True, timeout=20
            ).stdout.strip()
            for command in commands
        )
    except (OSError, subprocess.SubprocessError):
        return None, None
    return commit, bool(changes)


def explain_unknown_commit() -> str | None:
    """Return a sentence if the source is a checkout of which git tells no commit; None if all is well."""
    checkout = PACKAGE_ROOT.parent
    if not (checkout / ".git").exists() or git_state()[0] is not None:
        return None
    return (
        f"git does not tell the commit of {checkout}, so that the provenance of results names none; if the "
        f"folder belongs to another user, allow it: git config --global --add safe.directory {checkout}"
    )


def installed_versions() -> dict[str, str]:
    """Return the versions of the installed packages that can change a result."""
    versions = {}
    for name in RECORDED_PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
