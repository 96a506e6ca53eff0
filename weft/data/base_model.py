"""Find the checkpoint directory that an experiment starts from."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from weft.config.places import find_path
from weft.config.sources import BaseModelSource, HubModel, LocalModel, ScratchModel
from weft.data.hub import fetch_hub_model
from weft.data.offline import check_sha256
from weft.errors import DataError
from weft.records import JsonObject, Record
from weft.records.files import read_json

RECIPE_FILE = "pretraining.json"
"""File in the checkpoint directory of a pretrained model with its recipe and its last log entry."""


TEXT_ENDINGS = (".json", ".jinja")
"""Endings of the text files of a checkpoint."""


class _ShippedFiles(Record):
    sha256: Mapping[str, str]


class _Pretrained(Record):
    recipe: JsonObject


def locate_base(
    source: BaseModelSource, *, offline: Sequence[str], pins: Path | None = None, key: str = "base_model"
) -> Path:
    """Find the base model, and download it if necessary.

    Args:
        source: source of the base model in the experiment.
        offline: folders searched before a download.
        pins: lock file of the experiment, see `weft.data.pins`.
        key: place of the source in the experiment, for messages.

    Returns:
        The checkpoint directory of the model.

    Raises:
        DataError: the model is missing, unreachable or damaged, or the recipe differs from that of the
            shipped model.
    """
    if isinstance(source, HubModel):
        return fetch_hub_model(source, offline=offline, pins=pins)
    if isinstance(source, LocalModel):
        folder = find_path(source.path)
        if not folder.is_dir():
            raise DataError(f"{key}.path must be a directory, got {source.path}; correct the path")
        return folder
    return _find_shipped(source)


def _has_other_line_ends(path: Path, sha256: str) -> bool:
    """Return True if a text file differs from the recorded one only by the line ends of Windows.

    An editor, or a copy of the repository made without its .gitattributes, may have written them. JSON and
    templates mean the same with both.
    """
    if path.suffix not in TEXT_ENDINGS or not path.is_file():
        return False
    content = path.read_bytes()
    with_line_feeds = content.replace(b"\r\n", b"\n")
    return with_line_feeds != content and hashlib.sha256(with_line_feeds).hexdigest() == sha256


def _find_shipped(source: ScratchModel) -> Path:
    """Return the directory of the shipped base model, after checking its files and its recipe."""
    assert source.shipped is not None, "the settings require a folder if use is 'shipped'"
    assert source.shipped_sha256 is not None, "the settings require a hash if use is 'shipped'"
    remedy = "restore it with git, or set base_model.use: retrained to train it again"
    folder = find_path(source.shipped)
    recipe = read_json(folder / RECIPE_FILE, _Pretrained, remedy=remedy).recipe
    shipped = read_json(folder / "provenance.json", _ShippedFiles, remedy=remedy)
    for name, sha256 in {**shipped.sha256, "model.safetensors": source.shipped_sha256}.items():
        if not _has_other_line_ends(folder / name, sha256):
            check_sha256(folder / name, sha256, name=str(folder / name))
    wanted = source.recipe.model_dump(mode="json")
    changed = sorted(key for key in wanted if recipe.get(key) != wanted[key])
    if changed:
        raise DataError(
            f"base_model.recipe must be the recipe of the shipped base model, but {changed} differ; "
            "set base_model.use: retrained to train a model with the new recipe"
        )
    return folder
