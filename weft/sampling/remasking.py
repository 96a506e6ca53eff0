"""Which predictions are kept in a step, and how many."""

import torch

from weft.axes import TokenFloats, TokenMask


def num_transfer_tokens(block_length: int, steps_per_block: int) -> list[int]:
    """Spread the tokens of a block over its steps as evenly as possible, larger shares first.

    Args:
        block_length: tokens to reveal.
        steps_per_block: steps to do it in.

    Returns:
        Tokens to reveal in each step; they sum to ``block_length``.

    Source:
        LLaDA generate.py @ b7e6c35, get_num_transfer_tokens.
    """
    share, rest = divmod(block_length, steps_per_block)
    return [share + (step < rest) for step in range(steps_per_block)]


def select_most_confident(confidence: TokenFloats, num_tokens: int) -> TokenMask:
    """Choose the surest positions of each row.

    Args:
        confidence: minus infinity where a position is no candidate.
        num_tokens: how many to choose per row.

    Returns:
        True at the chosen positions; fewer than ``num_tokens`` where a row has fewer candidates.

    Source:
        Low-confidence remasking as in d1 @ 837888f.  Ties: the lowest position first, which is one
        of the orders that the published top-k may return.
    """
    order = confidence.argsort(dim=1, descending=True, stable=True)[:, :num_tokens]
    chosen = torch.zeros_like(confidence, dtype=torch.bool).scatter(1, order, True)
    return chosen & (confidence > -torch.inf)
