r"""Equality of mathematical expressions in LaTeX, by value.

    are_equal("\\frac{1}{2}", "0.5")  returns  True

A computer algebra system compares them in a separate process under limits on time and memory
(`weft.benchmarks.symbolic_process`). It starts with the first comparison and ends with the caller's process.
"""

import atexit
import contextlib
import functools
import json
import os
import subprocess
import sys
import threading

from weft.errors import ScoringError, ScoringSetupError
from weft.records import JsonObject

MAX_CPU_SECONDS = 1.0
"""Maximum processor time of the first attempt at a comparison, in seconds. Ordinary comparisons took up to
0.4 seconds."""
MAX_REPEATED_CPU_SECONDS = 10.0
"""Maximum processor time of the second attempt, in seconds. A busy machine also raises processor times,
because programs compete for caches and memory, but not by such a factor."""


class ComparisonError(ScoringError):
    """Two expressions could not be compared within the limits; the answer may be right or wrong."""


def are_equal(reference: str, prediction: str) -> bool:
    """Return True if two expressions have the same value.

    The first call also starts the process for comparisons, which takes about a second. A comparison that
    exceeds a limit or fails is repeated once, alone in a new worker and with more time.

    Args:
        reference: the right answer, in LaTeX, on a single line and without dollar signs.
        prediction: the stated answer, in the same form. An expression that cannot be parsed
            equals only the same text.

    Returns:
        True if they are equal.

    Raises:
        ComparisonError: the comparison exceeded its time or memory, failed, or its process died. If it was
            the time, the message begins with `weft.records.TIMED_OUT`.
        ScoringSetupError: the process for comparisons does not start.
    """
    answer = _ask(reference, prediction) or _ask(reference, prediction)
    if answer is None:
        raise ComparisonError("the comparing process died twice")
    if "error" in answer:
        raise ComparisonError(answer["error"])
    return bool(answer["is_equal"])


def _ask(reference: str, prediction: str) -> JsonObject | None:
    """Send two expressions to the process and return the answer; None if the process died and was removed."""
    process = _start_process()
    answer = process.ask(reference, prediction)
    if answer is None:
        process.end()
        _start_process.cache_clear()
    return answer


class _Process:
    """Handle of the process for comparisons, which makes a single comparison at a time."""

    def __init__(self) -> None:
        limits = [str(MAX_CPU_SECONDS), str(MAX_REPEATED_CPU_SECONDS)]
        command = [sys.executable, "-m", "weft.benchmarks.symbolic_process", *limits]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # SymPy iterates over sets; their order must not differ between two runs.
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._lock = threading.Lock()
        atexit.register(self.end)
        if self._read() != {"is_ready": True}:
            self.end()
            raise ScoringSetupError(
                f"the process that compares expressions must start, but {' '.join(command)} ended with exit "
                f"code {self._process.returncode}; is math-verify installed as in envs/weft.lock.txt?"
            )

    def ask(self, reference: str, prediction: str) -> JsonObject | None:
        """Send two expressions and return the answer; None if the process died."""
        with self._lock:
            try:
                self._requests.write(json.dumps([reference, prediction]).encode() + b"\n")
                self._requests.flush()
                return self._read()
            except OSError:
                return None

    def end(self) -> None:
        """Close the pipes, which ends the process, and wait for it."""
        with self._lock, self._process, contextlib.suppress(OSError):
            self._requests.close()
        atexit.unregister(self.end)

    def _read(self) -> JsonObject | None:
        line = self._answers.readline()
        return dict(json.loads(line)) if line else None


@functools.cache
def _start_process() -> _Process:
    return _Process()
