r"""The process in which a computer algebra system compares expressions, for `weft.benchmarks.symbolic`.

A line ["\\frac{1}{2}", "0.5"] on standard input is answered by {"is_equal": true} on standard output.

math-verify and SymPy compare the expressions. On hostile text they may hang, exhaust the memory or crash.
Comparisons therefore run in a forked worker under limits; a worker that exceeds them is killed and replaced,
and the comparison is repeated once in the new worker. The limits are on processor time and memory, so that
verdicts do not depend on other load on the machine. No other module imports this module.
"""

import json
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sympy.core.cache import clear_cache
from sympy.core.random import seed

from weft.benchmarks.symbolic_values import compare
from weft.records import TIMED_OUT, JsonObject

MAX_IDLE_SECONDS = 300.0
"""Time after which a comparison that has not used the processor is ended, in seconds. Only comparisons that
wait reach it: on the busiest machine, a comparison that computes gets a share of the processor."""
MAX_MEMORY = 1024**3
"""Maximum address space that a comparison may add to that of its process, in bytes."""
WORN_MEMORY = 128 * 1024**2
"""Memory growth of a worker, in bytes, above which a new worker makes the next comparison."""
MAX_ANSWER_BYTES = 1_000
"""Longest message from a worker."""

WARM_UP = (
    (r"-\frac{1}{2}\sqrt{3}x^2 + 0.5", r"\frac{x}{3} - 1.5"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} \frac{1}{3} \\ 3 \end{pmatrix}"),
    (r"[0, \pi) \cup \{4\}", r"(-\infty, 2)"),
    (r"\left[ \frac{\pi^2}{8}, \frac{5 \pi^2}{4} \right]", r"[0, \pi]"),
    (r"\{1 \pm \sqrt{5}, -2\}", r"\{3, -2, i\}"),
    ("y = 2x + 3", "2y - x = 7"),
    (r"x \in [-2, 7]", r"-2 \le x \le 8"),
)
"""Pairs that are compared before the first fork, because parsers and libraries load when first used."""

# Forking is safe, because this process has no threads.
_FORK = multiprocessing.get_context("fork")


