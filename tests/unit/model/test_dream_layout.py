import pytest

from tests.support.published import PUBLISHED
from weft.errors import CheckpointError
from weft.model import read_config
from weft.model.checkpoint import find_family

LAYOUT = find_family("dream")

SIZES = PUBLISHED["dream"].fields


def test_the_stored_small_configuration_is_read(shared_data):
    config = read_config(shared_data / "reference" / "dream_small")
    assert (config.num_key_value_heads, config.mask_token_id) == (2, 140)
    assert config.rope_parameters["rope_theta"] == 1e6


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("use_sliding_window", True),
        ("hidden_act", "gelu"),
        ("tie_word_embeddings", True),
        ("attention_dropout", 0.1),
        ("use_mrope", True),
        ("block_size", 32),
    ],
)
def test_another_network_is_refused(field, value):
    with pytest.raises(CheckpointError, match=f"'{field}': {value!r}"):
        LAYOUT.check(SIZES | {field: value}, "here")


@pytest.mark.parametrize("field", ["rope_scaling", "rope_parameters"])
@pytest.mark.parametrize("word", ["rope_type", "type"])
def test_scaled_positions_are_refused(field, word):
    with pytest.raises(CheckpointError, match=f"{field} must be of type 'default', got 'yarn'"):
        LAYOUT.check(SIZES | {field: {word: "yarn", "factor": 4.0}}, "here")


def test_the_rotary_base_stands_in_the_older_or_the_newer_place():
    without = {name: value for name, value in SIZES.items() if name != "rope_theta"}
    newer = without | {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}
    LAYOUT.check(newer, "here")
    assert LAYOUT.to_config(newer).rope_parameters["rope_theta"] == 5e5
    for fields in (without, newer | {"rope_theta": 1e6}):
        with pytest.raises(CheckpointError, match="must have one rope_theta"):
            LAYOUT.check(fields, "here")


def test_heads_of_another_width_are_refused():
    LAYOUT.check(SIZES | {"head_dim": 128}, "here")
    with pytest.raises(CheckpointError, match="head_dim must be 128, got 64"):
        LAYOUT.check(SIZES | {"head_dim": 64}, "here")
