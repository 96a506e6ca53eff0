"""Measure ``weft score``: whether other programs change its verdicts, and how its memory grows."""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from perf.report import use_of
from weft.errors import WeftError
from weft.records import ScoredExample, Verdict
from weft.records.files import read_lines

BUSY = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    pass"
"""Program that uses a processor until the process with the given id, which started it, ends."""


@contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Run processes that always compute beside the block.

    Args:
        count: number of processes.
    """
    with ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", BUSY, str(os.getpid())])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def bench_verdicts(folder: Path, *, num_busy: int, passes: int) -> Iterator[str]:
    """Score stored MATH-500 answers alone, then beside busy processes, and compare the verdicts.

    The passes beside busy processes run at the same time. MATH-500 by ``strict`` is the only scoring that
    compares expressions under a limit on time.

    Args:
        folder: folder of d1's generation files, ``math500_*_generations.json``.
        num_busy: number of busy processes.
        passes: number of passes at the same time beside them.

    Yields:
        Lines of text.

    Raises:
        WeftError: there are no files, scoring failed, or a score file differs from that of the first pass.
    """
    files = sorted(folder.glob("math500_*_generations.json"))
    if not files:
        raise WeftError(f"{folder}: expected files math500_*_generations.json of d1, got none")
    with tempfile.TemporaryDirectory() as scratch:
        alone = Path(scratch) / "alone.jsonl"
        yield _score(files, alone, "alone")
        copies = [Path(scratch) / f"pass-{number}.jsonl" for number in range(1, passes + 1)]
        with busy_processes(num_busy), ThreadPoolExecutor(passes) as threads:
            yield from threads.map(
                lambda out: _score(files, out, f"{out.stem} beside {num_busy} busy processes"), copies
            )
        for copy in copies:
            if copy.read_bytes() != alone.read_bytes():
                pairs = zip(read_lines(alone, ScoredExample), read_lines(copy, ScoredExample), strict=True)
                count = sum(before != after for before, after in pairs)
                raise WeftError(f"{copy.stem} must give the scores of the pass alone, got {count} others")
    yield f"the score files of all {passes + 1} passes have the same bytes"


def _score(files: list[Path], out: Path, name: str) -> str:
    """Score the files by ``strict``, and describe the pass on a line."""
    options = ["--benchmark", "math500", "--rules", "strict", "--out", str(out)]
    used = use_of(["-m", "weft", "score", *options, *map(str, files)])
    scores = read_lines(out, ScoredExample)
    counts = Counter(score.verdict for score in scores)
    return (
        f"{name}: {len(scores)} answers, {counts[Verdict.CORRECT]} correct, "
        f"{counts[Verdict.UNSCORABLE]} unscorable, {used.seconds:.1f} s of processor time, "
        f"load {os.getloadavg()[0]:.1f}"
    )
