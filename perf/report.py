"""Measure the report of a large experiment: tables, figures and page.

The results are made up: 101 runs with 12 score files of 1,319 answers each. Each command runs as a process of
its own; its processor time is compared with that of pandas reading the same score files.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from weft.cli.shared import load_fine_tuning
from weft.config import FineTuning
from weft.errors import WeftError
from weft.layout import ResultLayout, provenance_file
from weft.provenance import file_sha256, write_provenance
from weft.records import Generation, Provenance, ScoredExample, StepMetrics, Timing, Verdict
from weft.records.files import read_json, write_json, write_lines, write_text

NUM_SEEDS, NUM_QUESTIONS = 50, 1319
LENGTHS = [64, 96, 128]
NUM_VARIANTS = 7
"""Number of different score files of a benchmark; the runs take them in turns."""
NUM_STEPS = 200
NUM_TOKENS = 20_000
MOST_SECONDS, MOST_BYTES = 120, 2 * 10**9
"""Goal for the processor time of the three commands together, and for the memory of each."""
READ = """
import pandas, pathlib, sys
for path in pathlib.Path(sys.argv[1]).rglob("*.jsonl"):
    pandas.read_json(path, lines=True)
"""
LAUNCHER = """
import json, os, subprocess, sys
process = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=sys.stderr)
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
print(json.dumps([usage.ru_utime + usage.ru_stime, usage.ru_maxrss]))
sys.exit(process.returncode)
"""
"""A small process that starts the measured one, since the memory of the starting process counts, too."""


@dataclass(frozen=True)
class Usage:
    """Use of a finished process.

    Attributes:
        seconds: processor time, user and system.
        peak_bytes: largest resident memory.
    """

    seconds: float
    peak_bytes: int


def bench_report(*, num_seeds: int = NUM_SEEDS, num_questions: int = NUM_QUESTIONS) -> Iterator[str]:
    """Measure the three commands of the report.

    Args:
        num_seeds: training seeds of each of the two methods.
        num_questions: questions of each of four benchmarks, at each of three lengths.

    Yields:
        Lines of text.

    Raises:
        WeftError: a command failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        experiment, layout = write_tree(Path(folder), num_seeds=num_seeds, num_questions=num_questions)
        described = Path(folder) / "large.yaml"
        common = ["--experiment", str(described), str(layout.root)]
        figures = str(layout.figure("").parent)
        reference = use_of(["-c", READ, str(layout.all_scores)])
        commands = {
            "tables": ["--out", str(layout.table("").parent)],
            "figures": ["--out", figures],
            "page": ["--figures", figures, "--out", str(layout.page)],
        }
        num_files = len(experiment.runs) * len(experiment.benchmark_names) * len(LENGTHS)
        yield (
            f"processor time of the report of {len(experiment.runs)} runs, {num_files} score files of "
            f"{num_questions} answers; compared with {reference.seconds:.1f} s of pandas reading these files:"
        )
        total, peak = 0.0, 0
        for name, options in commands.items():
            used = use_of(["-m", "weft", "report", name, *common, *options])
            total, peak = total + used.seconds, max(peak, used.peak_bytes)
            yield f"  weft report {name:<12} {_line(used, reference)}"
        yield (
            f"  together                 {total:.1f} s, ratio {total / reference.seconds:.2f}; the goal is "
            f"{MOST_SECONDS} s and {MOST_BYTES / 10**9:g} GB, the largest was {peak / 10**9:.2f} GB"
        )


def _line(used: Usage, reference: Usage) -> str:
    ratio = used.seconds / reference.seconds
    return f"{used.seconds:.1f} s, ratio {ratio:.2f}, {used.peak_bytes / 10**9:.2f} GB"


