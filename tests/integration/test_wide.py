"""A model of LLaDA-8B's width and vocabulary through ``weft train`` and ``weft sample``."""

import shutil

import pytest
import torch
from safetensors.torch import load_file

from tools.rehearse_wide import Sizes, expected_entropy, rehearse

pytestmark = pytest.mark.slow

SIZES = Sizes(num_layers=1, max_length=256, gen_length=64, sampling_steps=2, methods=("weft",))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wide")
    yield rehearse(folder, SIZES)
    shutil.rmtree(folder)  # 2.5 GB


def test_the_probe_is_as_uncertain_as_random_logits_over_the_whole_vocabulary(outcome):
    assert outcome.metrics["weft"].mean_uncertainty == pytest.approx(expected_entropy(), abs=0.03)


def test_the_step_trains_adapters_of_the_true_shapes(outcome):
    metrics, tensors = (
        outcome.metrics["weft"],
        load_file(outcome.adapter("weft") / "adapter_model.safetensors"),
    )
    shapes = {"A": (128, 4096), "B": (4096, 128)}
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
        f"base_model.model.model.layers.0.self_attn.{module}_proj.lora_{side}.weight": shape
        for module in "qkv"
        for side, shape in shapes.items()
    }
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
    # PEFT initialises B with zeros, so that other values come from the step.
    assert all(tensor.any() for name, tensor in tensors.items() if "lora_B" in name)
    assert 5 < metrics.loss < 50  # about 12.9 nats for each token, with the weights of one draw of masks


def test_the_answer_has_the_tokens_of_the_whole_vocabulary(outcome):
    (answer,) = outcome.answers
    assert (answer.gen_length, answer.num_forward) == (64, 2)
    # Random predictions lie in the part of the vocabulary for which the stand-in tokenizer has fillers.
    assert len(set(answer.generation.split("<unused "))) > 10
