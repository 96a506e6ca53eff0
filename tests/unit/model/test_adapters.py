import json
import warnings

import pytest
import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn

from tests.support.models import tiny_dream, tiny_model
from weft.errors import CheckpointError
from weft.model import load_model, save_model
from weft.model.adapters import (
    check_finetuned,
    export_adapter,
    finetuned_digest,
    load_adapter,
    load_finetuned,
    merge_adapter,
)

QKV = ["q_proj", "k_proj", "v_proj"]
ALL = [*QKV, "o_proj", "gate_proj", "up_proj", "down_proj"]
MAKERS = {"llada": tiny_model, "dream": tiny_dream}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


class PublishedBlock(nn.Module):
    def __init__(self, width, inner):
        super().__init__()
        for name in ("q_proj", "k_proj", "v_proj", "attn_out"):
            setattr(self, name, nn.Linear(width, width, bias=False))
        for name in ("ff_proj", "up_proj"):
            setattr(self, name, nn.Linear(width, inner, bias=False))
        self.ff_out = nn.Linear(inner, width, bias=False)


class PublishedNames(nn.Module):
    """Modules under LLaDA's published names and of the tiny model's shapes; it computes nothing."""

    prepare_inputs_for_generation = None  # PEFT asks for it when the task is causal language modelling

    def __init__(self, width=32, inner=96, vocab=400, layers=2):
        super().__init__()
        self.model = nn.Module()
        self.model.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(vocab, width),
                "blocks": nn.ModuleList(PublishedBlock(width, inner) for _ in range(layers)),
                "ff_out": nn.Linear(width, vocab, bias=False),
            }
        )


def write_adapter(family, tokenizer, folder, targets, *, task=None, seed=5):
    """Save an adapter of ours with weights that change something; return the adapted model."""
    torch.manual_seed(seed)
    config = LoraConfig(
        r=3, lora_alpha=7, target_modules=targets, init_lora_weights="gaussian", task_type=task
    )
    adapted = get_peft_model(MAKERS[family](tokenizer), config).eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    adapted.save_pretrained(folder)
    return adapted


def logits_of(model):
    ids = torch.arange(20).reshape(2, 10)
    with torch.no_grad():
        return model(input_ids=ids).logits


def deltas(model):
    """What the adapters add to each weight, by name of module."""
    return {
        name.removeprefix("base_model.model."): module.get_delta_weight("default")
        for name, module in model.named_modules()
        if hasattr(module, "get_delta_weight")
    }


@pytest.mark.parametrize("targets", [QKV, ALL], ids=["qkv", "all"])
def test_an_adapter_of_ours_loads(family, tokenizer, tmp_path, targets):
    adapted = write_adapter(family, tokenizer, tmp_path, targets)
    loaded = load_adapter(MAKERS[family](tokenizer), tmp_path)
    assert torch.equal(logits_of(loaded), logits_of(adapted))
    assert not torch.equal(logits_of(loaded), logits_of(MAKERS[family](tokenizer)))


@pytest.mark.parametrize("targets", [QKV, ALL], ids=["qkv", "all"])
@pytest.mark.parametrize("task", [None, TaskType.CAUSAL_LM], ids=["plain", "causal"])
def test_an_exported_adapter_fits_the_published_names_with_the_same_changes(
    tokenizer, tmp_path, targets, task
):
    adapted = write_adapter("llada", tokenizer, tmp_path / "ours", targets, task=task)
    assert export_adapter(tmp_path / "ours", tmp_path / "theirs", family="llada") == 2 * len(targets)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # PEFT warns of keys that it does not find
        warnings.filterwarnings("ignore", category=FutureWarning)
        theirs = PeftModel.from_pretrained(skeleton := PublishedNames(), tmp_path / "theirs")
    assert not hasattr(skeleton.model.transformer["ff_out"], "lora_A"), "the output head is left alone"
    names = {
        "self_attn.o_proj": "attn_out",
        "mlp.gate_proj": "ff_proj",
        "mlp.up_proj": "up_proj",
        "mlp.down_proj": "ff_out",
        **{f"self_attn.{name}": name for name in QKV},
    }
    made, wanted = deltas(theirs), deltas(adapted)
    assert len(made) == len(wanted) == 2 * len(targets)
    for name, delta in wanted.items():
        _, _, layer, inner = name.split(".", 3)
        assert torch.equal(made[f"model.transformer.blocks.{layer}.{names[inner]}"], delta)
    keys = load_file(tmp_path / "theirs" / "adapter_model.safetensors")
    assert "base_model.model.model.transformer.blocks.1.q_proj.lora_A.weight" in keys


