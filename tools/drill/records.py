"""What a drill has done so far, as a file, and the table of its outcome."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from weft.records.base import Record
from weft.records.files import read_lines

DONE, RUNS = "faults.jsonl", "runs.jsonl"


class FaultRecord(Record):
    """A fault that was survived, or not."""

    number: int
    """Number of the fault in the drill."""
    run: int
    """Number of the run from scratch in which it happened."""
    kind: str
    """Kind of interruption."""
    num_events: int
    """Number of events after which it came."""
    exit_code: int
    """Exit code of Snakemake, negative for a signal."""
    damage: str | None
    """What was done to which file afterwards, if anything."""
    needed: list[str]
    """What had to be done beside the same command: ``--unlock``."""
    lost_answers: int
    """Stored answers that were gone in the next session."""


class RunRecord(Record):
    """A run from scratch that has come to its end."""

    run: int
    """Number of the run."""
    num_faults: int
    """Number of its interruptions."""
    needed: list[str]
    """What had to be done at the end: the results that had to be named as targets."""
    differences: list[str]
    """Results that differ from those of the undisturbed run, or are missing."""
    repeated: dict[str, int]
    """Rule -> finished jobs beyond those of the undisturbed run."""
    orphans: list[int]
    """Processes that were left."""
    leftovers: list[str]
    """Hidden files of unfinished work, temporary files, and names in shared memory that were left."""
    tampered: str | None = None
    """A changed byte of a finished result, with its date kept, and whether ``weft verify`` named it."""


def read_faults(folder: Path) -> list[FaultRecord]:
    """Return the faults that are done."""
    return read_lines(folder / DONE, FaultRecord) if (folder / DONE).exists() else []


def read_runs(folder: Path) -> list[RunRecord]:
    """Return the runs that have come to their end."""
    return read_lines(folder / RUNS, RunRecord) if (folder / RUNS).exists() else []


def _summarise(texts: Iterable[str]) -> str:
    counted: dict[str, int] = {}
    for text in texts:
        counted[text] = counted.get(text, 0) + 1
    return ", ".join(f"{text} ({count})" for text, count in sorted(counted.items())) or "nothing"


def format_table(kinds: Sequence[str], faults: Sequence[FaultRecord], runs: Sequence[RunRecord]) -> str:
    """Return the outcome of a drill as a table in Markdown, with what went wrong below it.

    Args:
        kinds: kinds of fault, in the order of the rows.
        faults: the faults that are done.
        runs: the runs that have come to their end.

    Returns:
        The text.
    """
    same = {run.run: not run.differences for run in runs}
    lines = [
        "| kind | n | files damaged | needed beside the same command | answers lost | same bytes |",
        "| --- | ---: | ---: | --- | ---: | --- |",
    ]
    for kind in kinds:
        chosen = [fault for fault in faults if fault.kind == kind]
        compared = {fault.run for fault in chosen} & same.keys()
        lines.append(
            f"| {kind} | {len(chosen)} | {sum(fault.damage is not None for fault in chosen)} "
            f"| {_summarise(text for fault in chosen for text in fault.needed)} "
            f"| {sum(fault.lost_answers for fault in chosen)} "
            f"| {sum(same[run] for run in compared)} of {len(compared)} runs |"
        )
    damages = _summarise(fault.damage.partition(":")[0] for fault in faults if fault.damage)
    lines += [
        "",
        f"{len(faults)} faults; same bytes in {sum(same.values())} of {len(runs)} finished runs.",
        f"Damaged files: {damages}.",
    ]
    for run in runs:
        for name, values in (
            ("needed at the end", run.needed),
            ("differs", run.differences),
            ("orphans", run.orphans),
            ("left behind", run.leftovers),
            ("repeated jobs", [f"{rule} {count}" for rule, count in run.repeated.items()]),
            ("tampered", [run.tampered] if run.tampered else []),
        ):
            if values:
                lines.append(f"Run {run.run}, {name}: {', '.join(map(str, values))}")
    return "\n".join(lines)


def is_faultless(runs: Sequence[RunRecord], faults: Sequence[FaultRecord]) -> bool:
    """Return True if nothing was lost, differs or was left behind."""
    return not any(fault.lost_answers for fault in faults) and not any(
        run.differences or run.orphans or run.leftovers for run in runs
    )
