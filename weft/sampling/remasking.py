"""How many predictions a step keeps, and in which order."""

from jaxtyping import Int
from torch import Tensor

from weft.axes import TokenFloats


def num_transfer_tokens(block_length: int, steps_per_block: int) -> list[int]:
    """Divide the tokens of a block among its steps as evenly as possible, larger numbers first.

    Args:
        block_length: tokens to reveal.
        steps_per_block: denoising steps of the block.

    Returns:
        Tokens to reveal in each step; they sum to ``block_length``.

    Source:
        LLaDA generate.py @ b7e6c35, get_num_transfer_tokens.
    """
    share, rest = divmod(block_length, steps_per_block)
    return [share + (step < rest) for step in range(steps_per_block)]


def rank_by_confidence(confidence: TokenFloats) -> Int[Tensor, "batch length"]:
    """Return the order of confidence in each row, the highest first.

    Args:
        confidence: confidence of each position; minus infinity for positions that must come last.

    Returns:
        Indices, batch x length.

    Source:
        Low-confidence remasking as in d1 @ 837888f. Of equal values the lowest position goes first, which is
        one of the orders that the published top-k may return.
    """
    return confidence.argsort(dim=1, descending=True, stable=True)
