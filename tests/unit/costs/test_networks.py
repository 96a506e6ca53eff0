import json
from pathlib import Path

import pytest

from weft.config import load_experiment
from weft.costs import PUBLISHED_NETWORKS, read_network
from weft.costs.networks import pretrained_network
from weft.verify.formula import formula_fields, formula_model


@pytest.mark.parametrize("family", ["llada", "dream"])
def test_the_sizes_in_a_checkpoint_are_those_of_the_network(tmp_path, family):
    (tmp_path / "config.json").write_text(json.dumps(formula_fields(family)))
    network = read_network(tmp_path)
    model = formula_model(family)
    assert network.num_parameters == sum(parameter.numel() for parameter in model.parameters())
    assert network.num_layers == model.config.num_hidden_layers
    assert network.num_key_value_heads == model.config.num_key_value_heads


def test_the_published_configuration(shared_data):
    assert read_network(shared_data / "llada_tokenizer") == PUBLISHED_NETWORKS["GSAI-ML/LLaDA-8B-Instruct"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"model_type": "llada"}', '{"model_type": "gpt2", "n_layers": 2}'],
)
def test_an_unknown_configuration_is_left_to_the_job_that_loads_it(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    assert read_network(tmp_path) is None
    assert read_network(tmp_path / "none") is None


@pytest.mark.parametrize(
    "change", [{"d_model": 33}, {"n_layers": -1}, {"n_heads": True}, {"vocab_size": "9"}]
)
def test_sizes_that_are_none_are_not_computed_with(tmp_path, change):
    fields = formula_fields("llada") | change
    fields.pop("embedding_size", None)
    (tmp_path / "config.json").write_text(json.dumps(fields))
    assert read_network(tmp_path) is None


def test_a_model_from_scratch_has_the_sizes_of_its_recipe():
    recipe = load_experiment("experiments/tiny.yaml").base_model.recipe
    assert pretrained_network(recipe) == read_network(Path("experiments/tiny-base"))
