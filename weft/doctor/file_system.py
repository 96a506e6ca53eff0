"""What a file system can do, tried with files in a temporary folder.

weft relies on locks (`weft.records.files.lock_output`, GPU leases) and on replacing a file in one step; hard
links only save space.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from weft.doctor.finding import Finding, ok, problem, warning
from weft.records.full_disk import existing_folder

MAX_CLOCK_DIFFERENCE = 5.0
"""Difference between the clocks of the machine and of a file system, in seconds, above which jobs of several
machines may be ordered wrongly. The coarsest time stamps of common file systems (FAT) have steps of 2 s."""
TRY_LOCK = """
import fcntl, sys
with open(sys.argv[1], "rb+") as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(3)
"""
"""Program of a second process that tries to take a lock."""
LOCK_IS_HELD = 3
"""Exit code of that program if the lock is held."""
MOVE = "move the folder to another file system, or mount it with locks (NFS: a lock service; Lustre: flock)"


def check_file_system(title: str, path: Path) -> Iterator[Finding]:
    """Try what the file system of a folder can do.

    Args:
        title: name of the folder for messages, such as "results".
        path: the folder; it need not exist yet.

    Yields:
        A finding for each property that a run needs or that changes what it costs.
    """
    place = existing_folder(path)
    try:
        trial = Path(tempfile.mkdtemp(prefix=".weft-doctor-", dir=place))
    except OSError as error:
        yield problem(
            title,
            f"no file can be written in {place} ({error.strerror})",
            "choose a folder of yours, make it writable, or free space on its disk",
        )
        return
    try:
        yield from _try_locks(title, place, trial)
        yield from _try_replacing(title, place, trial)
        yield from _try_links(title, place, trial)
        yield from _compare_case(title, place, trial)
        yield from _compare_clocks(title, place, trial)
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def _try_locks(title: str, place: Path, trial: Path) -> Iterator[Finding]:
    """Take a lock, and let a second process try to take it before and after it is released."""
    import fcntl

    check, path = f"{title}, locks", trial / "lock"
    path.touch()
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            yield problem(check, f"{place} has no file locks ({error.strerror})", MOVE)
            return
        while_held = _try_lock_elsewhere(path)
    after = _try_lock_elsewhere(path)
    if while_held != LOCK_IS_HELD:
        yield problem(check, f"a lock in {place} does not exclude a second process", MOVE)
    elif after != 0:
        yield problem(check, f"a lock in {place} is not released when its file is closed", MOVE)
    else:
        yield ok(check, f"a lock in {place} excludes a second process")


def _try_lock_elsewhere(path: Path) -> int:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", TRY_LOCK, str(path)], capture_output=True, check=False
    ).returncode


def _try_replacing(title: str, place: Path, trial: Path) -> Iterator[Finding]:
    """Force a file to disk and let it replace another one, as all results are written."""
    check, new, old = f"{title}, replacing files", trial / "new", trial / "old"
    remedy = "move the folder to a local disk or another file system"
    try:
        old.write_bytes(b"old")
        with new.open("wb") as file:
            file.write(b"new")
            file.flush()
            os.fsync(file.fileno())
        new.replace(old)
    except OSError as error:
        yield problem(check, f"a file in {place} cannot be replaced ({error.strerror})", remedy)
        return
    if old.read_bytes() != b"new" or new.exists():
        yield problem(check, f"a replaced file in {place} has its old content", remedy)
    else:
        yield ok(check, f"files in {place} are forced to disk and replaced")


def _try_links(title: str, place: Path, trial: Path) -> Iterator[Finding]:
    check, source, target = f"{title}, hard links", trial / "source", trial / "target"
    source.touch()
    try:
        target.hardlink_to(source)
    except OSError as error:
        yield warning(
            check,
            f"{place} has no hard links ({error.strerror})",
            "models are copied instead, which takes twice the space",
        )
    else:
        yield ok(check, f"{place} has hard links")


def _compare_case(title: str, place: Path, trial: Path) -> Iterator[Finding]:
    check = f"{title}, upper and lower case"
    (trial / "case").touch()
    if (trial / "CASE").exists():
        yield warning(
            check,
            f"{place} does not distinguish upper and lower case",
            "give no two experiments, methods or benchmarks names that differ in case only",
        )
    else:
        yield ok(check, f"{place} distinguishes names by case")


def _compare_clocks(title: str, place: Path, trial: Path) -> Iterator[Finding]:
    """Compare the time that the file system gives a new file with the clock of the machine."""
    check, path = f"{title}, clock", trial / "now"
    path.touch()
    os.utime(path)  # "now" is the server's time on NFS
    difference = path.stat().st_mtime - time.time()
    if abs(difference) > MAX_CLOCK_DIFFERENCE:
        yield problem(
            check,
            f"the clock of the file system at {place} differs from this machine's by {difference:+.0f} s",
            "synchronise both clocks (NTP); Snakemake compares the dates of files and refuses such outputs",
        )
    else:
        yield ok(check, f"the clock of the file system at {place} agrees with this machine's")


def folder_size(folder: Path) -> int:
    """Return the size of all files below a folder in bytes; a file with several hard links counts once."""
    sizes: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # a file of a running job may vanish
            status = path.lstat()
            sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())
