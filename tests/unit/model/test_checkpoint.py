import json
import shutil

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from weft.errors import CheckpointError
from weft.model import load_model, read_config, save_model
from weft.model.checkpoint import find_family, find_layout, read_family, require_finite, stored_dtype
from weft.verify.formula import formula_checkpoint, formula_fields, formula_ids, plain_logits
from weft.verify.plain.networks import heads, rotate
from weft.verify.stored import stored_logits

SOME = {"llada": "model.transformer.ln_f.weight", "dream": "model.norm.weight"}


@pytest.fixture
def formula(family, tmp_path):
    folder = tmp_path / "formula"
    folder.mkdir()
    save_file(formula_checkpoint(family), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(formula_fields(family)))
    return folder


def test_logits_are_those_of_the_plain_network(family, formula):
    stored, ids = stored_logits(), formula_ids()
    expected = stored.of_family(family)
    with torch.no_grad():
        logits = load_model(formula)(input_ids=ids).logits
    plain = plain_logits(family, formula_checkpoint(family), ids)
    torch.testing.assert_close(stored.select(plain), expected, atol=1e-7, rtol=0)
    torch.testing.assert_close(stored.select(logits).double(), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(logits.double(), plain, atol=1e-4, rtol=0)


def test_in_bf16_the_rotation_is_as_precise_as_in_the_published_class(family, formula, monkeypatch):
    model = load_model(formula, torch.bfloat16)
    seen, attend = {}, F.scaled_dot_product_attention

    def spy(query, *args, **kwargs):
        seen.setdefault("after", query)
        return attend(query, *args, **kwargs)

    monkeypatch.setattr(F, "scaled_dot_product_attention", spy)
    projection = model.model.layers[0].self_attn.q_proj
    projection.register_forward_hook(lambda *call: seen.update(before=call[-1]))
    with torch.no_grad():
        model(input_ids=torch.arange(400).reshape(8, 50) * 13 % 39)
    states, theta = heads(seen["before"], 4), {"llada": 5e5, "dream": 1e6}[family]
    same = {
        exactly: (rotate(states, theta, exactly) == seen["after"]).float().mean() for exactly in (True, False)
    }
    # A last bit of a cosine may differ between processors; the other precision changes far more.
    assert same[family == "llada"] > 0.99
    assert same[family != "llada"] < 0.9


def test_the_plain_networks_reproduce_the_published_classes(shared_data, family):
    folder = shared_data / "reference" / f"{family}_small"
    stored, tensors = load_file(folder / "logits.safetensors"), load_file(folder / "model.safetensors")
    expected = stored["logits_fp32"]
    if family == "dream":
        expected = torch.cat([expected[:, :1], expected[:, :-1]], dim=1)
    eps = json.loads((folder / "config.json").read_text())["rms_norm_eps"]
    plain = plain_logits(family, tensors, stored["input_ids"], eps=eps)
    torch.testing.assert_close(plain, expected, atol=2e-4, rtol=0)


def test_a_saved_model_loads_bit_for_bit(predictor, directory):
    ids = torch.randint(0, 50, (2, 9))
    loaded = load_model(directory)
    with torch.no_grad():
        assert torch.equal(loaded(input_ids=ids).logits, predictor(input_ids=ids).logits)
    for name, tensor in predictor.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_large_models_are_split_as_on_the_hub_and_load_bit_for_bit(predictor, directory, tmp_path):
    save_model(predictor, tmp_path / "split", max_shard_bytes=40_000)
    index = json.loads((tmp_path / "split" / "model.safetensors.index.json").read_text())
    whole = load_file(directory / "model.safetensors")
    files = sorted(file.name for file in (tmp_path / "split").glob("*.safetensors"))
    assert len(files) > 2
    assert files[0] == f"model-00001-of-{len(files):05}.safetensors"
    assert index["metadata"]["total_size"] == sum(t.numel() * t.element_size() for t in whole.values())
    assert index["weight_map"].keys() == whole.keys()
    for file in files:
        inside = load_file(tmp_path / "split" / file)
        assert inside.keys() == {name for name, place in index["weight_map"].items() if place == file}
    loaded = load_model(tmp_path / "split").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in predictor.state_dict().items())


