import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from weft.diffusion import (
    antithetic_uniform,
    mask_tokens,
    require_maskable,
    stratified_uniform,
    time_from_uniform,
    token_masking_rate,
)
from weft.errors import MaskingError

unit = st.floats(1e-3, 1 - 1e-3)
MASK = 9


def rate(t, ratio, min_rate=1e-9):
    ratios = torch.tensor([ratio], dtype=torch.float64)
    return token_masking_rate(torch.tensor([t], dtype=torch.float64), ratios, min_rate=min_rate)[0]


def test_time_runs_from_t_min_to_one():
    assert time_from_uniform(torch.tensor([0.0, 0.5]), t_min=0.2).tolist() == pytest.approx([0.2, 0.6])


def test_token_rate_equals_the_formula_by_hand():
    # 1 - (1 - 0.75)^0.5 = 0.5 and 1 - (1 - 0.75)^2 = 0.9375
    assert rate(0.75, [0.5, 2.0]).tolist() == pytest.approx([0.5, 0.9375])


@given(unit)
def test_a_relative_rate_of_one_gives_t_to_the_bit(t):
    assert token_masking_rate(torch.tensor([t]), torch.ones(1, 3), min_rate=1e-6).tolist() == [
        [torch.tensor(t).item()] * 3
    ]


@given(unit, st.lists(st.floats(0, 20), min_size=2, max_size=6))
def test_token_rate_grows_with_the_relative_rate_and_is_a_probability(t, ratios):
    rates = rate(t, sorted(ratios))
    assert (rates.diff() >= 0).all()
    assert ((rates > 0) & (rates <= 1)).all()


def test_extreme_values_stay_finite():
    rates = token_masking_rate(
        torch.tensor([1.0, 1e-3]), torch.tensor([[0.0, 50.0], [0.0, 1e-8]]), min_rate=1e-6
    )
    assert rates.flatten().tolist() == pytest.approx([1e-6, 1.0, 1e-6, 1e-6])


def test_masks_where_the_draw_lies_below_the_rate_and_never_in_the_prompt():
    clean = torch.tensor([[1, 2, 3, 4]])
    maskable = torch.tensor([[False, False, True, True]])
    draws = torch.tensor([[0.0, 0.0, 0.4, 0.6]])
    noisy, masked = mask_tokens(clean, torch.full((1, 4), 0.5), draws, maskable, mask_token_id=MASK)
    assert noisy.tolist() == [[1, 2, MASK, 4]]
    assert masked.tolist() == [[False, False, True, False]]


def test_share_of_masked_tokens_approaches_the_rate():
    generator = torch.Generator().manual_seed(0)
    draws = torch.rand(1, 20_000, generator=generator)
    everything = torch.ones(1, 20_000, dtype=torch.bool)
    _, masked = mask_tokens(
        torch.zeros(1, 20_000, dtype=torch.long),
        torch.full(draws.shape, 0.3),
        draws,
        everything,
        mask_token_id=MASK,
    )
    assert masked.float().mean().item() == pytest.approx(0.3, abs=0.01)


def test_an_example_without_answer_is_named():
    with pytest.raises(MaskingError, match=r"rows \[1\]"):
        require_maskable(torch.tensor([[True, False], [False, False]]))


def test_rounding_does_not_give_the_time_one():
    largest, slot = torch.tensor([1 - 2.0**-24]), torch.tensor([7])
    assert stratified_uniform(largest, slot, batch_size=8) < 1
    assert antithetic_uniform(torch.zeros(1), slot) < 1


def test_a_token_with_masking_rate_zero_is_never_masked():
    ids, zero = torch.tensor([[1, 2]]), torch.zeros(1, 2)
    _, is_masked = mask_tokens(ids, zero, zero, torch.ones(1, 2, dtype=torch.bool), mask_token_id=MASK)
    assert not is_masked.any()
