r"""Equality of mathematical expressions by a computer algebra system: the far side of `symbolic`.

    ["\\frac{1}{2}", "0.5"]  on standard input gives  {"is_equal": true}  on standard output

The work is done by `math-verify` on SymPy, which may hang, exhaust the memory or crash on hostile text.
So comparisons are made by a copy of this process, under limits; nothing else imports this module.
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

MAX_CPU_SECONDS = 1.0
"""Processor time that a comparison may take; honest ones were seen to take up to 0.3 seconds."""
MAX_SECONDS = 1.8
"""Longest time that a comparison may take by the clock, beside whatever else the machine does."""
MAX_MEMORY = 1024**3
"""Address space that a comparison may take beyond what its process has already, in bytes."""
WORN_MEMORY = 128 * 1024**2
"""Memory, in bytes, beyond which a copy has grown so much that the next comparison gets a fresh one."""
DECIMALS = 12
"""Decimals at which a decimal number must agree; math-verify's 6 would make 0.333333 a third."""
MAX_ANSWER = 1_000
"""Longest message from a copy, in bytes."""

WARM_UP = (
    (r"-\frac{1}{2}\sqrt{3}x^2 + 0.5", r"\frac{x}{3} - 1.5"),
    (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} \frac{1}{3} \\ 3 \end{pmatrix}"),
    (r"[0, \pi) \cup \{4\}", r"(-\infty, 2)"),
    (r"\left[ \frac{\pi^2}{8}, \frac{5 \pi^2}{4} \right]", r"[0, \pi]"),
    (r"\{1 \pm \sqrt{5}, -2\}", r"\{3, -2, i\}"),
    ("y = 2x + 3", "2y - x = 7"),
    (r"x \in [-2, 7]", r"-2 \le x \le 8"),
)
"""What is compared before the first copy is made: parsers and libraries load as they are used."""

# Only the plain process is copied: it has no threads.
_COPIES = multiprocessing.get_context("fork")


def compare(reference: str, prediction: str) -> bool:
    """Say whether two expressions have the same value.

    Args:
        reference: the right answer, in LaTeX, on one line and without dollar signs.
        prediction: the stated answer, likewise.

    Returns:
        What math-verify says; an expression that it cannot read equals only the same text.

    Raises:
        Exception: the comparison failed; that says nothing about the answer.
    """
    right, stated = _read(reference), _read(prediction)
    if right is None or stated is None:
        return reference == prediction
    return bool(verify(right, stated, float_rounding=DECIMALS, timeout_seconds=None, raise_on_error=True))


class Copy:
    """A copy of this process that makes comparisons; killed and replaced when it exceeds its limits.

    A copy goes on as long as it can: a parser that is warm is ten times as fast.
    """

    def __init__(self) -> None:
        self._start()

    def compare(self, reference: str, prediction: str) -> dict[str, Any]:
        """Have two expressions compared.

        Returns:
            `{"is_equal": …}`, or `{"error": …}` if the copy exceeded its limits, failed or died.
        """
        if not self._process.is_alive():  # of something that has nothing to do with this comparison
            self._replace()
        answer = self._ask(reference, prediction)
        if answer.pop("is_worn", True):  # also where the copy did not live to say so
            self._replace()
        return answer

    def _ask(self, reference: str, prediction: str) -> dict[str, Any]:
        try:
            self._pipe.send_bytes(json.dumps([reference, prediction]).encode())
            if not self._pipe.poll(MAX_SECONDS):
                return {"error": f"the comparison took longer than {MAX_SECONDS} seconds"}
            answer: dict[str, Any] = json.loads(self._pipe.recv_bytes(MAX_ANSWER))
            return answer
        except (EOFError, OSError, ValueError):
            self._process.join(0.2)  # its end of the pipe is closed, so it is about to end
        if self._process.exitcode == -signal.SIGPROF:
            return {"error": f"the comparison took longer than {MAX_CPU_SECONDS} seconds of computing"}
        return {"error": "the comparing process died"}

    def end(self) -> None:
        """Kill the copy."""
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def _replace(self) -> None:
        self.end()
        self._start()

    def _start(self) -> None:
        self._pipe, far_end = _COPIES.Pipe()
        self._process = _COPIES.Process(target=_answer, args=(far_end, self._pipe), daemon=True)
        self._process.start()
        far_end.close()  # so that the end of the copy is seen as the end of the pipe


