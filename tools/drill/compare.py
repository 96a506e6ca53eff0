"""Comparison of a finished run with the undisturbed one, and what must not be left beside the results."""

import re
from collections.abc import Mapping
from pathlib import Path

from weft.layout import PROVENANCE_ENDING, STORE_ENDING, TIMING_FILE
from weft.provenance import file_sha256

UNCOMPARED = re.compile(
    rf"(logs|timings|trackers)/.*|tables/costs\..*|figures/time_per_step\..*|report/[^/]*"
    rf"|.*/{re.escape(TIMING_FILE)}"
    rf"|.*{re.escape(PROVENANCE_ENDING)}"
)
"""Files that contain wall times or the machine: logs, costs, the page, and provenance. Hidden files are not
compared either."""
KEPT_ENDINGS = (
    ".lock",
    ".digests.json",
    ".snakemake_timestamp",
    STORE_ENDING,
    ".passed",
    ".done",
    ".verified",
)
"""Endings of hidden files and folders that a finished run keeps (docs/what-runs-again.md)."""


def digest_results(root: Path) -> dict[str, str]:
    """Return the SHA-256 of each result of an experiment that depends on its settings only.

    Args:
        root: the results folder.

    Returns:
        Path below the folder -> SHA-256.
    """
    names = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return {
        str(name): file_sha256(root / name)
        for name in sorted(names)
        if not any(part.startswith(".") for part in name.parts) and not UNCOMPARED.fullmatch(str(name))
    }


def list_differences(expected: Mapping[str, str], root: Path) -> list[str]:
    """Return a line for each result that is missing, new, or has other bytes than in the undisturbed run."""
    actual = digest_results(root)
    return [
        f"{'missing' if name not in actual else 'new' if name not in expected else 'other bytes'}: {name}"
        for name in sorted(expected.keys() | actual.keys())
        if expected.get(name) != actual.get(name)
    ]


def list_leftovers(root: Path) -> list[str]:
    """Return the hidden files and folders below a results folder that a finished run does not keep."""
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob(".*")
        if not path.name.endswith(KEPT_ENDINGS)
        and not any(parent.name.startswith(".") for parent in path.relative_to(root).parents if parent.name)
        and path.name != ".probes"
    )


def read_answers(root: Path) -> dict[str, set[bytes]]:
    """Return the answers that are stored so far: path of the store -> its complete lines."""
    return {
        str(path.relative_to(root)): {
            line for line in path.read_bytes().splitlines(True) if line.endswith(b"\n")
        }
        for path in root.rglob(f".*{STORE_ENDING}")
    }
