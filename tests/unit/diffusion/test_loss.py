import pytest
import torch

from weft.diffusion import inverse_rate, masked_loss

ANSWER = torch.tensor([[False, True, True, True]])
MASKED = torch.tensor([[False, True, False, True]])


def test_weight_is_divided_only_where_masked():
    rates = torch.tensor([[0.0, 0.5, 0.0, 0.25]])
    assert inverse_rate(rates, MASKED).tolist() == [2.0, 4.0]


@pytest.mark.parametrize(("divisor", "expected"), [("answer_tokens", 14 / 3), ("masked_tokens", 7.0)])
def test_loss_by_hand(divisor, expected):
    # 2 x 1 + 4 x 3 = 14, over three answer tokens or two masked ones
    loss = masked_loss(torch.tensor([1.0, 3.0]), torch.tensor([2.0, 4.0]), MASKED, ANSWER, divisor=divisor)
    assert loss.item() == pytest.approx(expected)


def test_nothing_masked_gives_zero_and_a_gradient():
    nll = torch.zeros(0, requires_grad=True)
    loss = masked_loss(nll, torch.zeros(0), torch.zeros_like(MASKED), ANSWER, divisor="masked_tokens")
    loss.backward()
    assert loss.item() == 0


def test_inverse_rate_makes_every_token_count_once_on_average():
    # E[1(masked) / t_i] = 1 for any rate
    generator = torch.Generator().manual_seed(0)
    rates = torch.tensor([[0.1, 0.4, 0.9]]).expand(20_000, 3)
    masked = torch.rand(rates.shape, generator=generator) < rates
    total = torch.zeros(rates.shape).masked_scatter(masked, inverse_rate(rates, masked)).mean(dim=0)
    assert total.tolist() == pytest.approx([1, 1, 1], abs=0.07)
