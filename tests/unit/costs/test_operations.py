"""The closed formulas against the operations that PyTorch counts on small real networks."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.support.models import tiny_dream, tiny_model
from weft.config import load_experiment
from weft.config.training import Lora
from weft.costs import Pass, sampling_operations, training_operations
from weft.costs.gpus import GPUS, gpu_hours
from weft.costs.networks import PUBLISHED_NETWORKS
from weft.sampling import generate
from weft.training.adapters import add_adapters, lora_settings
from weft.verify.planned import network_of

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

LENGTH = 24
ANSWER = 12
LORAS = {
    "queries, keys, values": ["q_proj", "k_proj", "v_proj"],
    "all": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "output": ["o_proj"],
    "feed-forward": ["up_proj", "down_proj"],
}


def lora(targets, rank=3):
    return Lora(rank=rank, alpha=6, dropout=0.0, target_modules=targets)


def count(work):
    """Count the operations of some work; the plain kernel of attention is made of counted products."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        work()
    return counter.get_total_flops()


def train_step(model, checkpointing=False):
    """Run one step on the answer, of which half is masked, and return the counted operations."""
    model.train()
    if checkpointing:
        body = getattr(model, "get_base_model", lambda: model)()
        body.activation_checkpointing_enable()
    chosen = torch.zeros(1, LENGTH, dtype=torch.bool)
    chosen[:, :ANSWER:2] = True
    ids = torch.zeros(1, LENGTH, dtype=torch.long)

    def work():
        options = {"targets": ids[chosen], "token_weights": torch.ones(ANSWER // 2)}
        model(input_ids=ids, logits_positions=chosen, **options).loss.backward()

    return count(work)


def training(**changes):
    described = load_experiment("experiments/tiny.yaml").training
    given = {"max_length": LENGTH, "gradient_checkpointing": False, "lora": None} | changes
    return described.model_copy(update=given)


@pytest.fixture(autouse=True)
def plain_attention(monkeypatch):
    """The plain kernel keeps the attention weights, so that its backward pass has two products each."""
    monkeypatch.setattr("weft.costs.operations.ATTENTION_BACKWARD", 2.0)


@pytest.mark.parametrize("make", [tiny_model, tiny_dream])
def test_a_forward_pass(tokenizer, make):
    model = make(tokenizer)
    ids = torch.zeros(1, LENGTH, dtype=torch.long)
    counted = count(lambda: model(input_ids=ids))
    assert Pass(network_of(model.config), LENGTH).forward(LENGTH) == counted


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("make", [tiny_model, tiny_dream])
def test_a_training_step_of_all_parameters(tokenizer, make, checkpointing):
    model = make(tokenizer)
    network = network_of(model.config)
    counted = train_step(model, checkpointing)
    settings = training(gradient_checkpointing=checkpointing)
    assert training_operations(network, settings, answer_tokens=ANSWER) == counted


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("targets", LORAS.values(), ids=LORAS.keys())
@pytest.mark.parametrize("make", [tiny_model, tiny_dream])
def test_a_training_step_of_adapters(tokenizer, make, targets, checkpointing):
    model = make(tokenizer)
    network, adapters = network_of(model.config), lora(targets)
    counted = train_step(add_adapters(model, lora_settings(adapters)), checkpointing)
    settings = training(lora=adapters, gradient_checkpointing=checkpointing)
    assert training_operations(network, settings, answer_tokens=ANSWER) == counted


def test_methods_cost_their_masks_and_a_live_probe():
    methods = load_experiment("experiments/ablations.yaml").methods
    network, settings = PUBLISHED_NETWORKS["GSAI-ML/LLaDA-8B-Instruct"], training(max_length=512)
    sft, twice, weft, frozen = (
        training_operations(network, settings, methods[name])
        for name in ("sft", "sft-2x", "weft", "weft-frozen")
    )
    assert twice == 2 * sft
    assert frozen == sft
    assert weft - sft == Pass(network, 512).forward(512)


MODES = {
    "exact": {},
    "guided": {"cfg_scale": 0.5},
    "random": {"remasking": "random"},
    "dual": {"kv_cache": "dual"},
    "prefix": {"kv_cache": "prefix"},
}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
@pytest.mark.parametrize("adapters", [None, lora(["q_proj", "v_proj"])], ids=["merged", "adapters"])
def test_sampling(tokenizer, mode, adapters):
    model = tiny_model(tokenizer)
    network = network_of(model.config)
    if adapters is not None:
        model = add_adapters(model, lora_settings(adapters)).eval()
    prompt, options = [1] * 10, {"block_length": 8, "diffusion_steps": 8, "seed": 0} | mode
    mask = tokenizer.mask_token_id
    counted = count(lambda: generate(model, [prompt], gen_length=16, mask_token_id=mask, **options))
    base = load_experiment("experiments/tiny.yaml").sampling
    sampling = base.model_copy(update={"block_length": 8, "tokens_per_step": 2} | mode)
    sizes = {"prompt_length": len(prompt), "gen_length": 16, "lora": adapters}
    assert sampling_operations(network, sampling, **sizes) == counted
    half = sampling_operations(network, sampling, **sizes, share_of_blocks=0.5)
    assert half == counted / 2


# Published costs, with their sources in docs/decisions/0051-costs-by-closed-formulas.md.


def test_full_fine_tuning_on_eight_a100_takes_as_long_as_published():
    network = PUBLISHED_NETWORKS["GSAI-ML/LLaDA-8B-Base"]
    hours = [
        gpu_hours(5 * 939_000 * training_operations(network, training(max_length=length)), GPUS["a100-80"])
        for length in (300, 500)
    ]
    assert hours[0][0] < 354 < hours[1][1]  # 44.24 hours on eight


@pytest.mark.parametrize("canvas", [356, 456])
def test_denoising_on_an_h100_takes_as_long_as_published(canvas):
    sampling = load_experiment("experiments/paper.yaml").sampling
    network = PUBLISHED_NETWORKS["GSAI-ML/LLaDA-8B-Instruct"]
    one = sampling_operations(network, sampling, prompt_length=canvas - 256, gen_length=256)
    best, worst = gpu_hours(12 * one, GPUS["h100"])
    assert best * 3600 < 30 < worst * 3600
