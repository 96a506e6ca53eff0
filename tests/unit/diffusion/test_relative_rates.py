import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weft.diffusion import permute_within_examples, reference_rate, relative_rate, token_entropy, token_nll

ALL = torch.ones(1, 3, dtype=torch.bool)


def ratios(beta, where=None, *, over_batch=False):
    beta = torch.tensor(beta)
    where = torch.ones_like(beta, dtype=torch.bool) if where is None else torch.tensor(where)
    return relative_rate(beta, where, reference_rate(beta, where, over_batch=over_batch))


def test_entropy_of_uniform_certain_and_even_choice():
    logits = torch.tensor([[0.0, 0, 0, 0], [100, 0, 0, 0], [50, 50, -100, -100]])
    assert token_entropy(logits).tolist() == pytest.approx([math.log(4), 0, math.log(2)], abs=1e-6)


def test_entropy_survives_impossible_tokens_and_empty_input():
    assert token_entropy(torch.tensor([[0.0, -torch.inf]])).tolist() == [0]
    assert token_entropy(torch.zeros(0, 5)).shape == (0,)


def test_entropy_is_computed_in_fp32_whatever_the_logits_are():
    logits = torch.randn(20, 50).bfloat16()
    assert torch.equal(token_entropy(logits), token_entropy(logits.float()))


def test_negative_log_likelihood_by_hand():
    logits = torch.tensor([[math.log(3), 0.0]])  # probabilities 3/4 and 1/4
    assert token_nll(logits, torch.tensor([1])).item() == pytest.approx(math.log(4))


def test_relative_rate_by_hand():
    assert ratios([[1.0, 2.0, 3.0]]).tolist() == [[0.5, 1.0, 1.5]]


def test_tokens_without_their_own_rate_keep_rate_t_and_do_not_move_the_reference():
    assert ratios([[1.0, 3.0, 1e6]], [[True, True, False]]).tolist() == [[0.5, 1.5, 1.0]]


def test_reference_over_the_example_or_the_batch():
    beta = [[1.0, 1.0], [3.0, 3.0]]
    assert ratios(beta).tolist() == [[1, 1], [1, 1]]
    assert ratios(beta, over_batch=True).tolist() == [[0.5, 0.5], [1.5, 1.5]]


def test_a_given_reference_rate_is_used():
    beta = torch.tensor([[1.0, 4.0, 2.0]])
    assert relative_rate(beta, ALL, torch.tensor([2.0])).tolist() == [[0.5, 2.0, 1.0]]


def test_zero_uncertainty_everywhere_gives_equal_rates():
    assert ratios([[0.0, 0.0, 0.0]]).tolist() == [[1, 1, 1]]


@given(st.lists(st.floats(1e-3, 12), min_size=3, max_size=3))
def test_relative_rates_average_to_one(betas):
    assert ratios([betas]).mean().item() == pytest.approx(1, rel=1e-4)


@given(st.floats(1e-6, 12), st.integers(1, 3000))
def test_equal_uncertainties_give_ratios_of_one_to_the_bit_for_any_length(beta, length):
    assert set(ratios([[beta] * length])[0].tolist()) == {1.0}


@given(st.floats(1e-3, 12), st.floats(1.01, 3))
def test_a_larger_uncertainty_gives_a_larger_ratio(beta, factor):
    smaller, larger, _ = ratios([[beta, beta * factor, beta * 2]])[0].tolist()
    assert smaller < larger


@given(st.integers(0, 10_000))
def test_the_permuted_control_keeps_the_values_of_each_example_and_the_places_outside(seed):
    generator = torch.Generator().manual_seed(seed)
    values = torch.arange(12.0).reshape(2, 6)
    where = torch.rand(2, 6, generator=generator) < 0.6
    shuffled = permute_within_examples(values, where, torch.rand(2, 6, generator=generator))
    for row in range(2):
        assert sorted(shuffled[row][where[row]].tolist()) == values[row][where[row]].tolist()
    assert torch.equal(shuffled[~where], values[~where])


def test_the_permuted_control_gives_every_token_every_value_equally_often():
    generator = torch.Generator().manual_seed(0)
    values = torch.tensor([[1.0, 2.0, 3.0]]).expand(6000, 3)
    shuffled = permute_within_examples(values, ALL.expand(6000, 3), torch.rand(6000, 3, generator=generator))
    for value in (1, 2, 3):
        assert (shuffled == value).float().mean(dim=0).tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
