"""Find the checkpoint directory that an experiment starts from."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weft.config.sources import BaseModelSource, HubModel, LocalModel, ScratchModel
from weft.data.remote import check_sha256, fetch_hub_model
from weft.errors import DataError

PROVENANCE_FILE = "provenance.json"
"""Beside a shipped model: where it comes from, and the hash of each file."""
RECIPE_FILE = "pretraining.json"
"""Beside a model trained here: the recipe and the last log."""


def locate_base(source: BaseModelSource, *, offline: Sequence[str], pins: Path | None = None) -> Path:
    """Return the directory of the base model, downloaded if need be.

    Args:
        source: where the experiment says that it comes from.
        offline: folders searched before any download.
        pins: lock file of the experiment, see `weft.config.pins`.

    Raises:
        DataError: it is missing, unreachable or damaged, or a shipped model follows another recipe.
    """
    if isinstance(source, HubModel):
        return fetch_hub_model(source, offline=offline, pins=pins)
    if isinstance(source, LocalModel):
        folder = Path(source.path)
        if not folder.is_dir():
            raise DataError(f"base_model.path must be a checkpoint directory, {folder} is none")
        return folder
    return _shipped(source)


def _read_notes(path: Path) -> dict[str, Any]:
    try:
        notes: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(
            f"the shipped base model must have a readable {path}: {error}; restore it with git"
        ) from error
    return notes


def _shipped(source: ScratchModel) -> Path:
    assert source.shipped is not None, "the schema demands a folder where use is 'shipped'"
    assert source.shipped_sha256 is not None, "the schema demands a hash where use is 'shipped'"
    folder = Path(source.shipped)
    weights, notes = folder / "model.safetensors", folder / RECIPE_FILE
    missing = [str(file) for file in (weights, notes) if not file.is_file()]
    if missing:
        raise DataError(
            f"the shipped base model must have {missing[0]}, not found; restore it with git, or set "
            "base_model.use: retrained to train it anew"
        )
    check_sha256(weights, source.shipped_sha256, name=str(weights))
    made = _read_notes(notes)
    for name, sha256 in _read_notes(folder / PROVENANCE_FILE)["sha256"].items():
        check_sha256(folder / name, sha256, name=str(folder / name))
    made_by = made["recipe"]
    wanted = source.recipe.model_dump(mode="json")
    changed = sorted(key for key in wanted if made_by.get(key) != wanted[key])
    if changed:
        raise DataError(
            f"the shipped base model was made by another recipe: {changed} differ from base_model.recipe; "
            "set base_model.use: retrained to train it by the new one"
        )
    return folder