def test_saving_again_leaves_no_weights_of_before(predictor, tmp_path):
    save_model(predictor, tmp_path, max_shard_bytes=40_000)
    save_model(predictor, tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert torch.equal(load_model(tmp_path).lm_head.weight, predictor.lm_head.weight)


def test_the_type_in_memory_and_in_the_file_are_known(predictor, directory, tmp_path):
    assert stored_dtype(directory) == torch.float32
    low = load_model(directory, torch.bfloat16)
    assert {p.dtype for p in low.parameters()} == {torch.bfloat16}
    assert low.config.dtype == torch.bfloat16
    save_model(low, tmp_path / "low")
    assert stored_dtype(tmp_path / "low") == torch.bfloat16


def test_a_missing_tensor_is_named(family, directory, edit_tensors):
    edit_tensors(directory / "model.safetensors", lambda tensors: tensors.pop(SOME[family]))
    with pytest.raises(CheckpointError, match=rf"missing: \['{SOME[family]}'\]"):
        load_model(directory)


# The second is a name of ours for LLaDA, which its files must not use.
@pytest.mark.parametrize("name", ["surprise", "model.layers.7.mlp.up_proj.weight", "lm_head.bias"])
def test_an_extra_tensor_is_named(directory, edit_tensors, name):
    edit_tensors(directory / "model.safetensors", lambda tensors: tensors.update({name: torch.zeros(1)}))
    with pytest.raises(CheckpointError, match=rf"unexpected: \['{name}'\]"):
        load_model(directory)


def test_a_misshapen_tensor_is_named(family, directory, edit_tensors):
    edit_tensors(
        directory / "model.safetensors", lambda tensors: tensors.update({SOME[family]: torch.zeros(3)})
    )
    with pytest.raises(CheckpointError, match=rf"{SOME[family]} must have shape \(32,\)"):
        load_model(directory)


def test_quantised_weights_are_refused(family, directory, edit_tensors):
    whole = torch.zeros(32, dtype=torch.int8)
    edit_tensors(directory / "model.safetensors", lambda tensors: tensors.update({SOME[family]: whole}))
    with pytest.raises(CheckpointError, match="floating-point numbers, got I8"):
        load_model(directory)
    with pytest.raises(CheckpointError, match="floating-point numbers"):
        stored_dtype(directory)


def test_a_tensor_in_two_files_is_refused(predictor, directory):
    save_model(predictor, directory, max_shard_bytes=40_000)
    first, *_, last = sorted(directory.glob("*.safetensors"))
    save_file(load_file(first) | load_file(last), directory / "both.safetensors")
    (directory / "both.safetensors").replace(last)
    with pytest.raises(CheckpointError, match="must be stored once"):
        load_model(directory)


def test_an_unknown_model_type_is_refused_with_the_known_ones(directory, edit_json):
    edit_json(directory / "config.json", model_type="gpt2")
    with pytest.raises(CheckpointError, match="must be 'llada' or 'Dream', got 'gpt2'"):
        load_model(directory)


def test_pickled_weights_are_refused(directory):
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    with pytest.raises(
        CheckpointError, match=r"only \['pytorch_model.bin'\].*convert the files to safetensors"
    ):
        load_model(directory)


def test_a_folder_that_does_not_exist_is_not_taken_for_an_incomplete_download(tmp_path):
    with pytest.raises(CheckpointError, match="expected a folder with a model or an adapter at"):
        stored_dtype(tmp_path / "nowhere")


def test_a_broken_weight_file_is_named(directory):
    (directory / "model.safetensors").write_bytes(b"\x80\x04not safetensors")
    with pytest.raises(CheckpointError, match="valid safetensors file"):
        load_model(directory)


def test_an_index_cannot_lead_out_of_the_directory(directory):
    (directory / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"x": "../../etc/passwd"}})
    )
    with pytest.raises(CheckpointError, match=r"files of its own directory under weight_map, got .*passwd"):
        load_model(directory)


@pytest.mark.parametrize("text", ["{", "[]", '{"weight_map": 3}', '{"weight_map": {"x": 3}}'])
def test_a_broken_index_is_named(directory, text):
    (directory / "model.safetensors.index.json").write_text(text)
    with pytest.raises(
        CheckpointError, match=r"index.json must (list the weights as published|be JSON|contain a JSON)"
    ):
        load_model(directory)


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_configuration_is_named(directory, text):
    (directory / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"config.json must (be JSON|contain a JSON object)"):
        load_model(directory)