def serve() -> None:
    """Answer requests, a line each, until standard input ends."""
    # Libraries may print; the answers have a way of their own.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii") as answers:
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device, not a path
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        for pair in WARM_UP:
            compare(*pair)
        copy = Copy()
        print(json.dumps({"is_ready": True}), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(copy.compare(*json.loads(line))), file=answers, flush=True)
        copy.end()


def _answer(pipe: Connection, near_end: Connection) -> None:
    """Make comparisons in the copy, until the pipe ends."""
    near_end.close()
    _limit(resource.RLIMIT_AS, _measure_address_space() + MAX_MEMORY)
    _limit(resource.RLIMIT_CORE, 0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGPROF})
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process, also inside one large integer power
    worn_size = _measure_peak_memory() + WORN_MEMORY
    while True:
        try:
            reference, prediction = json.loads(pipe.recv_bytes())
        except EOFError:
            return
        answer: dict[str, Any]
        signal.setitimer(signal.ITIMER_PROF, MAX_CPU_SECONDS)
        with _watch_resources() as exhausted:
            try:
                answer = {"is_equal": compare(reference, prediction)}
            except Exception as error:
                answer = {"error": f"the comparison failed ({type(error).__name__})"}
        if MemoryError in exhausted:
            answer = {"error": f"the comparison took more than {MAX_MEMORY >> 20} MiB of memory"}
        elif exhausted:
            answer = {"error": "the comparison ran out of stack or memory"}
        signal.setitimer(signal.ITIMER_PROF, 0)
        is_worn = "error" in answer or _measure_peak_memory() > worn_size
        pipe.send_bytes(json.dumps(answer | {"is_worn": is_worn}).encode())


def _measure_peak_memory() -> int:
    """Say how much memory this process has taken at most, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _limit(kind: int, limit: int) -> None:
    """Lower a limit of this process; one that is lower already stays."""
    present = [value for value in resource.getrlimit(kind) if value != resource.RLIM_INFINITY]
    limit = min(limit, *present) if present else limit
    resource.setrlimit(kind, (limit, limit))


def _measure_address_space() -> int:
    """Say how large the address space of this process is, in bytes; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


@contextmanager
def _watch_resources() -> Iterator[set[type]]:
    """Collect the kinds of exceptions that say that something ran out, raised anywhere within.

    math-verify and SymPy catch every exception in many places and go on as if the expressions differed,
    also when the memory is exhausted: a failure would become a verdict.
    """
    exhausted: set[type] = set()

    def watch_frame(frame: Any, event: str, raised: Any) -> Any:
        if event == "exception" and issubclass(raised[0], MemoryError | RecursionError):
            exhausted.add(raised[0])
        return watch_frame

    def enter_frame(frame: Any, event: str, _: Any) -> Any:
        frame.f_trace_lines = False  # or it would take five times as long, not two
        return watch_frame

    before = sys.gettrace()
    sys.settrace(enter_frame)
    try:
        yield exhausted
    finally:
        if sys.gettrace() is not enter_frame:  # Python drops a watcher that itself runs out of either
            exhausted.add(RecursionError)
        sys.settrace(before)


def _read(latex: str) -> Any:
    """Parse an expression; None if it cannot be read."""
    # ExprExtractionConfig is left out: it hands text to SymPy's parse_expr, which calls eval.
    found = parse(
        f"${latex}$",
        extraction_config=[LatexExtractionConfig()],
        fallback_mode="no_fallback",
        parsing_timeout=None,
        raise_on_error=True,
    )
    return found[0] if found else None


def _build(code: str, *_: Any) -> Any:
    """Stand in for SymPy's eval: build the single numbers and symbols that SymPy itself asks for.

    SymPy turns some text into Python code, even that of a number; no text may become more than that.
    """
    match = _LEAF.fullmatch(code)
    if match is None:
        raise ValueError(f"text is not evaluated as code, got {code!a:.80}")
    return sympy.E if match["kind"] is None else getattr(sympy, match["kind"])(match["text"])


# What SymPy's parser makes of "12", "1.5", "x" and "E".
_LEAF = re.compile(r"(?:(?P<kind>Integer|Float|Symbol) ?\('?(?P<text>[\w.]+)'? ?\)|E) ?")
sympy_parser.eval_expr = _build
logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns that we keep the time ourselves

if __name__ == "__main__":
    serve()
