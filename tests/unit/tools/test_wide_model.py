"""The stand-in checkpoint of true width is like the published one in everything but its values."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file

from tests.support.published import PUBLISHED
from tools.rehearse_wide import CHANGES, Sizes, experiment_fields
from tools.wide_model import (
    SPECIAL_IDS,
    WEIGHT_RMS,
    llada_8b_config,
    random_bf16,
    stand_in_tokenizer,
    write_bf16,
)
from weft.config import load_experiment
from weft.model import load_tokenizer
from weft.model.checkpoint import find_family


@pytest.fixture(scope="module")
def stand_in():
    return stand_in_tokenizer()


def test_the_configuration_is_the_published_one():
    fields = find_family("llada").to_fields(llada_8b_config())
    published = PUBLISHED["llada"].fields
    assert {name: fields[name] for name in published} == published


def test_the_special_ids_are_those_of_the_published_tokenizer(stand_in, shared_data):
    stored = json.loads((shared_data / "llada_tokenizer/tokenizer_config.json").read_text())
    published = {entry["content"]: int(number) for number, entry in stored["added_tokens_decoder"].items()}
    assert {token: published[token] for token in SPECIAL_IDS} == SPECIAL_IDS
    assert len(stand_in) == max(published.values()) + 1


def test_the_tokenizer_is_loaded_like_the_published_one(stand_in, tmp_path):
    stand_in.save_pretrained(tmp_path)
    tokenizer = load_tokenizer(tmp_path, mask_token_id=126336)
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL_IDS)) == list(SPECIAL_IDS.values())
    assert (tokenizer.mask_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id) == (
        126336,
        126081,
        126081,
    )
    text = "What is 12 and 7?"
    ids = tokenizer(f"{text}<|eot_id|>")["input_ids"]
    assert ids[-1] == 126348
    assert tokenizer.decode(ids[:-1]) == text
    assert tokenizer.convert_ids_to_tokens(126463) is None


def test_random_tensors_have_the_stated_size(tmp_path):
    write_bf16(
        tmp_path / "a.safetensors", {"w": (300, 500), "scale": (7,)}, random_bf16(np.random.default_rng(0))
    )
    tensors = load_file(tmp_path / "a.safetensors")
    assert tensors["scale"].tolist() == [1.0] * 7
    weights = tensors["w"].double()
    assert weights.shape == (300, 500)
    assert weights.square().mean().sqrt().item() == pytest.approx(WEIGHT_RMS, rel=0.01)
    assert weights.mean().abs().item() < 1e-3
    assert weights.abs().aminmax() == (2**-6, 2**-5 * 255 / 256)


def test_the_experiment_differs_from_the_paper_only_where_it_is_listed(tmp_path):
    paper = yaml.safe_load(Path("experiments/paper.yaml").read_text())
    fields = experiment_fields(tmp_path, Sizes(max_length=512))
    (tmp_path / "wide.yaml").write_text(yaml.safe_dump(fields))
    load_experiment(tmp_path / "wide.yaml")
    changed = {name for name in paper if fields[name] != paper[name]}
    assert changed == {*CHANGES, "name", "base_model"}
    for section, own in (
        ("training", {"max_length"}),
        ("sampling", {"gen_lengths", "block_length", "tokens_per_step"}),
    ):
        keys = {key for key in fields[section] if fields[section][key] != paper[section][key]}
        assert keys == CHANGES[section].keys() | own
