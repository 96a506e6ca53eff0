import shutil
from pathlib import Path

import pytest

from weft.config import load_experiment
from weft.config.sources import LocalModel
from weft.data.base_model import locate_base
from weft.errors import DataError

SHIPPED = "experiments/tiny-base"


@pytest.fixture
def source():
    return load_experiment("experiments/tiny.yaml").base_model


def test_the_shipped_model_is_complete_and_follows_its_recipe(source):
    assert str(locate_base(source, offline=[])) == SHIPPED


def test_another_recipe_is_refused(source):
    changed = source.model_copy(update={"recipe": source.recipe.model_copy(update={"seed": 99})})
    with pytest.raises(DataError, match=r"base_model.recipe .*\['seed'\].*use: retrained"):
        locate_base(changed, offline=[])


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "pretraining.json", "provenance.json"])
@pytest.mark.parametrize("damage", ["changed", "deleted"])
def test_a_damaged_shipped_model_is_refused(source, tmp_path, name, damage):
    folder = tmp_path / "base"
    shutil.copytree(SHIPPED, folder)
    if damage == "changed":
        (folder / name).write_bytes(b"damaged")
    else:
        (folder / name).unlink()
    with pytest.raises(DataError, match=name):
        locate_base(source.model_copy(update={"shipped": str(folder)}), offline=[])


def test_line_ends_of_windows_do_not_damage_the_shipped_model(source, tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(SHIPPED, folder)
    for file in [*folder.glob("*.json"), *folder.glob("*.jinja")]:
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    changed = source.model_copy(update={"shipped": str(folder)})
    assert locate_base(changed, offline=[]) == folder
    config = folder / "config.json"
    config.write_bytes(config.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(DataError, match=r"config\.json must have sha256"):
        locate_base(changed, offline=[])


def test_the_shipped_model_is_found_from_every_directory(source, tmp_path, monkeypatch):
    shipped = Path(SHIPPED).resolve()
    monkeypatch.chdir(tmp_path)
    assert locate_base(source, offline=[]) == shipped


def test_a_local_model_must_be_a_directory():
    with pytest.raises(DataError, match=r"base_model.path .*nowhere"):
        locate_base(LocalModel(source="path", path="nowhere"), offline=[])
