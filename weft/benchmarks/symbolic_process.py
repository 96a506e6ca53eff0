r"""The process in which a computer algebra system compares expressions, for `weft.benchmarks.symbolic`.

A line ["\\frac{1}{2}", "0.5"] on standard input is answered by {"is_equal": true} on standard output.

math-verify and SymPy compare the expressions. On hostile text they may hang, exhaust the memory or crash.
Comparisons therefore run in a forked worker under limits; a worker that exceeds them is killed and replaced.
No other module imports this module.
"""

import json
import logging
import multiprocessing
import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import sympy
from math_verify import LatexExtractionConfig, parse, verify
from sympy.parsing import sympy_parser

from weft.records import JsonObject

MAX_CPU_SECONDS = 1.0
"""Maximum processor time of a comparison, in seconds. Ordinary comparisons took up to 0.3 seconds."""
MAX_MEMORY = 1024**3
"""Maximum address space that a comparison may add to that of its process, in bytes."""
WORN_MEMORY = 128 * 1024**2
"""Memory growth of a worker, in bytes, above which a new worker makes the next comparison."""
DECIMALS = 12
"""Number of decimals to which decimal numbers must agree; with math-verify's 6, 0.333333 would equal 1/3."""
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


def compare(reference: str, prediction: str) -> bool:
    """Return True if math-verify finds two expressions in LaTeX equal.

    An expression that cannot be parsed equals only the same text. Any exception may be raised, which means
    that the comparison failed, not that the expressions differ.
    """
    expected, stated = _read(reference), _read(prediction)
    if expected is None or stated is None:
        return reference == prediction
    return bool(verify(expected, stated, float_rounding=DECIMALS, timeout_seconds=None, raise_on_error=True))


class Worker:
    """A fork of this process that makes comparisons and is replaced when it exceeds its limits.

    A worker is kept as long as possible, because a warm parser is ten times as fast. A comparison may take
    ``max_seconds`` seconds of wall time.
    """

    def __init__(self, max_seconds: float) -> None:
        self._max_seconds = max_seconds
        self._start()

    def compare(self, reference: str, prediction: str) -> JsonObject:
        """Return ``{"is_equal": ...}``, or ``{"error": ...}`` if the worker exceeded its limits or failed."""
        if not self._process.is_alive():  # for a reason unrelated to this comparison
            self._replace()
        answer = self._ask(reference, prediction)
        if answer.pop("is_worn", True):  # the key is missing if the worker did not survive
            self._replace()
        return answer

    def end(self) -> None:
        """Kill the worker."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _ask(self, reference: str, prediction: str) -> JsonObject:
        try:
            self._pipe.send_bytes(json.dumps([reference, prediction]).encode())
            if not self._pipe.poll(self._max_seconds):
                return {"error": f"the comparison took longer than {self._max_seconds} seconds"}
            return dict(json.loads(self._pipe.recv_bytes(MAX_ANSWER_BYTES)))
        except (EOFError, OSError, ValueError):
            self._process.join(0.2)  # the worker has closed the pipe, so it is about to end
        if self._process.exitcode == -signal.SIGPROF:
            return {"error": f"the comparison took longer than {MAX_CPU_SECONDS} seconds of computing"}
        return {"error": "the comparing process died"}

    def _replace(self) -> None:
        self.end()
        self._start()

    def _start(self) -> None:
        self._pipe, far_end = _FORK.Pipe()
        self._process = _FORK.Process(target=_work, args=(far_end, self._pipe), daemon=True)
        self._process.start()
        far_end.close()  # the pipe then ends when the worker ends


def serve(max_seconds: float) -> None:
    """Answer requests, one per line, until standard input ends; the arguments are those of `Worker`."""
    # Libraries may print, and their output must not be mixed with the answers.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii") as answers:
        with open(os.devnull, "w") as null:  # noqa: PTH123 - a device, not a path
            os.dup2(null.fileno(), sys.stdout.fileno())
        for pair in WARM_UP:
            compare(*pair)
        worker = Worker(max_seconds)
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
            reference, prediction = json.loads(pipe.recv_bytes())
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_PROF, MAX_CPU_SECONDS)
        answer = _compare_or_report(reference, prediction)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answer["is_worn"] = "error" in answer or _measure_peak_memory() > worn_size
        pipe.send_bytes(json.dumps(answer).encode())


def _compare_or_report(reference: str, prediction: str) -> JsonObject:
    """Compare two expressions, or report the failure or the limit that was exceeded."""
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


def _read(latex: str) -> Any:
    """Parse an expression; return None if it cannot be parsed."""
    # ExprExtractionConfig is not used, because it passes text to SymPy's parse_expr, which calls eval.
    expressions = parse(
        f"${latex}$",
        extraction_config=[LatexExtractionConfig()],
        fallback_mode="no_fallback",
        parsing_timeout=None,
        raise_on_error=True,
    )
    return expressions[0] if expressions else None


def _build(code: str, *_: Any) -> Any:
    """Build a single number or symbol. This function replaces the ``eval`` of SymPy's parser.

    SymPy converts even the text of a number to Python code; any other code is refused.
    """
    match = _LEAF.fullmatch(code)
    if match is None:
        raise ValueError(f"text is not evaluated as code, got {code!a:.80}")
    return sympy.E if match["kind"] is None else getattr(sympy, match["kind"])(match["text"])


# The code that SymPy's parser writes for "12", "1.5", "x" and "E".
_LEAF = re.compile(r"(?:(?P<kind>Integer|Float|Symbol) ?\('?(?P<text>[\w.]+)'? ?\)|E) ?")
sympy_parser.eval_expr = _build
logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that its own timeouts are switched off

if __name__ == "__main__":
    serve(float(sys.argv[1]))
