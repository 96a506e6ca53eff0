"""Measure the processor time that a command needs before its work begins.

Each command is run as a process of its own, with a missing input, so that it ends when its work would begin.
Its time is compared with that of a process that does nothing, or imports torch only, in the same run.
"""

import resource
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence

from weft.errors import WeftError

MISSING = "no/such/file"
RUN = "sft-worked-seed1"


def missing(*options: str) -> list[str]:
    """Return options that each name a file that does not exist."""
    return [argument for option in options for argument in (option, MISSING)]


TINY = ["--experiment", "tiny"]
SAMPLE = [*TINY, "--run", "base", *missing("--base", "--questions", "--out")]
REPORT = [*TINY, *missing("--out"), MISSING]
TRAIN = [*TINY, "--run", RUN, *missing("--base", "--prepared", "--out")]
CURVE = [*TINY, "--run", RUN, *missing("--base", "--questions", "--trained", "--out")]
PREPARE = [*TINY, *missing("--base", "--out", "--examples")]
PREPARED = [*TINY, *missing("--base", "--out", "--prepared")]

LIGHT = {
    "weft --help": ["weft", "--help"],
    "weft plan": ["weft", "plan", "tiny"],
    "weft config show": ["weft", "config", "show", "tiny"],
    "weft data dataset": ["weft", "data", "dataset", *TINY, "--out", MISSING, "none"],
    "weft data benchmark": ["weft", "data", "benchmark", *TINY, "--out", MISSING, "none"],
    "weft data validation": ["weft", "data", "validation", *TINY, "--out", MISSING, "none"],
    "weft score-run": ["weft", "score-run", *TINY, "--run", "base", "--rules", "d1"],
    "weft score": ["weft", "score", "--benchmark", "gsm8k", "--out", f"{MISSING}.jsonl", MISSING],
    "weft merge": ["weft", "merge", "--questions", MISSING, "--out", f"{MISSING}/out", MISSING],
    "weft report tables": ["weft", "report", "tables", *REPORT],
    "weft report figures": ["weft", "report", "figures", *REPORT],
    "weft report page": ["weft", "report", "page", *REPORT, "--figures", MISSING],
}
"""Arguments of ``python -m`` for the commands that need no model."""

HEAVY = {
    "weft sample": ["weft", "sample", *SAMPLE, "--gen-length", "32"],
    "weft trace": ["weft", "trace", *TINY, "--base", MISSING, "--questions", MISSING],
    "weft export": ["weft", "export", "--base", MISSING, "--out", f"{MISSING}/out"],
    "weft train": ["weft", "train", *TRAIN, "--device", "cpu"],
    "weft curve": ["weft", "curve", *CURVE],
    "weft probe": ["weft", "probe", *PREPARED],
    "weft gradients": ["weft", "gradients", *PREPARED],
    "weft data prepare": ["weft", "data", "prepare", *PREPARE],
    "weft data check": ["weft", "data", "check", *PREPARE, *missing("--questions")],
    "weft data base": ["weft", "data", "base", *TINY, *missing("--out", "--retrained")],
    "weft pretrain": ["weft", "pretrain", "--experiment", "paper", "--out", MISSING],
    "weft doctor": ["weft", "doctor"],
    "a rank of weft train": ["weft.training.rank", MISSING],
}
"""Arguments of ``python -m`` for the commands that need torch."""

NOTHING, TORCH = "pass", "import torch"


def bench_startup(*, rounds: int = 3) -> Iterator[str]:
    """Measure the start of each command, in turns.

    Args:
        rounds: number of starts of each command; the median counts.

    Yields:
        Lines of text.

    Raises:
        WeftError: a command ended otherwise than expected.
    """
    commands = {name: ["-c", name] for name in (NOTHING, TORCH)}
    commands |= {name: ["-m", *arguments] for name, arguments in (LIGHT | HEAVY).items()}
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, arguments in commands.items():
            seconds[name].append(processor_seconds(arguments))
    # The first round may read the libraries from the disk; it is not counted.
    medians = {name: statistics.median(taken[1:]) for name, taken in seconds.items()}
    yield f"processor time until the work begins, median of {rounds} starts; the goal of --help is 0.5 s"
    for reference, verbs in ((NOTHING, LIGHT), (TORCH, HEAVY)):
        yield f"compared with {medians[reference]:.2f} s of python -c {reference!r}:"
        for name in verbs:
            ratio = medians[name] / medians[reference]
            yield f"  {name:<24} {medians[name]:.2f} s, ratio {ratio:.1f}"


def processor_seconds(arguments: Sequence[str]) -> float:
    """Return the processor time of a Python process, user and system, with its children.

    Args:
        arguments: arguments of the interpreter.

    Returns:
        The time in seconds.

    Raises:
        WeftError: the process ended with a code other than 0 or 2, the code of an expected error.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode not in (0, 2) or "Traceback" in run.stderr:
        raise WeftError(f"{arguments} must end with code 0 or 2, got {run.returncode}: {run.stderr[-500:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
