"""A changed byte in a finished result whose date is kept: Snakemake cannot see it, and `weft verify` must."""

import os
import random
import subprocess
import sys
from pathlib import Path

from tools.drill.compare import digest_results
from tools.drill.damage import flip_bit


def is_verifiable() -> bool:
    """Return True if this version of weft has the command ``verify``."""
    command = [sys.executable, "-m", "weft", "verify", "--help"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def tamper(root: Path, seed: int) -> str:
    """Change a bit of a finished result, keep its date, ask `weft verify`, and put the result back.

    Args:
        root: the results folder of a finished experiment.
        seed: seed of the choice of the file.

    Returns:
        The name of the file, and whether it was named.
    """
    before = _verify(root)
    if before.returncode != 0:
        return f"weft verify refuses the untouched results: {_shorten(before.stdout + before.stderr)}"
    generator = random.Random(seed)
    name = generator.choice([name for name in digest_results(root) if (root / name).stat().st_size > 0])
    file = root / name
    content, status = file.read_bytes(), file.stat()
    flip_bit(file, generator)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = _verify(root)
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    failures = [line for line in after.stdout.splitlines() if line.upper().startswith("FAILS")]
    places = (name, f" {Path(name).parent}:")  # a result that is a folder has a digest for all its files
    is_named = after.returncode == 1 and any(place in line for line in failures for place in places)
    return f"{name}: {'named' if is_named else 'NOT named'}"


def _verify(root: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "weft", "verify", str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _shorten(text: str) -> str:
    return " / ".join(text.split("\n"))[-300:]
