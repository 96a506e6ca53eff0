"""The closed formulas of memory against the tensors that a layer of true width saves, and published costs."""

import pytest
import torch
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from weft.config import load_experiment
from weft.config.training import Lora
from weft.costs import PUBLISHED_NETWORKS, sampling_memory, training_memory
from weft.costs.gpus import GIB, GPUS
from weft.costs.memory import HEAD_CHUNK, forward_memory, offloaded_memory, saved_by_layer
from weft.model import DreamConfig, DreamForMaskedDiffusion, LladaConfig, LladaForMaskedDiffusion, head
from weft.training.adapters import add_adapters, lora_settings

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning", "ignore::UserWarning"
)

LLADA, DREAM = (
    PUBLISHED_NETWORKS[name] for name in ("GSAI-ML/LLaDA-8B-Instruct", "Dream-org/Dream-v0-Instruct-7B")
)
PAPER = load_experiment("experiments/paper.yaml")
LENGTH = 64
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class FusedAttention(torch.autograd.Function):
    """Saves what a fused kernel saves: its inputs, its output, and a log-sum-exp of each query and head."""

    @staticmethod
    def forward(ctx, query, key, value):
        output = query.clone()
        norm = query.new_empty(query.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(query, key, value, output, norm)
        return output

    @staticmethod
    def backward(ctx, slope):
        return slope, None, None


def fused_attention(module, query, key, value, attention_mask, **_):
    return FusedAttention.apply(query, key, value).transpose(1, 2), None


@pytest.fixture(autouse=True)
def fused_attention_is_known(monkeypatch):
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS._global_mapping, "fused", fused_attention)


def wide_model(network, num_layers, lora, dtype):
    """Make a network of true width without memory."""
    is_dream = network.has_biases
    make, config = (
        (DreamForMaskedDiffusion, DreamConfig) if is_dream else (LladaForMaskedDiffusion, LladaConfig)
    )
    with torch.device("meta"):
        model = make(
            config(
                vocab_size=128,
                hidden_size=network.hidden_size,
                intermediate_size=network.intermediate_size,
                num_hidden_layers=num_layers,
                num_attention_heads=network.num_heads,
                num_key_value_heads=network.num_key_value_heads,
                tie_word_embeddings=False,
                rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
                attn_implementation="fused",
            )
        ).to(dtype)
        return (model if lora is None else add_adapters(model, lora_settings(lora))).train()


def saved_bytes(model):
    """Add up the memory of the tensors that a forward pass of the layers saves, without the parameters."""
    storages = {}

    def note(tensor):
        storages[tensor.untyped_storage()._cdata] = tensor
        return tensor

    body = getattr(model, "get_base_model", lambda: model)().model
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        body(input_ids=torch.zeros(1, LENGTH, dtype=torch.long, device="meta"))
    for parameter in model.parameters():
        storages.pop(parameter.untyped_storage()._cdata, None)
    return sum(tensor.untyped_storage().nbytes() for tensor in storages.values())


def lora(targets, *, rank=128, dropout=0.0):
    return Lora(rank=rank, alpha=256, dropout=dropout, target_modules=targets)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize(
    "adapters", [None, lora(ALL[:3]), lora(ALL, rank=32), lora(["q_proj", "v_proj"], rank=8)]
)
@pytest.mark.parametrize("network", [LLADA, DREAM], ids=["llada", "dream"])
def test_a_layer_saves_as_much_as_the_formula_says(network, adapters, dtype):
    two, three = (saved_bytes(wide_model(network, layers, adapters, dtype)) for layers in (2, 3))
    expected = LENGTH * saved_by_layer(network, adapters, dtype.itemsize)
    assert three - two == pytest.approx(expected, rel=0.01)


def test_dropout_saves_a_byte_for_each_number_and_a_copy():
    dropped, plain = (saved_by_layer(LLADA, lora(ALL[:3], dropout=rate), 2) for rate in (0.05, 0.0))
    assert dropped - plain == 3 * 4096


@pytest.mark.parametrize("network", [LLADA, DREAM], ids=["llada", "dream"])
def test_adapters_are_counted(network):
    adapters = lora(ALL, rank=4)
    model = wide_model(network, 2, adapters, torch.bfloat16)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert network.adapter_parameters(adapters) == trained / 2 * network.num_layers


def test_published_sizes():
    assert 2 * LLADA.num_parameters == 16_031_162_368  # total_size of the published indexes
    assert 2 * DREAM.num_parameters == 15_231_233_024


def test_the_chunk_of_the_head_is_that_of_the_model():
    assert HEAD_CHUNK == head.HEAD_CHUNK


def test_lora_without_checkpointing_takes_as_much_as_published():
    """33 GB at 2,048 tokens (ZHZisZZ/dllm, issue 14)."""
    settings = {"max_length": 2048, "gradient_checkpointing": False, "zero_stage": 0}
    parts = training_memory(LLADA, PAPER.training.model_copy(update=settings), num_processes=1)
    assert parts.total / 1e9 == pytest.approx(33, rel=0.2)


def test_the_paper_fits_a_card_with_40_gb_and_barely_one_with_24():
    parts = training_memory(LLADA, PAPER.training, num_processes=1)
    assert parts.weights / 1e9 == pytest.approx(16.4, abs=0.05)
    assert 0.9 * GPUS["4090"].memory_gib < parts.total / GIB < 0.6 * GPUS["a100-40"].memory_gib


def test_zero_divides_the_parts_of_its_stage():
    def parts(stage, processes):
        settings = PAPER.training.model_copy(update={"lora": None, "zero_stage": stage})
        return training_memory(LLADA, settings, num_processes=processes)

    size = LLADA.num_parameters
    assert parts(1, 1).optimizer == 12 * size
    assert parts(1, 8).optimizer == 12 * size / 8
    assert parts(1, 8).gradients == 2 * size
    assert parts(2, 8).gradients == 2 * size / 8
    assert parts(2, 1).gradients == 6 * size  # the optimiser step converts them to float32
    assert parts(2, 1).activations == 0
    assert parts(2, 8).weights == 2 * size
    assert parts(3, 8).weights == 2 * size / 8 + 2e9
    assert parts(2, 4).total / GIB < GPUS["a100-80"].memory_gib < parts(2, 2).total / GIB


def test_offloading_moves_the_states_to_the_cpu():
    settings = PAPER.training.model_copy(update={"lora": None, "offload_optimizer": True})
    parts = training_memory(LLADA, settings, num_processes=1)
    assert parts.optimizer == parts.gradients == 0
    assert offloaded_memory(LLADA, settings) == 16 * LLADA.num_parameters
    assert offloaded_memory(LLADA, PAPER.training) == 0


def test_sampling_needs_the_weights_and_little_more():
    parts = sampling_memory(LLADA, PAPER.sampling, prompt_length=200)
    assert 0 < parts.total - parts.weights < 4 * GIB
    cached = PAPER.sampling.model_copy(update={"kv_cache": "dual"})
    more = sampling_memory(LLADA, cached, prompt_length=200)
    assert more.activations - parts.activations == 2 * 32 * 4096 * 2 * 8 * 712
    assert forward_memory(LLADA, dtype="float32", tokens=1).weights == 2 * parts.weights
