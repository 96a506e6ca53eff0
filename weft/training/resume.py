"""The state from which an interrupted training resumes."""

import json
import shutil
from pathlib import Path

from weft import layout


def make_state_folder(out: Path, digest: str) -> Path:
    """Create the state folder of a job, whose name contains a digest, and remove those of other digests."""
    folder = layout.state_folder(out, digest)
    for other in out.parent.glob(layout.state_folder(out, "*").name):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def latest_checkpoint(state: Path) -> str | None:
    """Return the path of the newest complete checkpoint of the Trainer, or None.

    The Trainer writes ``trainer_state.json`` last. If this file is missing or incomplete, writing the
    checkpoint was interrupted.
    """
    complete = [folder for folder in state.glob("checkpoint-*") if _is_complete(folder)]
    return str(max(complete, key=lambda folder: int(folder.name.rpartition("-")[2]))) if complete else None


def _is_complete(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False
    return True
