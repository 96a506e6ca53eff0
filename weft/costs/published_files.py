"""Rows and sizes of published files, which the plan needs before they are downloaded.

``published_files.csv`` lists paths below an offline folder, whole files or folders; the numbers of a folder
are those of each file in it. ``source`` is where the numbers are from.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class PublishedFile:
    """Rows and size of a published file.

    Attributes:
        num_rows: number of rows; 0 for a file that is not a table.
        megabytes: size, in millions of bytes.
    """

    num_rows: int
    megabytes: float


@cache
def _read_table() -> dict[str, PublishedFile]:
    with resources.files("weft.costs").joinpath("published_files.csv").open(encoding="utf-8") as file:
        return {
            row["path"]: PublishedFile(int(row["num_rows"]), float(row["megabytes"]))
            for row in csv.DictReader(file)
        }


def find_published(path: str) -> PublishedFile | None:
    """Return what is known of a file by its path below an offline folder, or of its folder; else None."""
    table = _read_table()
    matches = [known for known in table if path == known or path.startswith(f"{known}/")]
    return table[max(matches, key=len)] if matches else None
