"""Locks that other processes hold, or that a killed process has left."""

import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

from weft.doctor.finding import Finding, ok, problem, warning
from weft.errors import name_some

SNAKEMAKE_FOLDER = Path(".snakemake")
MAX_NAMED = 3
"""Maximum number of locks that a finding names."""


def check_snakemake(directory: Path) -> Iterator[Finding]:
    """Check Snakemake's records in a working directory: its lock, and whether they can be written.

    Args:
        directory: the working directory.

    Yields:
        A finding.
    """
    folder = directory / SNAKEMAKE_FOLDER
    for path in (folder, folder / "locks", folder / "metadata"):
        if path.exists() and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            yield problem(
                "Snakemake",
                f"{path} belongs to user {path.stat().st_uid} and cannot be written",
                "run in a directory of yours (snakemake --directory), or let the owner run",
            )
            return
    locks = sorted((folder / "locks").glob("*.lock"))
    if not locks:
        yield ok("Snakemake", f"no lock in {directory}")
        return
    running = [str(pid) for pid in _list_snakemakes(directory)]
    if running:
        yield problem(
            "Snakemake", f"process {', '.join(running)} runs in {directory}", "wait until it has ended"
        )
    else:
        yield problem(
            "Snakemake",
            f"{directory} is locked, and no snakemake of this machine runs there: it was killed, or it runs "
            "on another machine",
            "run: snakemake --unlock, if it does not run elsewhere",
        )


def _list_snakemakes(directory: Path) -> Iterator[int]:
    """Yield the process ids of Snakemake that work in a directory, as far as /proc shows them."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            is_here = (entry / "cwd").resolve(strict=True) == directory.resolve()
        except OSError:  # it has ended, or belongs to another user
            continue
        if is_here and any(b"snakemake" in Path(os.fsdecode(word)).name.encode() for word in words[:4]):
            yield int(entry.name)


def check_locks(results: Path) -> Iterator[Finding]:
    """Check which files below a results folder are locked by running jobs, or cannot be locked.

    Args:
        results: folder of the experiment.

    Yields:
        A finding for each kind.
    """
    held: list[str] = []
    foreign: list[str] = []
    for path in sorted(results.rglob(".*.lock")):
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError as error:
            foreign.append(f"{path} ({error.strerror})")
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holders = ", ".join(map(str, _list_holders(descriptor))) or "on another machine"
            held.append(f"{path} (process {holders})")
        except OSError as error:  # the file system has no locks
            foreign.append(f"{path} ({error.strerror})")
        finally:
            os.close(descriptor)
    if foreign:
        yield problem(
            "locks of results",
            f"{len(foreign)} lock files cannot be opened or locked: {name_some(foreign, MAX_NAMED)}",
            "write to results of your own on a file system with locks, or ask the owner to delete them",
        )
    if held:
        yield warning(
            "locks of results",
            f"{len(held)} results are being written: {name_some(held, MAX_NAMED)}",
            "a run waits for these processes; end them first if they are not wanted",
        )
    if not held and not foreign:
        yield ok("locks of results", f"no process writes below {results}")


def _list_holders(descriptor: int) -> list[int]:
    """Return the processes that hold a lock on an open file, by /proc/locks."""
    inode = os.fstat(descriptor).st_ino
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return []
    pattern = re.compile(rf"FLOCK\s+\S+\s+WRITE\s+(\d+)\s+[0-9a-f:]+:{inode}\s")
    return [int(match[1]) for line in lines if (match := pattern.search(line)) and "->" not in line]
