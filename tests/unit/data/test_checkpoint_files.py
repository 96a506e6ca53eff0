"""Faults of a checkpoint directory that are found before any job."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from weft.data.checkpoint_files import check_checkpoint_files
from weft.errors import CheckpointError


@pytest.fixture
def folder(tmp_path):
    """The shipped base model with its weights in two files."""
    made = tmp_path / "model"
    shutil.copytree("experiments/tiny-base", made)
    tensors = load_file(made / "model.safetensors")
    names = sorted(tensors)
    shards = {"model-1.safetensors": names[:5], "model-2.safetensors": names[5:]}
    for shard, parts in shards.items():
        save_file({name: tensors[name] for name in parts}, made / shard)
    weight_map = {name: shard for shard, parts in shards.items() for name in parts}
    (made / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (made / "model.safetensors").unlink()
    return made


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def only_pickles(folder):
    for file in folder.glob("*.safetensors*"):
        file.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"x")


def without_a_tensor(folder):
    tensors = load_file(folder / "model-2.safetensors")
    tensors.pop(sorted(tensors)[0])
    save_file(tensors, folder / "model-2.safetensors")


def test_a_whole_checkpoint_passes(folder):
    check_checkpoint_files(folder)
    (folder / "tokenizer.json").rename(folder / "vocab.json")
    (folder / "merges.txt").write_text("")
    check_checkpoint_files(folder)
    template = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").unlink()
    edit(folder / "tokenizer_config.json", chat_template=template)
    check_checkpoint_files(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            shutil.rmtree,
            "expected a checkpoint directory at .*model, got none; correct the path",
        ),
        (lambda f: (f / "config.json").unlink(), "with config.json, but the file is missing"),
        (lambda f: (f / "config.json").write_text("{"), "config.json must be JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "config.json must contain a JSON object, got list"),
        (lambda f: edit(f / "config.json", model_type="llama"), "model_type must be one of .*, got 'llama'"),
        (
            lambda f: edit(f / "config.json", mask_token_id=512),
            "mask_token_id must be from 0 to 511, .* got 512",
        ),
        (lambda f: edit(f / "config.json", pad_token_id=-1), "pad_token_id must be from 0 to 511, .* got -1"),
        (
            lambda f: (f / "tokenizer.json").unlink(),
            "missing: tokenizer.json, vocab.json, merges.txt; download",
        ),
        (
            lambda f: (f / "tokenizer.json").rename(f / "vocab.json"),
            "missing: tokenizer.json, merges.txt; download",
        ),
        (
            lambda f: (f / "tokenizer_config.json").unlink(),
            "with tokenizer_config.json, but the file is missing",
        ),
        (lambda f: (f / "chat_template.jinja").unlink(), "must contain a chat template"),
        (
            lambda f: (f / "chat_template.jinja").write_text("\n"),
            "chat_template.jinja must contain a chat template, got an empty file",
        ),
        (
            lambda f: (f / "model-2.safetensors").unlink(),
            "must contain model-2.safetensors, but it is missing",
        ),
        (only_pickles, r"found only \['pytorch_model.bin'\], which weft does not read"),
        (lambda f: cut(f / "model-1.safetensors"), r"must have \d+ bytes according to its header, got \d+"),
        (
            lambda f: (f / "model-1.safetensors").write_bytes(b"version https://git-lfs"),
            "model-1.safetensors is not a valid safetensors file; download it again",
        ),
        (lambda f: (f / "model-1.safetensors").write_bytes(b""), "is not a valid safetensors file"),
        (
            without_a_tensor,
            "model-2.safetensors must contain the .* 1 are missing, such as 'model.transformer",
        ),
        (
            lambda f: (f / "model.safetensors.index.json").write_text("{}"),
            "index.json must list the weights as published",
        ),
    ],
)
def test_a_fault_is_named(folder, damage, message):
    damage(folder)
    with pytest.raises(CheckpointError, match=message):
        check_checkpoint_files(folder)
