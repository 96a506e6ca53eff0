"""The closed formulas against what is counted on LLaDA-8B and Dream-7B at their true width and depth."""

import pytest
import torch

from tests.support.imagined import imagined, imagined_model
from weft.config import load_experiment
from weft.costs import (
    PUBLISHED_NETWORKS,
    sampling_memory,
    sampling_operations,
    training_memory,
    training_operations,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning", "ignore::UserWarning"
)
NETWORKS = {
    "llada": PUBLISHED_NETWORKS["GSAI-ML/LLaDA-8B-Instruct"],
    "dream": PUBLISHED_NETWORKS["Dream-org/Dream-v0-Instruct-7B"],
}
PAPER = load_experiment("experiments/paper.yaml")
LENGTH, NUM_MASKED = 4096, 2048
CANVAS, BLOCK = 712, 32


def count_training_step(family, training):
    """Count the forward and the backward pass of one example, of whose tokens half are masked."""
    model = imagined_model(family, training.lora).train()
    if training.gradient_checkpointing:
        model.get_base_model().activation_checkpointing_enable()
    with imagined(model, num_chosen=NUM_MASKED) as counts:
        model(
            input_ids=torch.zeros(1, LENGTH, dtype=torch.long),
            logits_positions=torch.zeros(1, LENGTH, dtype=torch.bool),
            targets=torch.zeros(NUM_MASKED, dtype=torch.long),
            token_weights=torch.ones(NUM_MASKED),
        ).loss.backward()
    return counts


@pytest.mark.parametrize(("family", "checkpointing"), [("llada", True), ("llada", False), ("dream", True)])
def test_a_training_step_of_the_paper(family, checkpointing):
    # On the processor the mask of dropout takes four bytes for each number, on a GPU one byte.
    lora = PAPER.training.lora.model_copy(update={"dropout": 0.0})
    changed = {"gradient_checkpointing": checkpointing, "lora": lora, "zero_stage": 0}
    training = PAPER.training.model_copy(update=changed)
    counts = count_training_step(family, training)
    assert training_operations(NETWORKS[family], training) == counts.operations
    parts = training_memory(NETWORKS[family], training, num_processes=1)
    assert parts.weights == pytest.approx(counts.static_bytes, rel=1e-6)
    # The formula adds the largest parts of the head and of a layer, which do not exist at the same time.
    computed = parts.total - parts.optimizer - parts.context
    assert counts.peak_bytes < computed < 1.05 * counts.peak_bytes


@pytest.mark.parametrize("family", NETWORKS)
def test_a_probe_pass(family):
    training = PAPER.training
    model = imagined_model(family, training.lora).train()
    with imagined(model, num_chosen=LENGTH) as counts, torch.no_grad():
        model(
            input_ids=torch.zeros(1, LENGTH, dtype=torch.long),
            logits_positions=torch.zeros(1, LENGTH, dtype=torch.bool),
            logits_fn=lambda logits, _: logits.float().log_softmax(-1).amax(-1),
        )
    weft, sft = (
        training_operations(NETWORKS[family], training, PAPER.methods[name]) for name in ("weft", "sft")
    )
    assert weft - sft == counts.operations


@pytest.mark.parametrize("family", NETWORKS)
def test_a_denoising_pass(family):
    sampling = PAPER.sampling.model_copy(
        update={"tokens_per_step": BLOCK, "block_length": BLOCK, "gen_lengths": [BLOCK]}
    )
    model = imagined_model(family).eval()
    with imagined(model, num_chosen=BLOCK) as counts, torch.no_grad():
        model(
            input_ids=torch.zeros(sampling.batch_size, CANVAS, dtype=torch.long),
            logits_positions=torch.zeros(sampling.batch_size, BLOCK, dtype=torch.long),
            logits_fn=lambda logits, _: logits.float().logsumexp(-1),
        )
    one = sampling_operations(NETWORKS[family], sampling, prompt_length=CANVAS - BLOCK, gen_length=BLOCK)
    assert sampling.batch_size * one == counts.operations
    parts = sampling_memory(NETWORKS[family], sampling, prompt_length=CANVAS - BLOCK)
    assert parts.weights == pytest.approx(counts.static_bytes, rel=1e-6)
    assert counts.peak_bytes < parts.total - parts.context < 1.06 * counts.peak_bytes
