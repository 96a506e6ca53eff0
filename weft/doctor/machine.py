"""Checks of the machine: Python, open files, memory, shared memory, C++ compiler, clock."""

import contextlib
import os
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from weft.costs.gpus import GIB
from weft.doctor.finding import Finding, ok, problem, warning
from weft.layout import PACKAGE
from weft.plan import JobMemory

PYTHONS = ((3, 11), (3, 14))
"""First supported version of Python, and the first that is not; a test compares them with pyproject.toml."""
FEW_OPEN_FILES, TOO_FEW_OPEN_FILES = 1024, 128
"""Limits of open files below which a large run may fail, and below which a small run fails.

The first is the usual limit of Linux; the second is about four times the number that the busiest process of
the small experiments had open (docs/log.md)."""
SHARED_BYTES = 66 * 2**20
"""Shared memory of a rank on CPUs, in bytes: the struct ``allreduce_workspace`` of DeepSpeed 0.19.8
(csrc/cpu/comm/shm.cpp) has two buffers of 1 MiB and two of 32 MiB."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder of shared memory
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Files with the memory limit of a container, by version 2 and 1 of control groups."""
FUTURE_SECONDS = 60.0
"""How far ahead the date of a file may be, in seconds, before the clock is taken for wrong."""
MAX_NAMED = 3
"""Maximum number of files that a finding names."""
PROGRAM = "#include <Python.h>\n#include <vector>\nint main() { return std::vector<int>(1)[0]; }\n"


def check_python() -> Iterator[Finding]:
    """Check the version of Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    first, beyond = PYTHONS
    if first <= sys.version_info[:2] < beyond:
        yield ok("Python", version)
    else:
        yield problem(
            "Python", f"{version} is not supported", "use Python 3.11, 3.12 or 3.13 (make PYTHON=python3.12)"
        )


def check_open_files() -> Iterator[Finding]:
    """Check how many files a process may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = f"a process may have {soft} files open"
    highest = FEW_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, FEW_OPEN_FILES)
    remedy = f"raise the limit with: ulimit -n {highest}"
    if soft == resource.RLIM_INFINITY or soft >= FEW_OPEN_FILES:
        yield ok("open files", text)
    elif soft < TOO_FEW_OPEN_FILES:
        yield problem("open files", text, remedy)
    else:
        yield warning("open files", text, remedy)


def total_memory() -> int:
    """Return the memory of the machine, or of its container if that has less, in bytes."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in CGROUP_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max", or another version of control groups
            total = min(total, int(path.read_text()))
    return total


def available_memory() -> int:
    """Return the memory that new processes can take without swapping, in bytes."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, amount = line.partition(":")
        if name == "MemAvailable":
            return min(total_memory(), 1024 * int(amount.split()[0]))
    return total_memory()


def check_memory(need: JobMemory | None) -> Iterator[Finding]:
    """Compare the memory of the machine with that of the largest job.

    Args:
        need: memory of the largest job; None if no experiment is named.

    Yields:
        A finding.
    """
    total, available = total_memory(), available_memory()
    text = f"{total / GIB:.1f} GiB, of which {available / GIB:.1f} are available"
    if need is None:
        yield ok("memory", text)
        return
    text += f"; the largest job ({need.job}) needs about {need.model_mb * 1e6 / GIB:.1f} GiB for its model"
    request = f"{need.request_mb * 1e6 / GIB:.1f} GiB with Python and its libraries"
    if need.model_mb * 1e6 > total:
        yield problem("memory", text, "use a machine with more memory, or fewer processes")
    elif need.request_mb * 1e6 > available:
        yield warning(
            "memory", f"{text}, and requests {request}", "end other programs, or run fewer jobs at once"
        )
    else:
        yield ok("memory", f"{text}, {request}")