class Worker:
    """A fork of this process that makes comparisons and is replaced when it exceeds its limits.

    A worker is kept as long as possible, because a warm parser is ten times as fast.

    Args:
        max_cpu_seconds: maximum processor time of the first attempt at a comparison, in seconds.
        max_repeated_cpu_seconds: maximum processor time of the second attempt, in seconds.
    """

    def __init__(self, max_cpu_seconds: float, max_repeated_cpu_seconds: float) -> None:
        self._limits = max_cpu_seconds, max_repeated_cpu_seconds
        self._start()

    def compare(self, reference: str, prediction: str) -> JsonObject:
        """Return ``{"is_equal": ...}``, or ``{"error": ...}`` if two attempts exceeded a limit or failed.

        The second attempt is the first comparison of a new worker, so that neither earlier comparisons nor a
        busy machine decide whether there is a verdict.
        """
        first, repeated = self._limits
        answer = self._attempt(reference, prediction, first)
        return self._attempt(reference, prediction, repeated) if "error" in answer else answer

    def end(self) -> None:
        """Kill the worker."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _attempt(self, reference: str, prediction: str, max_cpu_seconds: float) -> JsonObject:
        """Compare two expressions once, and replace the worker if it must not make the next comparison."""
        if not self._process.is_alive():  # for a reason unrelated to this comparison
            self._replace()
        answer = self._ask(reference, prediction, max_cpu_seconds)
        if answer.pop("is_worn", True):  # the key is missing if the worker did not survive
            self._replace()
        return answer

    def _ask(self, reference: str, prediction: str, max_cpu_seconds: float) -> JsonObject:
        try:
            self._pipe.send_bytes(json.dumps([reference, prediction, max_cpu_seconds]).encode())
            if not self._wait():
                waited = f"waited {MAX_IDLE_SECONDS:g} seconds without computing"
                return {"error": f"{TIMED_OUT}: the comparison {waited}"}
            return dict(json.loads(self._pipe.recv_bytes(MAX_ANSWER_BYTES)))
        except EOFError:
            self._process.join(MAX_IDLE_SECONDS)  # the worker has closed the pipe, so it is about to end
        except (OSError, ValueError):  # an answer of another form
            pass
        if self._process.exitcode == -signal.SIGPROF:
            took = f"took longer than {max_cpu_seconds:g} seconds of processor time"
            return {"error": f"{TIMED_OUT}: the comparison {took}"}
        return {"error": "the comparing process died"}

    def _wait(self) -> bool:
        """Wait for the worker; return False if it has not computed for `MAX_IDLE_SECONDS` seconds."""
        used = _measure_processor_time(self._process.pid)
        while not self._pipe.poll(MAX_IDLE_SECONDS):
            before, used = used, _measure_processor_time(self._process.pid)
            if used == before:
                return False
        return True

    def _replace(self) -> None:
        self.end()
        self._start()

    def _start(self) -> None:
        self._pipe, far_end = _FORK.Pipe()
        self._process = _FORK.Process(target=_work, args=(far_end, self._pipe), daemon=True)
        self._process.start()
        far_end.close()  # the pipe then ends when the worker ends


def serve(max_cpu_seconds: float, max_repeated_cpu_seconds: float) -> None:
    """Answer requests, one per line, until standard input ends; the arguments are those of `Worker`."""
    # Libraries may print, and their output must not be mixed with the answers.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii") as answers:
        with open(os.devnull, "w") as null:  # noqa: PTH123 - a device, not a path
            os.dup2(null.fileno(), sys.stdout.fileno())
        for pair in WARM_UP:
            compare(*pair)
        worker = Worker(max_cpu_seconds, max_repeated_cpu_seconds)
        print(json.dumps({"is_ready": True}), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(worker.compare(*json.loads(line))), file=answers, flush=True)
        worker.end()


def _work(pipe: Connection, near_end: Connection) -> None:
    """Make comparisons in the worker, until the pipe ends."""
    near_end.close()
    _lower_limit(resource.RLIMIT_AS, _measure_address_space() + MAX_MEMORY)
    _lower_limit(resource.RLIMIT_CORE, 0)
    # The signal ends the process, even during the computation of a single integer power.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    worn_size = _measure_peak_memory() + WORN_MEMORY
    while True:
        try:
            reference, prediction, max_cpu_seconds = json.loads(pipe.recv_bytes())
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, max_cpu_seconds)
        answer = _compare_or_report(reference, prediction)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answer["is_worn"] = "error" in answer or _measure_peak_memory() > worn_size
        pipe.send_bytes(json.dumps(answer).encode())


def _compare_or_report(reference: str, prediction: str) -> JsonObject:
    """Compare two expressions, or report the failure or the limit that was exceeded."""
    # What SymPy keeps and draws at random must not depend on earlier comparisons.
    clear_cache()
    seed(0)
    answer: JsonObject
    with _watch_resources() as exhausted:
        try:
            answer = {"is_equal": compare(reference, prediction)}
        except Exception as error:
            answer = {"error": f"the comparison failed ({type(error).__name__})"}
    if MemoryError in exhausted:
        return {"error": f"the comparison took more than {MAX_MEMORY >> 20} MiB of memory"}
    if exhausted:
        return {"error": "the comparison ran out of stack or memory"}
    return answer


def _measure_processor_time(pid: int | None) -> int:
    """Return the processor time of a process, in clock ticks; 0 if the system has no /proc."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return 0
    user, system = fields[11:13]
    return int(user) + int(system)


def _measure_peak_memory() -> int:
    """Return the peak memory of this process, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _lower_limit(kind: int, limit: int) -> None:
    """Lower a limit of this process unless it is already lower."""
    present = [value for value in resource.getrlimit(kind) if value != resource.RLIM_INFINITY]
    limit = min(limit, *present) if present else limit
    resource.setrlimit(kind, (limit, limit))


def _measure_address_space() -> int:
    """Return the size of this process's address space, in bytes; 0 if the system has no /proc."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


@contextmanager
def _watch_resources() -> Iterator[set[type]]:
    """Collect MemoryError and RecursionError if either is raised inside the block, even if it is caught.

    In many places math-verify and SymPy catch every exception and continue as if the expressions
    differed, so that running out of memory would make an answer wrong.
    """
    exhausted: set[type] = set()

    def watch_frame(frame: Any, event: str, raised: Any) -> Any:
        if event == "exception" and issubclass(raised[0], MemoryError | RecursionError):
            exhausted.add(raised[0])
        return watch_frame

    def enter_frame(frame: Any, event: str, _: Any) -> Any:
        frame.f_trace_lines = False  # tracing lines as well would be five times as slow, not twice
        return watch_frame

    before = sys.gettrace()
    sys.settrace(enter_frame)
    try:
        yield exhausted
    finally:
        if sys.gettrace() is not enter_frame:  # Python drops a trace function that raises an exception
            exhausted.add(RecursionError)
        sys.settrace(before)


if __name__ == "__main__":
    serve(*map(float, sys.argv[1:]))