@pytest.mark.parametrize("targets", [QKV, ALL], ids=["qkv", "all"])
def test_an_adapter_in_published_names_loads_back(family, tokenizer, tmp_path, targets):
    adapted = write_adapter(family, tokenizer, tmp_path / "ours", targets)
    export_adapter(tmp_path / "ours", tmp_path / "theirs", family=family)
    loaded = load_adapter(MAKERS[family](tokenizer), tmp_path / "theirs")
    assert torch.equal(logits_of(loaded), logits_of(adapted))


def test_an_adapter_trained_on_the_published_class_loads(tokenizer, tmp_path):
    config = LoraConfig(r=2, target_modules=QKV, init_lora_weights=False, task_type=None)
    get_peft_model(PublishedNames(), config).save_pretrained(tmp_path)
    loaded = load_adapter(tiny_model(tokenizer), tmp_path)
    stored = load_file(tmp_path / "adapter_model.safetensors")
    a, b = (stored[f"base_model.model.model.transformer.blocks.1.v_proj.lora_{s}.weight"] for s in "AB")
    torch.testing.assert_close(deltas(loaded)["model.layers.1.self_attn.v_proj"], b @ a * 4)


def test_an_adapter_that_also_adapts_the_published_head_is_refused(tokenizer, tmp_path):
    config = LoraConfig(r=2, target_modules=["ff_out"], task_type=None)
    get_peft_model(PublishedNames(), config).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"transformer\.ff_out\.lora_.\.weight adapts the output head"):
        load_adapter(tiny_model(tokenizer), tmp_path)


def test_adapters_stay_in_fp32_beside_a_bf16_base(tokenizer, tmp_path):
    adapted = write_adapter("llada", tokenizer, tmp_path, QKV)
    loaded = load_adapter(tiny_model(tokenizer).to(torch.bfloat16), tmp_path)
    kinds = {"lora_" in name: p.dtype for name, p in loaded.named_parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}
    wanted = dict(adapted.named_parameters())
    assert all(torch.equal(p, wanted[name]) for name, p in loaded.named_parameters() if "lora_" in name)


def test_a_merged_model_gives_the_same_logits_without_the_wrapper(family, tokenizer, tmp_path):
    write_adapter(family, tokenizer, tmp_path / "adapter", ALL)
    merged = merge_adapter(load_adapter(MAKERS[family](tokenizer), tmp_path / "adapter"))
    expected = logits_of(load_adapter(MAKERS[family](tokenizer), tmp_path / "adapter"))
    assert type(merged) is type(MAKERS[family](tokenizer))
    torch.testing.assert_close(logits_of(merged), expected, atol=1e-4, rtol=1e-4)
    assert merge_adapter(merged) is merged
    save_model(merged, tmp_path / "merged")
    assert torch.equal(logits_of(load_model(tmp_path / "merged")), logits_of(merged))


def test_the_digest_of_an_adapter_depends_only_on_the_files_that_are_loaded(
    tokenizer, tmp_path, edit_tensors, edit_json
):
    write_adapter("llada", tokenizer, tmp_path, QKV)
    first = finetuned_digest(tmp_path)
    (tmp_path / "timing.json").write_text('{"seconds": 3.1}')
    assert finetuned_digest(tmp_path) == first
    alpha = json.loads((tmp_path / "adapter_config.json").read_text())["lora_alpha"]
    edit_json(tmp_path / "adapter_config.json", lora_alpha=alpha + 1)
    second = finetuned_digest(tmp_path)
    edit_tensors(tmp_path / "adapter_model.safetensors", lambda tensors: next(iter(tensors.values())).mul_(2))
    assert len({first, second, finetuned_digest(tmp_path)}) == 3


def test_infinite_adapters_are_not_merged(tokenizer, tmp_path):
    adapted = write_adapter("llada", tokenizer, tmp_path, QKV)
    with torch.no_grad():
        adapted.get_parameter(f"{Q0}B.default.weight").fill_(torch.inf)
    with pytest.raises(CheckpointError, match="finite"):
        merge_adapter(adapted)


