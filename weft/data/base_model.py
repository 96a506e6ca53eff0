"""Find the checkpoint directory that an experiment starts from."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from weft.config.sources import BaseModelSource, HubModel, LocalModel, ScratchModel
from weft.data.hub import fetch_hub_model
from weft.data.offline import check_sha256
from weft.errors import DataError
from weft.records import JsonObject, Record
from weft.records.files import read_json

PROVENANCE_FILE = "provenance.json"
"""File of a shipped model that tells its origin and the hash of each of its files."""
RECIPE_FILE = "pretraining.json"
"""File of a model trained by weft that holds its recipe and the last entry of its log."""


class _ShippedFiles(Record):
    sha256: Mapping[str, str]


class _Pretrained(Record):
    recipe: JsonObject


def locate_base(source: BaseModelSource, *, offline: Sequence[str], pins: Path | None = None) -> Path:
    """Find the base model, and download it if necessary.

    Args:
        source: where the base model comes from.
        offline: folders searched before a download.
        pins: lock file of the experiment, see `weft.data.pins`.

    Returns:
        Its checkpoint directory.

    Raises:
        DataError: the model is missing, unreachable or damaged, or a shipped model was trained by another
            recipe.
    """
    if isinstance(source, HubModel):
        return fetch_hub_model(source, offline=offline, pins=pins)
    if isinstance(source, LocalModel):
        folder = Path(source.path)
        if not folder.is_dir():
            raise DataError(
                f"base_model.path must be a checkpoint directory, got {folder}, which is not a directory; "
                "correct the path"
            )
        return folder
    return _find_shipped(source)


def _find_shipped(source: ScratchModel) -> Path:
    assert source.shipped is not None, "the settings require a folder if use is 'shipped'"
    assert source.shipped_sha256 is not None, "the settings require a hash if use is 'shipped'"
    remedy = "restore it with git, or set base_model.use: retrained to train it again"
    folder = Path(source.shipped)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise DataError(f"the shipped base model must have a file {weights}, got none; {remedy}")
    check_sha256(weights, source.shipped_sha256, name=str(weights))
    recipe = read_json(folder / RECIPE_FILE, _Pretrained, remedy=remedy).recipe
    for name, sha256 in read_json(folder / PROVENANCE_FILE, _ShippedFiles, remedy=remedy).sha256.items():
        check_sha256(folder / name, sha256, name=str(folder / name))
    wanted = source.recipe.model_dump(mode="json")
    changed = sorted(key for key in wanted if recipe.get(key) != wanted[key])
    if changed:
        raise DataError(
            f"base_model.recipe must be the recipe of the shipped base model, but {changed} differ; "
            "set base_model.use: retrained to train it by the new recipe"
        )
    return folder
