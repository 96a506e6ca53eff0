"""Processes of a drill, which a variable of their environment marks, and what ended ones leave behind."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

MARK = "WEFT_DRILL"
"""Environment variable of all processes of a drill; its value names the folder."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder of shared memory, which is only listed
Role = Literal["rank", "sampler"]
_WORDS: dict[Role, bytes] = {"rank": b"\0weft.training.rank\0", "sampler": b"\0-m\0weft\0sample\0"}
"""Kind of process -> words of its command; the shell of a job has that command as a single word."""


def find_processes(mark: str, role: Role | None = None) -> list[int]:
    """Find the running processes of a drill.

    Args:
        mark: value of `MARK`.
        role: kind of process; None for all.

    Returns:
        Their ids.
    """
    return list(_find(f"{MARK}={mark}".encode(), b"" if role is None else _WORDS[role]))


def _find(variable: bytes, words: bytes) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()  # empty for a zombie
            if command and words in command and int(entry.name) != os.getpid():
                environment = (entry / "environ").read_bytes()
                if variable in environment.split(b"\0"):
                    yield int(entry.name)
        except OSError:  # it has ended, or belongs to another user
            continue


def list_shared_memory() -> set[str]:
    """Return the names in /dev/shm."""
    return {path.name for path in SHARED_MEMORY.iterdir()} if SHARED_MEMORY.is_dir() else set()


def list_abandoned(names: set[str]) -> list[str]:
    """Return those of some names in /dev/shm that no running process maps or has open."""
    remaining = names & list_shared_memory()
    for entry in Path("/proc").glob("[0-9]*"):
        if not remaining:
            break
        try:
            text = (entry / "maps").read_text()
            opened = {str(link.readlink()) for link in (entry / "fd").iterdir()}
        except OSError:
            continue
        remaining -= {
            name
            for name in remaining
            if f"{SHARED_MEMORY}/{name}" in text or f"{SHARED_MEMORY}/{name}" in opened
        }
    return sorted(remaining)
