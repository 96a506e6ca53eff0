import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from weft.diffusion import cart_weight, elbo_weight, inverse_rate, num_loss_tokens, token_masking_rate

ANSWER = torch.tensor([[False, True, True, True]])
MASKED = torch.tensor([[False, True, False, True]])


def test_weight_is_divided_only_where_masked():
    rates = torch.tensor([[0.0, 0.5, 0.0, 0.25]])
    assert inverse_rate(rates, MASKED).tolist() == [[0, 2, 0, 4]]


@pytest.mark.parametrize(("power", "expected"), [(0.0, [1, 1]), (0.5, [2**0.5, 2]), (2.0, [4, 16])])
def test_weight_with_a_power_by_hand(power, expected):
    rates = torch.tensor([[0.0, 0.5, 0.0, 0.25]])
    weight = inverse_rate(rates, MASKED, power=power)
    assert weight[MASKED].tolist() == pytest.approx(expected)
    assert not weight[~MASKED].any()


@pytest.mark.parametrize(("divisor", "expected"), [("answer_tokens", 3), ("masked_tokens", 2)])
def test_num_loss_tokens(divisor, expected):
    assert num_loss_tokens(MASKED, ANSWER, divisor=divisor).tolist() == [expected]


def test_inverse_rate_makes_every_token_count_once_on_average():
    # E[1(masked) / t_i] = 1 for any rate
    generator = torch.Generator().manual_seed(0)
    rates = torch.tensor([[0.1, 0.4, 0.9]]).expand(20_000, 3)
    masked = torch.rand(rates.shape, generator=generator) < rates
    total = inverse_rate(rates, masked).mean(dim=0)
    assert total.tolist() == pytest.approx([1, 1, 1], abs=0.07)


def elbo(t, ratio):
    t, ratio = torch.tensor([t]), torch.tensor([[ratio]])
    rate = token_masking_rate(t, ratio, min_rate=1e-9)
    return elbo_weight(t, ratio, rate, torch.tensor([[True]])).item()


def test_exact_weight_by_hand():
    # r = 2, t = 0.5: t_i = 0.75 and dt_i/dt = 2 x 0.5 = 1
    assert elbo(0.5, 2.0) == pytest.approx(1 / 0.75)


@given(st.floats(1e-3, 1))
def test_exact_weight_of_an_average_token_is_one_over_t_to_the_bit(t):
    assert elbo(t, 1.0) == torch.tensor(t).reciprocal().item()


@given(st.floats(1e-3, 1), st.floats(0, 10))
@example(1.0, 0.5)
def test_exact_weight_is_finite_up_to_the_end_of_time(t, ratio):
    assert 0 <= elbo(t, ratio) < float("inf")


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0, 3.0])
def test_exact_weight_integrates_the_bound_of_every_token_over_its_own_rate(ratio):
    # E_t[1(masked) w] = integral of dt_i/dt = t_i(1) - t_i(0) = 1: no token is up-weighted in the bound
    t = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000
    rates = torch.full((len(t), 1), ratio, dtype=torch.float64)
    masked_share = token_masking_rate(t, rates, min_rate=0.0)
    everything = torch.ones_like(rates, dtype=torch.bool)
    weights = elbo_weight(t, rates, masked_share, everything)
    assert (weights * masked_share).mean().item() == pytest.approx(1, abs=5e-3)


def test_context_weight_by_hand():
    # masked at 1 and 2; token 1 sees 0 at distance 1 and 3 at distance 2, with p = 0.5: 0.5 (0.5 + 0.25)
    masked = torch.tensor([[False, True, True, False]])
    assert cart_weight(masked, p=0.5)[0].tolist() == pytest.approx([0, 0.375, 0.375, 0])


def test_a_token_with_nothing_visible_has_no_context_weight():
    assert cart_weight(torch.ones(1, 3, dtype=torch.bool), p=0.1).tolist() == [[0, 0, 0]]


def test_context_weight_approaches_one_where_all_neighbours_are_visible():
    masked = torch.zeros(1, 401, dtype=torch.bool)
    masked[0, 200] = True
    assert cart_weight(masked, p=0.1).sum().item() == pytest.approx(1, abs=1e-3)