def test_tuned_models_are_adapters_or_whole_checkpoints(directory, family, predictor, tokenizer, tmp_path):
    adapted = write_adapter(family, tokenizer, tmp_path / "adapter", QKV)
    assert torch.equal(logits_of(load_finetuned(directory, tmp_path / "adapter")), logits_of(adapted))
    whole = MAKERS[family](tokenizer, seed=9)
    save_model(whole, tmp_path / "whole")
    assert torch.equal(logits_of(load_finetuned(directory, tmp_path / "whole")), logits_of(whole))
    assert torch.equal(logits_of(load_finetuned(directory, None)), logits_of(predictor))
    with pytest.raises(CheckpointError, match="found neither"):
        load_finetuned(directory, tmp_path)


@pytest.mark.parametrize("family", ["llada"])
def test_a_whole_checkpoint_must_be_of_the_kind_of_its_base(directory, tokenizer, edit_json, tmp_path):
    save_model(tiny_dream(tokenizer), tmp_path / "other")
    with pytest.raises(CheckpointError, match="must have the model_type of its base model"):
        load_finetuned(directory, tmp_path / "other")
    save_model(tiny_model(tokenizer), tmp_path / "same")
    edit_json(tmp_path / "same" / "config.json", mask_token_id=3)
    with pytest.raises(CheckpointError, match="must have the mask_token_id of its base model"):
        load_finetuned(directory, tmp_path / "same")


Q0 = "base_model.model.model.layers.0.self_attn.q_proj.lora_"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: [t.pop(f"{Q0}{side}.weight") for side in "AB"],
            r"without weights: \['model.layers.0.self_attn.q_proj'",
        ),
        (lambda t: t.pop(f"{Q0}B.weight"), "q_proj must have both lora_A and lora_B"),
        (lambda t: t.update(surprise=torch.zeros(1)), "got surprise"),
        (
            lambda t: t.update({f"{Q0}magnitude_vector.weight": torch.zeros(1)}),
            "got .*magnitude_vector.weight",
        ),
        (
            lambda t: t.update({f"{Q0}A.weight": torch.zeros(3, 31)}),
            r"q_proj.lora_A.weight must have shape \(3, 32\)",
        ),
        (
            lambda t: t.update({f"{Q0}B.weight": torch.zeros(32, 4)}),
            r"q_proj.lora_B.weight must have shape \(32, 3\)",
        ),
        (
            lambda t: t.update(
                {
                    Q0.replace("layers.0", "layers.9") + f"{s}.weight": t[f"{Q0}{s}.weight"].clone()
                    for s in "AB"
                }
            ),
            r"base model lacks: \['model.layers.9",
        ),
        (
            lambda t: t.update(
                {Q0.replace("q_proj", "o_proj") + f"{s}.weight": t[f"{Q0}{s}.weight"].clone() for s in "AB"}
            ),
            r"weights of other modules: \['model.layers.0.self_attn.o_proj'",
        ),
        (
            lambda t: t.update(
                {"base_model.model.model.transformer.blocks.0.attn_out.lora_A.weight": torch.zeros(3, 32)}
            ),
            "got 2 kinds",
        ),
        (lambda t: t.clear(), "got 0 kinds"),
        (
            lambda t: t[f"{Q0}B.weight"][4].fill_(torch.nan),
            r"adapter_model.safetensors: tensor \S*layers.0\S*lora_B.weight must contain finite numbers, "
            "got 3 of 96 that are NaN or infinite as float32",
        ),
        (
            lambda t: t.update({f"{Q0}A.weight": torch.full((3, 32), 1e300, dtype=torch.float64)}),
            "must contain finite numbers, got 96 of 96 that are NaN or infinite as float32",
        ),
        (lambda t: t.update({f"{Q0}A.weight": torch.zeros(3, 32).char()}), r"floating-point .* torch\.int8"),
        (
            lambda t: t.update({f"{Q0}A.weight": torch.zeros(3, 32).to(torch.float8_e4m3fn)}),
            r"floating-point numbers of at least 16 bits, got torch\.float8_e4m3fn; quantised",
        ),
    ],
)
def test_adapters_that_do_not_fit_are_refused_by_name(tokenizer, tmp_path, edit_tensors, change, message):
    write_adapter("llada", tokenizer, tmp_path, QKV)
    edit_tensors(tmp_path / "adapter_model.safetensors", change)
    with pytest.raises(CheckpointError, match=message):
        load_adapter(tiny_model(tokenizer), tmp_path)


def test_scaling_by_the_root_of_the_rank_is_kept(tokenizer, tmp_path, edit_json):
    write_adapter("llada", tokenizer, tmp_path, QKV)
    plain = deltas(load_adapter(tiny_model(tokenizer), tmp_path))
    edit_json(tmp_path / "adapter_config.json", use_rslora=True)
    scaled = deltas(load_adapter(tiny_model(tokenizer), tmp_path))
    name = "model.layers.0.self_attn.q_proj"
    torch.testing.assert_close(scaled[name], plain[name] * 3**0.5)


