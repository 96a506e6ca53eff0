"""Find the checkpoint directory that an experiment starts from."""

import json
from collections.abc import Sequence
from pathlib import Path

from weft.config.sources import BaseModelSource, HubModel, LocalModel, ScratchModel
from weft.data.remote import check_sha256, fetch_hub_model
from weft.errors import DataError

RECIPE_FILE = "pretraining.json"
"""Beside a model trained here: the recipe and the last log."""


def locate_base(source: BaseModelSource, *, offline: Sequence[str]) -> Path:
    """Return the directory of the base model, downloaded if need be.

    Args:
        source: where the experiment says that it comes from.
        offline: folders searched before any download.

    Raises:
        DataError: it is missing, unreachable or damaged, or a shipped model follows another recipe.
    """
    if isinstance(source, HubModel):
        return fetch_hub_model(source, offline=offline)
    if isinstance(source, LocalModel):
        folder = Path(source.path)
        if not folder.is_dir():
            raise DataError(f"base_model.path must be a checkpoint directory, {folder} is none")
        return folder
    return _shipped(source)


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
    made_by = json.loads(notes.read_text())["recipe"]
    wanted = source.recipe.model_dump(mode="json")
    changed = sorted(key for key in wanted if made_by.get(key) != wanted[key])
    if changed:
        raise DataError(
            f"the shipped base model was made by another recipe: {changed} differ from base_model.recipe; "
            "set base_model.use: retrained to train it by the new one"
        )
    return folder
