import pytest
import torch

from weft.model import DreamForMaskedDiffusion
from weft.verify import parity
from weft.verify.formula import formula_model
from weft.verify.network import Shape, random_network
from weft.verify.parity import check_stored, compare_with_plain

CPU = torch.device("cpu")
SHAPE = Shape(width=32, num_layers=2, vocab_size=64)


def test_this_device_reproduces_the_stored_numbers():
    measured = list(check_stored(CPU))
    assert len(measured) == 6
    assert {item.verdict for item in measured} == {"passed"}


def test_a_device_that_computes_something_else_fails_every_check(monkeypatch):
    def disturbed(family):
        model = formula_model(family)
        with torch.no_grad():
            model.model.layers[1].self_attn.q_proj.weight.mul_(1.05)
            model.lm_head.weight.mul_(-1)
        return model

    monkeypatch.setattr(parity, "formula_model", disturbed)
    assert {item.verdict for item in check_stored(CPU)} == {"FAILED"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_whole_network_equals_the_plain_one(dtype):
    difference, other_tokens = compare_with_plain(random_network(SHAPE, spread=2.0, dtype=dtype))
    assert difference.verdict == "passed"
    assert difference.value > 0
    assert other_tokens.value < 0.1


def test_dream_is_compared_at_the_positions_that_it_predicts():
    model = formula_model("dream")
    assert isinstance(model, DreamForMaskedDiffusion)
    difference, _ = compare_with_plain(model)
    assert difference.verdict == "passed"


def test_a_network_with_another_attention_fails():
    model = random_network(SHAPE, spread=2.0)
    with torch.no_grad():
        attention = model.model.layers[0].self_attn.o_proj
        attention.register_forward_hook(lambda module, args, output: 1.01 * output)
        difference, _ = compare_with_plain(model)
    assert difference.verdict == "FAILED"
