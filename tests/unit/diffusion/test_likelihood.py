import itertools
import math
from collections import Counter

import pytest
import torch

from weft.diffusion import all_masks, draw_masks, mask_probability, masked_bound, num_masked_per_draw

LENGTHS = (1, 2, 3, 5, 7)


def random_log_prob(length):
    """A log-probability for each position and each set of masked positions that contains it; no joint law."""
    generator = torch.Generator().manual_seed(length)
    sets = [frozenset(c) for n in range(1, length + 1) for c in itertools.combinations(range(length), n)]
    return {
        (i, masked): float(torch.rand((), generator=generator).clamp(min=0.01).log())
        for masked in sets
        for i in masked
    }


def rows_of(table, masks):
    return torch.tensor(
        [
            [table.get((i, frozenset(mask.nonzero().flatten().tolist())), math.nan) for i in range(len(mask))]
            for mask in masks
        ],
        dtype=torch.float64,
    )


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_the_expectation_is_the_mean_over_all_orders_in_which_the_answer_can_be_revealed(length):
    table = random_log_prob(length)
    orders = list(itertools.permutations(range(length)))
    chains = [sum(table[i, frozenset(order[k:])] for k, i in enumerate(order)) for order in orders]
    masks = all_masks(length)
    bound = (mask_probability(masks) * masked_bound(rows_of(table, masks), masks)).sum()
    assert float(bound) == pytest.approx(sum(chains) / len(chains), abs=1e-12)


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_the_mean_over_all_draws_is_the_expectation(length):
    table, num_draws = random_log_prob(length), 5
    steps = num_draws * length  # all offsets between which no number of masks changes
    values = []
    for step in range(steps):
        counts = num_masked_per_draw((step + 0.5) / steps, length=length, num_draws=num_draws)
        for order in itertools.permutations(range(length)):
            masks = draw_masks(counts, torch.tensor([order] * num_draws, dtype=torch.float64))
            values.append(masked_bound(rows_of(table, masks), masks).mean())
    masks = all_masks(length)
    expected = (mask_probability(masks) * masked_bound(rows_of(table, masks), masks)).sum()
    assert float(torch.stack(values).mean()) == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize("length", LENGTHS)
def test_every_draw_masks_every_number_of_tokens_equally_often(length):
    num_draws = 6
    steps = num_draws * length
    counts = torch.stack(
        [
            num_masked_per_draw((step + 0.5) / steps, length=length, num_draws=num_draws)
            for step in range(steps)
        ]
    )
    for draw in counts.T.tolist():
        assert Counter(draw) == dict.fromkeys(range(1, length + 1), num_draws)


@pytest.mark.parametrize("offset", [0.0, 0.3, 0.99])
def test_the_numbers_of_masks_of_one_answer_are_spread_evenly(offset):
    counts = num_masked_per_draw(offset, length=8, num_draws=16).tolist()
    assert Counter(counts) == dict.fromkeys(range(1, 9), 2)


@pytest.mark.parametrize("length", [3, 7, 1000])
def test_rounding_masks_no_more_tokens_than_there_are(length):
    assert num_masked_per_draw(1 - 2**-53, length=length, num_draws=1).tolist() == [length]


def test_the_positions_with_the_lowest_numbers_are_masked():
    uniform = torch.tensor([[0.3, 0.1, 0.9, 0.5], [0.2, 0.8, 0.1, 0.0]])
    expected = [[True, True, False, False], [True, False, True, True]]
    assert draw_masks(torch.tensor([2, 3]), uniform).tolist() == expected


@pytest.mark.parametrize("length", LENGTHS)
def test_all_sets_are_listed_once_and_their_probabilities_sum_to_one(length):
    masks = all_masks(length)
    assert len({tuple(mask) for mask in masks.tolist()}) == len(masks) == 2**length - 1
    assert masks.any(dim=1).all()
    assert float(mask_probability(masks).sum()) == pytest.approx(1, abs=1e-12)
