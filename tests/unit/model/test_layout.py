import json

import pytest

from weft.errors import CheckpointError
from weft.model import read_config
from weft.model.checkpoint import find_layout

SIZE = {"llada": "d_model", "dream": "hidden_size"}
HEADS = {"llada": "n_heads", "dream": "num_attention_heads"}


def test_every_tensor_has_a_published_name_and_the_way_back(predictor):
    layout = find_layout(predictor)
    names = list(predictor.state_dict())
    published = [layout.to_published_name(name) for name in names]
    assert len(set(published)) == len(names)
    assert [layout.to_our_name(name) for name in published] == names


@pytest.mark.parametrize(
    "name",
    [
        "surprise.weight",
        "model.layers.0.mlp.weight",
        "model.transformer.x.weight",
        "model.transformer.blocks.0.x.weight",
    ],
)
def test_names_of_no_tensor_are_not_translated(predictor, name):
    assert find_layout(predictor).to_our_name(name) is None


def test_fields_survive_the_way_there_and_back(predictor):
    layout = find_layout(predictor)
    fields = layout.to_fields(predictor.config)
    layout.check(fields, "here")
    assert layout.to_fields(layout.to_config(fields)) == fields


def test_a_missing_size_is_named(directory, family):
    model_type = {"llada": "llada", "dream": "Dream"}[family]
    (directory / "config.json").write_text(json.dumps({"model_type": model_type}))
    with pytest.raises(CheckpointError, match=rf"must have the fields .*'{SIZE[family]}'"):
        read_config(directory)


@pytest.mark.parametrize("value", [None, "32", 0, -1, True])
def test_a_size_must_be_a_positive_number(directory, family, edit_json, value):
    edit_json(directory / "config.json", **{SIZE[family]: value})
    with pytest.raises(CheckpointError, match=rf"must be positive numbers, got \{{'{SIZE[family]}'"):
        read_config(directory)


def test_heads_must_divide_the_width(directory, family, edit_json):
    edit_json(directory / "config.json", **{HEADS[family]: 3})
    with pytest.raises(CheckpointError, match=rf"{SIZE[family]} must be a multiple of {HEADS[family]}"):
        read_config(directory)
