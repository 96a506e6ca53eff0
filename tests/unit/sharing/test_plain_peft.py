"""An exported adapter in plain PEFT, on a network with LLaDA's published names that is not weft's."""

import json

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from torch import nn
from typer.testing import CliRunner

from tests.support.models import tiny_model
from weft.cli import app
from weft.model import load_finetuned, save_model
from weft.records.files import write_json
from weft.sharing.facts import FACTS_FILE
from weft.verify.plain.networks import plain_llada

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def published_network(tensors):
    """Make a module with the published names and weights of a checkpoint."""
    root = nn.Module()
    for name, tensor in tensors.items():
        *path, last, kind = name.split(".")
        parent = root
        for part in path:
            if not hasattr(parent, part):
                parent.add_module(part, nn.Module())
            parent = getattr(parent, part)
        leaf = nn.Linear(*reversed(tensor.shape), bias=False) if tensor.dim() == 2 else nn.Module()
        setattr(leaf, kind, nn.Parameter(tensor.clone()))
        parent.add_module(last, leaf)
    return root


def test_an_exported_adapter_gives_equal_logits_in_plain_peft(tokenizer, facts, tmp_path):
    model = tiny_model(tokenizer)
    save_model(model, tmp_path / "base")
    config = LoraConfig(r=2, target_modules=["q_proj", "o_proj", "down_proj"], init_lora_weights=False)
    get_peft_model(model, config).save_pretrained(tmp_path / "run")
    source = {"source": "hub", "repo": "owner/base", "revision": "main"}
    changed = facts.model_copy(update={"base_model": source, "base_commit": COMMIT})
    write_json(tmp_path / "run" / FACTS_FILE, changed)
    given = ["--base", "base", "--finetuned", "run", "--form", "adapter", "--out", "out"]
    arguments = [
        text if text.startswith("--") or text == "adapter" else str(tmp_path / text) for text in given
    ]
    result = CliRunner().invoke(app, ["export", *arguments])
    assert result.exit_code == 0, result.output

    base = load_file(tmp_path / "base" / "model.safetensors")
    adapted = PeftModel.from_pretrained(published_network(base), str(tmp_path / "out"))
    settings = adapted.peft_config["default"]
    assert (settings.base_model_name_or_path, settings.revision) == ("owner/base", COMMIT)
    merged = {name: tensor.detach() for name, tensor in adapted.merge_and_unload().state_dict().items()}
    ids = torch.arange(20).reshape(2, 10)
    shape = {"num_heads": 2, "theta": 10000.0, "eps": 1e-5}
    with torch.no_grad():
        expected = load_finetuned(tmp_path / "base", tmp_path / "run")(input_ids=ids).logits
    torch.testing.assert_close(plain_llada(merged, ids, **shape), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(plain_llada(base, ids, **shape), expected, atol=1e-2), (
        "the adapter has an effect"
    )
    assert json.loads((tmp_path / "out" / FACTS_FILE).read_text())["run"] == "weft-worked-seed1"


def test_a_base_without_repository_is_named_by_its_path(tokenizer, tmp_path):
    model = tiny_model(tokenizer)
    save_model(model, tmp_path / "base")
    get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path / "run")
    options = {"base": "base", "finetuned": "run", "out": "out"}
    arguments = [part for key, name in options.items() for part in (f"--{key}", str(tmp_path / name))]

    def named(*more):
        result = CliRunner().invoke(app, ["export", "--form", "adapter", *arguments, *more])
        assert result.exit_code == 0, result.output
        return json.loads((tmp_path / "out/adapter_config.json").read_text())["base_model_name_or_path"]

    assert named() == str(tmp_path / "base")
    assert named("--base-name", "owner/base") == "owner/base"