def test_an_empty_directory_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"config.json, but the file is missing"):
        load_model(tmp_path)


def test_code_in_the_directory_is_not_executed(predictor, directory, edit_json):
    trap = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\nraise SystemExit(3)\n"
    fields = json.loads((directory / "config.json").read_text())
    assert "auto_map" in fields
    for target in {*fields["auto_map"].values(), "x.y"}:
        (directory / f"{target.split('.')[0]}.py").write_text(trap)
    edit_json(directory / "config.json", trust_remote_code=True, custom_pipelines={"x": {"impl": "x.y"}})
    load_model(directory)
    assert not (directory / "ran").exists()


def test_the_mask_token_is_read_without_loading_weights(directory, tokenizer):
    (directory / "model.safetensors").unlink()
    assert read_config(directory).mask_token_id == tokenizer.mask_token_id


def test_families_are_found_by_name_by_model_and_by_directory(family, predictor, directory):
    assert read_family(directory) == family
    assert find_layout(predictor) is find_family(family)
    with pytest.raises(CheckpointError, match="got Linear"):
        find_layout(torch.nn.Linear(1, 1))
    with pytest.raises(CheckpointError, match=r"llada.*got 'bert'"):
        find_family("bert")


def test_a_copied_checkpoint_gives_the_same_logits(directory, tmp_path):
    shutil.copytree(directory, tmp_path / "copy")
    ids = torch.arange(8)[None]
    with torch.no_grad():
        logits = [load_model(folder)(input_ids=ids).logits for folder in (directory, tmp_path / "copy")]
    assert torch.equal(*logits)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": None}, "path must be the path of a checkpoint directory, got NoneType"),
        ({"path": 7}, "path must be the path .* got int"),
        ({"path": "x", "dtype": "bfloat16"}, "dtype must be a floating-point type .* got 'bfloat16'"),
        ({"path": "x", "dtype": torch.int8}, r"dtype must be .* got torch\.int8"),
        ({"path": "x", "torch_dtype": torch.bfloat16}, r"no argument 'torch_dtype' \(here it is dtype\)"),
        (
            {"path": "x", "trust_remote_code": True},
            r"no argument 'trust_remote_code' \(there are path, dtype",
        ),
        ({}, "load_model must be called with path; missing: path"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("without_type_checks")
def test_arguments_of_the_wrong_kind_are_refused(arguments, message):
    with pytest.raises(CheckpointError, match=message):
        load_model(**arguments)


def test_a_configuration_with_a_byte_order_mark_is_read(formula):
    expected = read_config(formula).to_dict()
    file = formula / "config.json"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert read_config(formula).to_dict() == expected


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_number_that_is_not_finite_is_found_anywhere(dtype, value, tmp_path):
    tensor = torch.linspace(-3, 3, 67, dtype=dtype)
    require_finite(tensor, "x", source=tmp_path)
    require_finite(tensor[:0], "x", source=tmp_path)
    for position in range(len(tensor)):
        broken = tensor.clone()
        broken[position] = value
        with pytest.raises(CheckpointError, match="tensor x must contain finite numbers, got 1 of 67 that"):
            require_finite(broken, "x", source=tmp_path)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(torch.nan, torch.bfloat16), (1e30, torch.float16)],
    ids=["NaN", "too large a number"],
)
def test_weights_that_are_not_finite_are_refused_by_tensor_and_file(family, formula, value, dtype):
    file = formula / "model.safetensors"
    tensors = load_file(file)
    tensors[SOME[family]][3] = value
    save_file(tensors, file)
    with pytest.raises(
        CheckpointError, match=f"model.safetensors: tensor {SOME[family]} must contain finite"
    ):
        load_model(formula, dtype)


def test_weights_that_are_not_finite_are_not_saved(formula, tmp_path):
    model = load_model(formula)
    with torch.no_grad():
        next(model.parameters())[0] = torch.inf
    with pytest.raises(CheckpointError, match=r"saved: tensor \S+ must contain finite numbers"):
        save_model(model, tmp_path / "saved")
    assert not list((tmp_path / "saved").glob("*.safetensors"))
