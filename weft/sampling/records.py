"""Generation records: one JSON line an example, on disk as soon as it is made, resumed where they stop.

A record has these fields:

    example_id       the question's, see `weft.data.benchmarks`
    benchmark        name of the benchmark
    question         text of the question
    reference        the right answer, as the benchmark's scorer wants it
    generation       text of the whole canvas, special tokens included
    gen_length       length of the canvas, in tokens
    diffusion_steps  denoising steps of a canvas; with a confidence threshold the largest number
    block_length     length of one block, in tokens
    num_forward      denoising steps that this answer took; fewer where it ended early or a threshold decided
    ended_early      whether the canvas behind a block with end-of-text was filled in and not denoised
    seed             training seed of the model; null for the base model
    model            experiment and run
    digest           of what the answer depends on: settings, questions, model
    approximate      only where sampling is approximate: how, such as "dual cache, threshold 0.9"

While a job runs they lie in a hidden file beside the output, in the order in which answers are
completed.  The output has them in the order of the questions, and appears when all are there.
"""

import glob
import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

Record = dict[str, Any]


def partial_path(out: Path, digest: str) -> Path:
    """Name the growing file of a job; the digest keeps records of other settings apart.

    It lies beside the output but is not declared to Snakemake, which deletes incomplete outputs.
    """
    return out.with_name(f".{out.name}.{digest[:12]}.partial")


def read_partial(path: Path) -> tuple[dict[str, Record], int]:
    """Read the records of an interrupted job, up to a line that a kill cut off.

    Returns:
        The records by example, and how many bytes of the file they take.
    """
    records: dict[str, Record] = {}
    num_bytes = 0
    for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        try:
            record = json.loads(line)
            is_whole = line.endswith(b"\n") and record["example_id"] not in records
        except (ValueError, TypeError, KeyError):
            break
        if not is_whole:
            break
        records[record["example_id"]] = record
        num_bytes += len(line)
    return records, num_bytes


class RecordWriter:
    """Keep each record as it is made; give the file its name and order when all are there.

    Args:
        out: the file to make.
        digest: of everything that the records depend on.

    Attributes:
        done: records of this job so far, by example, those of an interrupted run included.
    """

    def __init__(self, out: Path, *, digest: str) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        self.out = out
        self.partial = partial_path(out, digest)
        self.done, num_bytes = read_partial(self.partial)
        self._file = self.partial.open("ab")
        self._file.truncate(num_bytes)

    def __enter__(self) -> "RecordWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, record: Record) -> None:
        """Write a record, and return when it is on disk."""
        assert record["example_id"] not in self.done, "an example is answered once"
        self._file.write(to_line(record).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self.done[record["example_id"]] = record

    def finish(self, order: Sequence[str]) -> None:
        """Write the output in an order of the examples and remove what interrupted jobs left for it."""
        write_records([self.done[example_id] for example_id in order], self.out)
        self._file.close()
        for partial in self.out.parent.glob(f".{glob.escape(self.out.name)}.*.partial"):
            partial.unlink()


def write_records(records: Sequence[Record], out: Path) -> None:
    """Write records through a temporary file, which gets its name when it is on disk."""
    out.parent.mkdir(parents=True, exist_ok=True)
    growing = out.with_name(f".{out.name}.new")
    with growing.open("wb") as file:
        file.writelines(to_line(record).encode() for record in records)
        file.flush()
        os.fsync(file.fileno())
    growing.replace(out)


def to_line(record: Record) -> str:
    """Write a record as one line of JSON; text that is no valid Unicode survives as escapes."""
    return json.dumps(record, ensure_ascii=True, allow_nan=False) + "\n"
