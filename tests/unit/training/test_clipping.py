import pytest
import torch
from torch import nn

from weft.training.clipping import clip_gradients


def make_model():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model(torch.randn(5, 3)).square().sum().backward()
    return model


@pytest.mark.parametrize("max_norm", [0.1, 1.0, 1e9])
def test_gradients_are_scaled_like_torch_up_to_rounding(max_norm):
    model, copy = make_model(), nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    for parameter, other in zip(model.parameters(), copy.parameters(), strict=True):
        other.grad = parameter.grad.clone()
    norm = clip_gradients(model, max_norm=max_norm)
    torch.testing.assert_close(norm, nn.utils.clip_grad_norm_(copy.parameters(), max_norm))
    for parameter, other in zip(model.parameters(), copy.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad)


def test_small_gradients_are_left_as_they_are():
    model = make_model()
    before = [parameter.grad.clone() for parameter in model.parameters()]
    clip_gradients(model, max_norm=1e9)
    assert all(torch.equal(p.grad, old) for p, old in zip(model.parameters(), before, strict=True))


def test_the_factor_is_rounded_as_by_deepspeed():
    different = 0
    for number in range(20):
        model, max_norm = make_model(), 0.1 + 0.03 * number
        gradients = [parameter.grad.clone() for parameter in model.parameters()]
        squares = torch.stack([gradient.double().norm() for gradient in gradients]).pow(2).sum()
        norm = squares.float().pow(0.5)
        clip_gradients(model, max_norm=max_norm)
        expected = [gradient * (1 / ((norm + 1e-6) / max_norm)) for gradient in gradients]
        assert all(torch.equal(p.grad, e) for p, e in zip(model.parameters(), expected, strict=True))
        different += not torch.equal(expected[0], gradients[0] * (max_norm / (norm + 1e-6)))
    assert different, "torch's factor is rounded in another way"


def test_a_model_without_gradients_has_the_norm_zero():
    assert clip_gradients(nn.Linear(2, 2), max_norm=1.0) == 0
