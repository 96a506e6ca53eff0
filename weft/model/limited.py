"""Run a function that a stranger's file may keep busy for ever, within limits.

A chat template is a program, and a regular expression can take a time that grows exponentially with the text.
The function runs in a fork of the process, whose processor time and memory the operating system limits.
"""

import json
import os
import resource
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from weft.errors import describe_error, shorten

MAX_SECONDS = 4
"""Processor time that a check may take. A published template takes a few milliseconds."""
MAX_EXTRA_BYTES = 2**30
"""Memory that a check may take in addition to that of the process."""
MAX_RESULT_BYTES = 2**22
"""Size of the largest result, as JSON."""
TEXT_LIMIT = 300
"""Length to which the message of an error is truncated."""


class LimitError(Exception):
    """A function failed, or exceeded its processor time or memory; the message says which."""


def run_limited(function: Callable[[], Any], *, seconds: int = MAX_SECONDS) -> Any:
    """Run a function in a fork of the process, with limits on processor time and memory.

    Args:
        function: returns a JSON value; it must not use a GPU.
        seconds: processor time that it may take.

    Returns:
        The value.

    Raises:
        LimitError: the function raised an exception or exceeded a limit.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python warns that a fork has no threads but the calling one. The function needs no other.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        os.close(reading)
        _run_in_child(function, writing, seconds)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        content = stream.read(MAX_RESULT_BYTES + 1)
    _, status = os.waitpid(child, 0)
    if len(content) > MAX_RESULT_BYTES:
        raise LimitError(f"a result of more than {MAX_RESULT_BYTES:,} bytes")
    if os.WIFSIGNALED(status) or not content:
        raise LimitError(f"no result within {seconds} s of processor time and {MAX_EXTRA_BYTES:,} bytes")
    answer = json.loads(content)
    if "error" in answer:
        raise LimitError(answer["error"])
    return answer["value"]


def _run_in_child(function: Callable[[], Any], writing: int, seconds: int) -> None:
    """Run the function, write its result to a pipe, and end the process at once."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)  # libraries write messages of their own
        os.dup2(null, 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        if (size := _occupied_bytes()) is not None:
            resource.setrlimit(resource.RLIMIT_AS, (size + MAX_EXTRA_BYTES,) * 2)
        try:
            answer = {"value": function()}
        except BaseException as error:  # the tokenizers library raises an exception that is no Exception
            answer = {"error": shorten(describe_error(error), TEXT_LIMIT)}
        content = json.dumps(answer).encode("ascii")
        while content:
            content = content[os.write(writing, content) :]
    finally:
        os._exit(0)


def _occupied_bytes() -> int | None:
    """Return the size of the address space of this process, where the operating system tells it."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    except (OSError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
