"""Measure ``weft score``: whether other programs change its verdicts, and how its memory grows."""

import itertools
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from perf.report import use_of
from weft.errors import WeftError
from weft.records import Generation, ScoredExample, Verdict
from weft.records.files import read_lines, write_lines

BUSY = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    pass"
"""Program that uses a processor until the process with the given id, which started it, ends."""

MOST_GROWTH = 50 * 10**6
"""Goal for the growth of the peak memory from the smallest to the largest number of answers, in bytes."""

GIVEN = "1011010110010101"
"""Cells of a made-up puzzle that are given (1) or empty (0); the puzzles have rotations of it."""
PERMUTATIONS = ["".join(order) for order in itertools.permutations("1234")]
"""Names of the digits in made-up puzzles."""


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


def bench_memory(*, counts: Sequence[int] = (100_000, 1_000_000)) -> Iterator[str]:
    """Measure the memory of scoring Sudoku answers against their number.

    Args:
        counts: numbers of answers, in ascending order.

    Yields:
        Lines of text.

    Raises:
        WeftError: scoring failed.
    """
    peaks = []
    with tempfile.TemporaryDirectory() as scratch:
        for count in counts:
            answers, out = Path(scratch) / "answers.jsonl", Path(scratch) / "scores.jsonl"
            write_lines(answers, sudoku_answers(count))
            options = ["--benchmark", "sudoku", "--out", str(out)]
            used = use_of(["-m", "weft", "score", *options, str(answers)])
            peaks.append(used.peak_bytes)
            yield (
                f"weft score, {count:,} Sudoku answers ({answers.stat().st_size / 10**6:.0f} MB): "
                f"{used.peak_bytes / 10**6:.1f} MB at the peak, {used.seconds:.0f} s of processor time"
            )
    growth = (peaks[-1] - peaks[0]) / 10**6
    yield f"the peak grows by {growth:.1f} MB; the goal is at most {MOST_GROWTH / 10**6:g} MB"


def sudoku_answers(count: int) -> Iterator[Generation]:
    """Yield made-up answers to Sudoku puzzles, as long as those that d1 published.

    Args:
        count: number of answers.

    Yields:
        The answers, every third of which is right.
    """
    for number in range(count):
        order = PERMUTATIONS[number % len(PERMUTATIONS)]
        solved = "1234341221434321".translate(str.maketrans("1234", order))
        given = GIVEN[number % 16 :] + GIVEN[: number % 16]
        puzzle = "".join(cell if bit == "1" else "0" for bit, cell in zip(given, solved, strict=True))
        stated = solved if number % 3 == 0 else puzzle
        text = "Each row, column and box has all digits once. " * 10
        yield Generation(
            example_id=f"{number:016x}",
            benchmark="sudoku",
            question=f"Solve the following Sudoku puzzle: {puzzle}\n",
            reference=solved,
            generation=f"{text}<answer>\n{stated}\n</answer>",
        )


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
