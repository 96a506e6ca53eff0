r"""Equality of mathematical expressions in LaTeX, by value.

    are_equal("\\frac{1}{2}", "0.5")  is True

A computer algebra system finds out, in a process of its own and under limits: see
`weft.benchmarks.symbolic_process`, which is started with the first question and ends with this process.
"""

import atexit
import contextlib
import functools
import json
import subprocess
import sys
import threading
from typing import IO, Any

from weft.errors import ScoringError, ScoringSetupError


class ComparisonError(ScoringError):
    """Two expressions could not be compared within the limits; that says nothing about the answer."""


def are_equal(reference: str, prediction: str) -> bool:
    """Say whether two expressions have the same value.

    The first call starts the comparing process, which takes a second beside the comparison's own limits.

    Args:
        reference: the right answer, in LaTeX, on one line and without dollar signs.
        prediction: the stated answer, likewise.

    Returns:
        Whether they do; an expression that cannot be read equals only the same text.

    Raises:
        ComparisonError: the comparison took too long or too much memory, failed or died.
        ScoringSetupError: the comparing process does not start.
    """
    process = _process()
    answer = process.ask([reference, prediction])
    if answer is None:
        process.end()
        _process.cache_clear()
        raise ComparisonError("the comparing process died")
    if "error" in answer:
        raise ComparisonError(answer["error"])
    return bool(answer["is_equal"])


class _Process:
    """The process that compares; it takes one question at a time."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "weft.benchmarks.symbolic_process"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._turn = threading.Lock()
        atexit.register(self.end)
        if self._read() != {"is_ready": True}:
            self.end()
            raise ScoringSetupError(
                f"{' '.join(command)} must start to compare expressions, it ended with exit code "
                f"{self._process.returncode}; is math-verify installed as in envs/weft.lock.txt?"
            )

    def ask(self, question: Any) -> Any:
        """Send a question and wait for its answer; None if the process died."""
        with self._turn:
            try:
                _open(self._process.stdin).write(json.dumps(question).encode() + b"\n")
                _open(self._process.stdin).flush()
                return self._read()
            except OSError:
                return None

    def end(self) -> None:
        """Close the pipes, upon which the process ends, and wait for it."""
        with self._turn, self._process, contextlib.suppress(OSError):
            _open(self._process.stdin).close()
        atexit.unregister(self.end)

    def _read(self) -> Any:
        line = _open(self._process.stdout).readline()
        return json.loads(line) if line else None


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "both pipes are asked for when the process is started"
    return pipe


@functools.cache
def _process() -> _Process:
    return _Process()
