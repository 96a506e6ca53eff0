import torch
from hypothesis import given
from hypothesis import strategies as st

from weft.sampling.remasking import num_transfer_tokens, rank_by_confidence


def test_an_uneven_block_reveals_more_at_first():
    assert num_transfer_tokens(10, 4) == [3, 3, 2, 2]


@given(st.integers(1, 200), st.integers(1, 200))
def test_transfers_sum_to_the_block(block_length, steps):
    transfers = num_transfer_tokens(block_length, steps)
    assert sum(transfers) == block_length
    assert max(transfers) - min(transfers) <= 1


def test_ranking_is_by_confidence_then_by_position():
    confidence = torch.tensor([[0.1, -torch.inf, 0.9, 0.9], [0.5, 0.5, 0.5, 0.5]])
    assert rank_by_confidence(confidence).tolist() == [[2, 3, 0, 1], [0, 1, 2, 3]]