def test_a_rank_that_is_not_that_of_the_tensors_is_refused_before_memory_is_taken(
    tokenizer, tmp_path, edit_json
):
    write_adapter("llada", tokenizer, tmp_path, QKV)
    edit_json(tmp_path / "adapter_config.json", r=10**12)
    with pytest.raises(CheckpointError, match=r"must have shape .*1000000000000.* got \(.*3"):
        load_adapter(tiny_model(tokenizer), tmp_path)


def test_pickled_adapters_are_refused(tokenizer, tmp_path):
    write_adapter("llada", tokenizer, tmp_path, QKV)
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / "adapter_model.bin")
    with pytest.raises(CheckpointError, match="can run code"):
        load_adapter(tiny_model(tokenizer), tmp_path)
    (tmp_path / "adapter_model.bin").unlink()
    (tmp_path / "adapter_model.safetensors").write_bytes(b"\x80\x04")
    with pytest.raises(CheckpointError, match="valid safetensors"):
        load_adapter(tiny_model(tokenizer), tmp_path)


def test_an_uneven_adapter_is_not_exported(tokenizer, tmp_path, edit_tensors):
    write_adapter("llada", tokenizer, tmp_path, QKV)
    edit_tensors(
        tmp_path / "adapter_model.safetensors", lambda t: [t.pop(f"{Q0}{side}.weight") for side in "AB"]
    )
    with pytest.raises(CheckpointError, match=r"same modules in every layer, .*\['q_proj'\]"):
        export_adapter(tmp_path, tmp_path / "out", family="llada")


def test_a_published_adapter_is_not_exported_again(tokenizer, tmp_path):
    write_adapter("llada", tokenizer, tmp_path / "ours", QKV)
    export_adapter(tmp_path / "ours", tmp_path / "theirs", family="llada")
    with pytest.raises(CheckpointError, match="published names"):
        export_adapter(tmp_path / "theirs", tmp_path / "again", family="llada")


def test_the_exported_configuration_names_no_class_of_ours(tokenizer, tmp_path):
    write_adapter("llada", tokenizer, tmp_path / "ours", ALL)
    export_adapter(tmp_path / "ours", tmp_path / "theirs", family="llada")
    text = (tmp_path / "theirs" / "adapter_config.json").read_text()
    assert "weft" not in json.dumps(
        {k: v for k, v in json.loads(text).items() if k != "base_model_name_or_path"}
    )
    assert json.loads(text)["lora_alpha"] == 7


def test_an_adapter_trained_again_in_place_is_read_whole(tokenizer, tmp_path):
    write_adapter("llada", tokenizer, tmp_path, QKV)
    file = tmp_path / "adapter_model.safetensors"
    held = load_adapter(tiny_model(tokenizer), tmp_path)
    before = logits_of(held)
    changed = {key: tensor * 2 for key, tensor in load_file(file).items()}
    save_file(changed, tmp_path / "new")
    (tmp_path / "new").replace(file)
    assert torch.equal(logits_of(held), before)
    assert not torch.equal(logits_of(load_adapter(tiny_model(tokenizer), tmp_path)), before)


@pytest.mark.parametrize("family", MAKERS)
def test_an_adapter_is_checked_against_its_base_without_the_weights_of_the_base(family, tokenizer, tmp_path):
    base, folder = tmp_path / "base", tmp_path / "adapter"
    save_model(MAKERS[family](tokenizer), base)
    write_adapter(family, tokenizer, folder, QKV)
    (base / "model.safetensors").unlink()
    check_finetuned(base, folder)
    tensors = load_file(folder / "adapter_model.safetensors")
    name = next(key for key in tensors if "lora_A" in key)
    save_file(tensors | {name: torch.zeros(3, 5)}, folder / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match="the adapter was trained on another model"):
        check_finetuned(base, folder)


def test_a_full_checkpoint_must_be_of_the_family_of_its_base(tokenizer, tmp_path):
    for family, make in MAKERS.items():
        save_model(make(tokenizer), tmp_path / family)
    check_finetuned(tmp_path / "dream", tmp_path / "dream")
    with pytest.raises(CheckpointError, match="must have the model_type of its base model"):
        check_finetuned(tmp_path / "llada", tmp_path / "dream")
