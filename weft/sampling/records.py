"""Generation records: one JSON line an example, written as they are made, resumed where they stop."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any


def partial_path(out: Path, digest: str) -> Path:
    """Name the growing file of a job; the digest keeps records of other settings apart.

    It lies beside the output but is not declared to Snakemake, which deletes incomplete outputs.
    """
    return out.with_name(f".{out.name}.{digest[:12]}.partial")


def read_complete(path: Path, *, batch_size: int) -> list[dict[str, Any]]:
    """Read the records of all whole batches; a line cut off by a kill ends the reading.

    Only whole batches count, so that a resumed job forms the same batches as an undisturbed one and
    writes the same bytes.
    """
    records: list[dict[str, Any]] = []
    if path.exists():
        for line in path.read_bytes().split(b"\n")[:-1]:
            try:
                records.append(json.loads(line))
            except ValueError:
                break
    return records[: len(records) - len(records) % batch_size]


def in_batches(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cut a sequence into consecutive batches."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class RecordWriter:
    """Append records to the partial file, flushed to disk per batch; rename when finished."""

    def __init__(self, out: Path, *, digest: str, batch_size: int) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        self.out = out
        self.partial = partial_path(out, digest)
        self.done = read_complete(self.partial, batch_size=batch_size)
        text = "".join(to_line(record) for record in self.done)
        temporary = self.partial.with_suffix(".new")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(self.partial)

    def append(self, records: Iterable[dict[str, Any]]) -> None:
        """Write one batch of records."""
        with self.partial.open("a", encoding="utf-8") as file:
            file.writelines(to_line(record) for record in records)
            file.flush()
            os.fsync(file.fileno())

    def finish(self) -> None:
        """Give the file its final name."""
        self.partial.replace(self.out)


def to_line(record: dict[str, Any]) -> str:
    """Write a record as one line of JSON; text that is no valid Unicode survives as escapes."""
    return json.dumps(record, ensure_ascii=True, allow_nan=False) + "\n"
