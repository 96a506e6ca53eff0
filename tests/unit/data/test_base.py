import json

import pytest

from weft.config import load_experiment
from weft.config.sources import LocalModel
from weft.data.base import locate_base
from weft.errors import DataError


@pytest.fixture
def source():
    return load_experiment("experiments/tiny.yaml").base_model


def test_the_shipped_model_is_whole_and_follows_its_recipe(source):
    assert locate_base(source, offline=[]).name == "tiny-base"


def test_another_recipe_is_noticed(source):
    changed = source.model_copy(update={"recipe": source.recipe.model_copy(update={"seed": 8})})
    with pytest.raises(DataError, match=r"\['seed'\] differ .*use: retrained"):
        locate_base(changed, offline=[])


def test_damaged_weights_are_noticed(source, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    (tmp_path / "pretraining.json").write_text(json.dumps({"recipe": {}}))
    with pytest.raises(DataError, match="must have sha256"):
        locate_base(source.model_copy(update={"shipped": str(tmp_path)}), offline=[])


def test_a_missing_shipped_model_says_what_to_do(source, tmp_path):
    with pytest.raises(DataError, match="restore it with git, or set"):
        locate_base(source.model_copy(update={"shipped": str(tmp_path)}), offline=[])


def test_a_local_model_must_be_a_directory():
    with pytest.raises(DataError, match="nowhere is none"):
        locate_base(LocalModel(source="path", path="nowhere"), offline=[])
