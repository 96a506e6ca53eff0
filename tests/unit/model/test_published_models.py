"""LLaDA-8B and Dream-7B at their true shapes: names, sizes and adapters, without memory for the weights."""

import json
import math
import re
import shutil

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from tests.support.published import PUBLISHED, write_hollow
from weft.config.training import Lora
from weft.errors import CheckpointError
from weft.model import load_adapter, load_model
from weft.model.adapters import check_finetuned, export_adapter
from weft.model.checkpoint import find_family
from weft.training.adapters import add_adapters, lora_settings

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")

NUM_PARAMETERS = {"llada": 8_015_581_184, "dream": 7_615_616_512}
NUM_ADAPTED = {
    "llada": 100_663_296,  # 32 layers x 3 modules x 128 x (4096 + 4096)
    "dream": 55_050_240,  # 28 layers x 128 x ((3584 + 3584) + 2 x (3584 + 512))
}
"""Trainable numbers of LoRA with r=128 on queries, keys and values."""


@pytest.fixture
def published(family):
    return PUBLISHED[family]


@pytest.fixture(scope="module")
def hollows(tmp_path_factory):
    """Checkpoints of both families, shared because the kernel looks at each new file of gigabytes once."""
    folder = tmp_path_factory.mktemp("hollow")
    for name, published in PUBLISHED.items():
        write_hollow(folder / name, published, num_shards=6)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def hollow(hollows, family):
    return hollows / family


def on_meta(family):
    layout = find_family(family)
    layout.check(PUBLISHED[family].fields, "the published configuration")
    with torch.device("meta"):
        return layout.model_class(layout.to_config(PUBLISHED[family].fields))


def paper_lora(rank=128):
    return lora_settings(
        Lora(rank=rank, alpha=2 * rank, dropout=0.05, target_modules=["q_proj", "k_proj", "v_proj"])
    )


def test_the_model_has_the_published_names_shapes_and_size(family, published):
    model, layout = on_meta(family), find_family(family)
    shapes = {layout.to_published_name(name): tuple(t.shape) for name, t in model.state_dict().items()}
    assert shapes == published.shapes
    assert len(shapes) == published.num_tensors
    assert sum(map(math.prod, shapes.values())) == model.num_parameters() == NUM_PARAMETERS[family]
    assert 2 * NUM_PARAMETERS[family] == published.num_bytes


def test_the_names_are_those_of_the_stored_index(shared_data):
    index = json.loads((shared_data / "llada_tokenizer/model.safetensors.index.json").read_text())
    fields = json.loads((shared_data / "llada_tokenizer/config.json").read_text())
    published = PUBLISHED["llada"]
    assert set(index["weight_map"]) == set(published.shapes)
    assert index["metadata"]["total_size"] == published.num_bytes
    assert {name: fields[name] for name in published.fields} == published.fields


def test_a_checkpoint_of_true_size_is_loaded(hollow, published, family):
    model = load_model(hollow, torch.bfloat16)
    assert model.num_parameters() == NUM_PARAMETERS[family]
    assert not any(parameter.is_meta for parameter in model.parameters())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert model.config.mask_token_id == published.fields["mask_token_id"]
    frequencies = model.model.rotary_emb.inv_freq
    width = 128  # of a head, in both models
    expected = published.fields["rope_theta"] ** (-torch.arange(0, width, 2).float() / width)
    torch.testing.assert_close(frequencies, expected)


def test_a_missing_shard_is_named(published, tmp_path):
    write_hollow(tmp_path / "base", published, num_shards=6)
    (tmp_path / "base/model-00004-of-00006.safetensors").unlink()
    with pytest.raises(CheckpointError, match="model-00004-of-00006"):
        load_model(tmp_path / "base", torch.bfloat16)


def test_new_adapters_have_the_sizes_of_the_paper(family, published):
    model = add_adapters(on_meta(family), paper_lora())
    trained = {name: tuple(p.shape) for name, p in model.named_parameters() if p.requires_grad}
    layout, expected = find_family(family), {}
    for module, (num_inputs, num_outputs) in published.adapted.items():
        stem = f"base_model.model.{layout.to_our_module(module)}"
        expected[f"{stem}.lora_A.default.weight"] = (128, num_inputs)
        expected[f"{stem}.lora_B.default.weight"] = (num_outputs, 128)
    assert trained == expected
    assert sum(map(math.prod, trained.values())) == NUM_ADAPTED[family]


def tree_of(modules):
    """Make a module tree on the meta device with linear layers of given names and sizes."""
    root = nn.Module()
    for name, (num_inputs, num_outputs) in modules.items():
        *parents, leaf = name.split(".")
        place = root
        for parent in parents:
            if not hasattr(place, parent):
                place.add_module(parent, nn.Module())
            place = getattr(place, parent)
        place.add_module(leaf, nn.Linear(num_inputs, num_outputs, bias=False, device="meta"))
    return root


@pytest.mark.parametrize("targets", [["q_proj", "k_proj", "v_proj"], ["q_proj", "down_proj"]])
def test_adapters_have_both_namings(hollow, published, family, targets, tmp_path):
    """Weft's own names after training, the published ones after export; both fit the checkpoint."""
    settings = LoraConfig(r=1, lora_alpha=2, target_modules=targets, init_lora_weights=False)
    trained, exported = tmp_path / "trained", tmp_path / "exported"
    add_adapters(load_model(hollow, torch.bfloat16), settings).save_pretrained(trained)
    num_layers = {"llada": 32, "dream": 28}[family]
    assert export_adapter(trained, exported, family=family) == num_layers * len(targets)

    # PEFT finds exactly these modules in a network with the published names, its output head included.
    linear = {
        name.removesuffix(".weight"): (shape[1], shape[0])
        for name, shape in published.shapes.items()
        if len(shape) == 2 and not re.search(r"wte|embed_tokens", name)
    }
    there = get_peft_model(tree_of(linear), LoraConfig.from_pretrained(exported), low_cpu_mem_usage=True)
    expected = {
        name.replace(".default", ""): tuple(parameter.shape)
        for name, parameter in there.named_parameters()
        if "lora_" in name
    }
    with safe_open(exported / "adapter_model.safetensors", "pt") as file:
        assert {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()} == expected  # noqa: SIM118

    # Both are read back onto the model of true size, with the same numbers.
    ours = load_file(trained / "adapter_model.safetensors")
    for folder in (trained, exported):
        check_finetuned(hollow, folder)
        loaded = load_adapter(load_model(hollow, torch.bfloat16), folder)
        weights = {
            name.replace(".default", ""): parameter
            for name, parameter in loaded.named_parameters()
            if "lora_" in name
        }
        assert weights.keys() == ours.keys()
        assert all(torch.equal(weights[name], ours[name]) for name in ours)
