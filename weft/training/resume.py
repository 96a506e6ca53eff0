"""Where an interrupted training goes on."""

import json
from pathlib import Path


def latest_checkpoint(state: Path) -> str | None:
    """Find the newest complete checkpoint of the Trainer.

    Args:
        state: folder with ``checkpoint-*`` folders.

    Returns:
        Its path, or None.  The Trainer writes ``trainer_state.json`` last, so a checkpoint without it, or
        with half of it, was cut off by a kill or a full disk.
    """
    complete = [folder for folder in state.glob("checkpoint-*") if _is_complete(folder)]
    return str(max(complete, key=lambda folder: int(folder.name.rpartition("-")[2]))) if complete else None


def _is_complete(folder: Path) -> bool:
    try:
        json.loads((folder / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False
    return True