def use_of(arguments: Sequence[str]) -> Usage:
    """Run a Python process and return what it used.

    Args:
        arguments: arguments of the interpreter.

    Returns:
        Processor time and memory.

    Raises:
        WeftError: the process failed.
    """
    command = [sys.executable, "-c", LAUNCHER, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise WeftError(f"{arguments} must end with code 0, got {run.returncode}: {run.stderr[-500:]}")
    seconds, kilobytes = json.loads(run.stdout)
    return Usage(seconds, 1024 * kilobytes)


def write_tree(folder: Path, *, num_seeds: int, num_questions: int) -> tuple[FineTuning, ResultLayout]:
    """Write an experiment, as ``large.yaml``, and all results that its report reads.

    Args:
        folder: folder to write to.
        num_seeds: training seeds.
        num_questions: questions of each benchmark.

    Returns:
        The experiment and its results.
    """
    experiment = _describe(folder / "large.yaml", num_seeds, num_questions)
    layout = ResultLayout(folder / "large")
    rng = np.random.default_rng(1)
    for benchmark in experiment.benchmark_names:
        variants = [
            "".join(score.as_line() for score in _scores(benchmark, num_questions, rng))
            for _ in range(NUM_VARIANTS)
        ]
        for number, run in enumerate(experiment.runs):
            for place, length in enumerate(LENGTHS):
                path = layout.scores("d1", run.run_id, benchmark, length)
                write_text(path, variants[(number + place) % NUM_VARIANTS])
        first = layout.samples(experiment.run_ids[0], benchmark, LENGTHS[0])
        write_lines(first, _answers(benchmark, num_questions))
        for run_id in experiment.run_ids:
            for length in LENGTHS:
                path = layout.samples(run_id, benchmark, length)
                if path != first:  # all runs share the file, which saves a gigabyte
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.hardlink_to(first)
    for run in experiment.trained_runs:
        _write_training(layout, run.run_id, rng)
    for dataset in experiment.dataset_names:
        _write_probe(layout.probe(dataset), rng)
    _write_provenance(experiment, layout)
    return experiment, layout


def _describe(path: Path, num_seeds: int, num_questions: int) -> FineTuning:
    """Write the description of the experiment: tiny with other sizes, without a learning curve."""
    content = load_fine_tuning("tiny").model_dump(mode="json")
    content |= {"name": "large", "scoring": ["d1"], "seeds": list(range(1, num_seeds + 1))}
    content["learning_curve"] = None
    content["sampling"]["gen_lengths"] = LENGTHS
    for benchmark in content["benchmarks"].values():
        benchmark["num_examples"] = num_questions
    write_text(path, json.dumps(content))
    return FineTuning.model_validate(content)


def _scores(benchmark: str, num_questions: int, rng: np.random.Generator) -> Iterator[ScoredExample]:
    weight = 10 if benchmark == "sudoku" else 1
    for number, right in enumerate(rng.binomial(weight, 0.6, num_questions).tolist()):
        details: dict[str, int | bool | None] = {
            "effective_length": 40 + number % 80,
            "has_end": number % 9 > 0,
            "is_closed": number % 7 > 0,
        }
        if benchmark == "sudoku":
            details |= {"num_empty_cells": weight, "num_zero_cells": 0, "num_right_cells": right}
        yield ScoredExample(
            example_id=f"{number:016x}",
            benchmark=benchmark,
            scoring="d1",
            extracted=str(right),
            verdict=Verdict.CORRECT if right == weight else Verdict.WRONG,
            credit=right / weight,
            weight=weight,
            reason="" if right == weight else "the number is not the reference",
            details=details,
        )


def _answers(benchmark: str, num_questions: int) -> Iterator[Generation]:
    for number in range(num_questions):
        yield Generation(
            example_id=f"{number:016x}",
            benchmark=benchmark,
            question=f"How much is {number} plus {number}?",
            reference=str(2 * number),
            generation=f"<reasoning>{number} + {number}</reasoning><answer>{2 * number}</answer>",
        )


def _write_training(layout: ResultLayout, run: str, rng: np.random.Generator) -> None:
    losses = (1 + np.exp(-np.arange(NUM_STEPS) / 50) + 0.1 * rng.standard_normal(NUM_STEPS)).tolist()
    steps = [
        StepMetrics(optimizer_step=number, epoch=number / NUM_STEPS, loss=loss, learning_rate=1e-3)
        for number, loss in enumerate(losses, start=1)
    ]
    write_lines(layout.history(run), steps)
    seconds = 0.2 + 0.01 * float(rng.random())
    timing = {
        "num_steps": NUM_STEPS,
        "train_seconds": NUM_STEPS * seconds,
        "num_processes": 1,
        "device": "cpu",
    }
    write_json(layout.timing(run), Timing.model_validate(timing | {"seconds_per_step": seconds}))


def _write_probe(path: Path, rng: np.random.Generator) -> None:
    words = [f" word{number}" for number in rng.integers(0, 200, NUM_TOKENS).tolist()]
    frame = pd.DataFrame(
        {
            "example_id": [f"e{number // 50}" for number in range(NUM_TOKENS)],
            "token": words,
            "entropy": rng.random(NUM_TOKENS),
            "is_padding": rng.random(NUM_TOKENS) < 0.3,
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(path, index=False)


def _write_provenance(experiment: FineTuning, layout: ResultLayout) -> None:
    """Write the provenance of each result; all but the digest of the result is the same."""
    results = [*layout.root.glob("scores/**/*.jsonl"), *layout.root.glob("samples/**/*.jsonl")]
    results += [*layout.root.glob("runs/*"), *layout.root.glob("probe/*.parquet")]
    write_provenance(results[0], settings=experiment.model_dump(mode="json"), experiment=experiment.name)
    provenance = read_json(provenance_file(results[0]), Provenance)
    for result in results:
        write_json(provenance_file(result), provenance.model_copy(update={"sha256": file_sha256(result)}))