def check_shared_memory(processes: int, *, folder: Path = SHARED_MEMORY) -> Iterator[Finding]:
    """Check the space that the ranks of a training need to exchange gradients on one machine.

    Args:
        processes: ranks of a training.
        folder: the file system of shared memory.

    Yields:
        A finding.
    """
    check, need = "shared memory", processes * SHARED_BYTES
    if not folder.is_dir():
        yield problem(check, f"{folder} does not exist", "mount a tmpfs there")
        return
    free = shutil.disk_usage(folder).free
    text = f"{folder} has {free >> 20} MiB free; train_processes={processes} may use {need >> 20} MiB"
    remedy = "enlarge it (containers: --shm-size=1g), or delete what ended programs have left there"
    if free >= need:
        yield ok(check, text)
    elif processes > 1:
        yield problem(check, text, remedy)
    else:  # a single rank reserves the space and does not touch it
        yield warning(check, text, remedy)


def check_compiler(extensions: Path, *, is_needed: bool) -> Iterator[Finding]:
    """Compile a small program with Python's headers, as DeepSpeed's extension for CPUs is compiled.

    Args:
        extensions: folder of the compiled extensions.
        is_needed: whether a training on CPUs is planned.

    Yields:
        A finding.
    """
    compiled = sorted(extensions.glob("**/deepspeed_shm_comm*.so"))
    failure = _compile()
    if failure is None:
        yield ok("compiler", "a C++ program with Python's headers compiles")
        return
    remedy = "install g++ and Python's header files (Debian: g++ python3-dev), or name a compiler by CXX"
    if compiled:
        yield warning("compiler", f"{failure}, but {compiled[0].name} was compiled before", remedy)
    elif is_needed:
        yield problem("compiler", f"{failure}, and training on CPUs must compile an extension", remedy)
    else:
        yield warning("compiler", f"{failure}; only training on CPUs needs it", remedy)


def _compile() -> str | None:
    """Return what fails when a C++ program is compiled; None if nothing does."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        return "there is no C++ compiler"
    include = sysconfig.get_paths()["include"]
    with tempfile.TemporaryDirectory() as folder:
        command = [*compiler.split(), "-x", "c++", f"-I{include}", "-c", "-", "-o", f"{folder}/program.o"]
        try:
            result = subprocess.run(command, input=PROGRAM, capture_output=True, text=True, check=False)
        except OSError as error:
            return f"the C++ compiler {compiler} does not start ({error.strerror})"
    if result.returncode == 0:
        return None
    errors = [line for line in result.stderr.splitlines() if "error" in line] or result.stderr.splitlines()
    reason = errors[0].strip()[-200:] if errors else f"exit code {result.returncode}"
    return f"the C++ compiler {compiler} fails ({reason})"


def check_clock(folders: Sequence[Path]) -> Iterator[Finding]:
    """Look for files that are dated in the future: the clock was wrong then, or is now.

    Args:
        folders: files and folders on which a run depends; weft's sources are looked at in any case.

    Yields:
        A finding for the clock, and one for the files if there are any.
    """
    now = time.time()
    sources = max(PACKAGE.rglob("*.py"), key=lambda path: path.stat().st_mtime)
    text = f"it is {_format_time(now)}"
    if sources.stat().st_mtime > now + FUTURE_SECONDS:
        date = _format_time(sources.stat().st_mtime)
        yield problem("clock", f"{text}, but {sources} is dated {date}", "set the clock of this machine")
        return
    yield ok("clock", text)
    late = [path for folder in folders for path in _list_files(folder) if _is_late(path, now)]
    if late:
        names = ", ".join(str(path) for path in late[:MAX_NAMED])
        yield problem(
            "dates of files",
            f"{len(late)} files are dated in the future, such as {names}",
            "set the clock if it is wrong, and then touch these files; Snakemake would run jobs again or "
            "refuse their outputs",
        )


def _list_files(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]


def _is_late(path: Path, now: float) -> bool:
    try:
        return path.stat().st_mtime > now + FUTURE_SECONDS
    except OSError:
        return False


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).isoformat(" ", "minutes")
