"""Which predictions are kept in a step, and how many."""

from jaxtyping import Int
from torch import Tensor

from weft.axes import TokenFloats


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


def rank_by_confidence(confidence: TokenFloats) -> Int[Tensor, "batch length"]:
    """Order the candidates of each row, the surest first.

    Args:
        confidence: minus infinity where a position is no candidate.

    Returns:
        Indices into each row.

    Source:
        Low-confidence remasking as in d1 @ 837888f.  Ties: the lowest position first, which is one
        of the orders that the published top-k may return.
    """
    return confidence.argsort(dim=1, descending=True, stable=True)
