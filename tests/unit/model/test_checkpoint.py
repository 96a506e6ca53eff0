import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from weft.errors import CheckpointError
from weft.model import load_model, load_tokenizer, save_model
from weft.model.checkpoint import to_llada_name, to_llama_name


@pytest.fixture
def folder(model, tokenizer, tmp_path):
    save_model(model, tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def edit_config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def edit_tensors(folder, edit):
    file = folder / "model.safetensors"
    tensors = load_file(file)
    edit(tensors)
    save_file(tensors, file)


def test_a_saved_model_loads_with_equal_logits(model, folder):
    ids = torch.randint(0, 50, (2, 9))
    with torch.no_grad():
        assert torch.equal(load_model(folder)(input_ids=ids).logits, model(input_ids=ids).logits)


def test_saved_names_are_the_published_ones(folder):
    names = load_file(folder / "model.safetensors").keys()
    assert "model.transformer.blocks.0.attn_out.weight" in names
    assert "model.transformer.ff_out.weight" in names


def test_names_translate_both_ways_and_cover_the_published_list(shared_data):
    index = json.loads((shared_data / "llada_tokenizer" / "model.safetensors.index.json").read_text())
    names = list(index["weight_map"])
    assert len(names) == 291
    assert [to_llada_name(to_llama_name(name)) for name in names] == names
    assert all(to_llama_name(name) != name for name in names)


def test_a_missing_tensor_is_named(folder):
    edit_tensors(folder, lambda tensors: tensors.pop("model.transformer.ln_f.weight"))
    with pytest.raises(CheckpointError, match=r"missing: \['model.transformer.ln_f.weight'\]"):
        load_model(folder)


def test_an_extra_tensor_is_named(folder):
    edit_tensors(folder, lambda tensors: tensors.update(surprise=torch.zeros(1)))
    with pytest.raises(CheckpointError, match=r"not expected: \['surprise'\]"):
        load_model(folder)


def test_a_misshapen_tensor_is_named(folder):
    edit_tensors(folder, lambda tensors: tensors.update({"model.transformer.ln_f.weight": torch.zeros(3)}))
    with pytest.raises(CheckpointError, match=r"ln_f.weight must have shape \(32,\)"):
        load_model(folder)


def test_another_network_is_refused(folder):
    edit_config(folder, alibi=True)
    with pytest.raises(CheckpointError, match="'alibi': True"):
        load_model(folder)


def test_another_model_type_is_refused(folder):
    edit_config(folder, model_type="gpt2")
    with pytest.raises(CheckpointError, match="must be 'llada', got 'gpt2'"):
        load_model(folder)


def test_a_broken_weight_file_is_named(folder):
    (folder / "model.safetensors").write_bytes(b"\x80\x04not safetensors")
    with pytest.raises(CheckpointError, match="no valid safetensors file"):
        load_model(folder)


def test_an_index_cannot_lead_out_of_the_directory(folder):
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"x": "../../etc/passwd"}})
    )
    with pytest.raises(CheckpointError, match=r"must hold passwd"):
        load_model(folder)


def test_a_configuration_without_sizes_is_refused(folder):
    (folder / "config.json").write_text('{"model_type": "llada"}')
    with pytest.raises(CheckpointError, match=r"must have the fields .*'d_model'"):
        load_model(folder)


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 3}'])
def test_a_broken_index_is_named(folder, text):
    (folder / "model.safetensors.index.json").write_text(text)
    with pytest.raises(CheckpointError, match="must list the weights as published"):
        load_model(folder)


def test_an_empty_directory_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"config.json, none found"):
        load_model(tmp_path)
    with pytest.raises(CheckpointError, match="must hold a tokenizer"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_without_mask_token_takes_it_from_the_configuration(tokenizer, folder):
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    settings.pop("mask_token")
    file.write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match="no mask token"):
        load_tokenizer(folder)
    assert (
        load_tokenizer(folder, mask_token_id=tokenizer.mask_token_id).mask_token_id == tokenizer.mask_token_id
    )
