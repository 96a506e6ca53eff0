import json

import pytest

from tests.support.models import tiny_config
from weft.errors import CheckpointError
from weft.model import read_config
from weft.model.checkpoint import find_family

LAYOUT = find_family("llada")


def test_names_are_the_published_ones():
    assert LAYOUT.to_published_name("model.layers.3.self_attn.o_proj.weight") == (
        "model.transformer.blocks.3.attn_out.weight"
    )
    assert LAYOUT.to_published_name("model.layers.3.mlp.down_proj.weight") == (
        "model.transformer.blocks.3.ff_out.weight"
    )
    assert LAYOUT.to_published_name("lm_head.weight") == "model.transformer.ff_out.weight"


def test_the_published_fields_come_back_as_published(shared_data):
    folder = shared_data / "llada_tokenizer"
    published = json.loads((folder / "config.json").read_text())
    published.pop("transformers_version")
    assert LAYOUT.to_fields(read_config(folder)) == published


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("alibi", True),
        ("rope_full_precision", False),
        ("multi_query_attention", True),
        ("clip_qkv", 8.0),
        ("residual_dropout", 0.1),
        ("weight_tying", True),
        ("layer_norm_type", "default"),
        ("include_qkv_bias", True),
    ],
)
def test_another_network_is_refused(tokenizer, field, value):
    fields = LAYOUT.to_fields(tiny_config(tokenizer)) | {field: value}
    with pytest.raises(CheckpointError, match=f"'{field}': {value!r}"):
        LAYOUT.check(fields, "here")


def test_key_value_heads_default_to_heads_and_must_divide_them(tokenizer):
    fields = LAYOUT.to_fields(tiny_config(tokenizer))
    assert LAYOUT.to_config(fields | {"n_kv_heads": None}).num_key_value_heads == 2
    assert LAYOUT.to_config(fields | {"n_kv_heads": 1}).num_key_value_heads == 1
    with pytest.raises(CheckpointError, match="n_heads must be a multiple of n_kv_heads"):
        LAYOUT.check(fields | {"n_heads": 4, "n_kv_heads": 3}, "here")


def test_the_matrix_may_have_more_rows_than_the_vocabulary(tokenizer):
    fields = LAYOUT.to_fields(tiny_config(tokenizer)) | {"vocab_size": 390, "embedding_size": 448}
    assert LAYOUT.to_config(fields).vocab_size == 448
