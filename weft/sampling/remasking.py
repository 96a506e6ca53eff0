"""Remasking: how many predictions a step keeps, and in which order they are chosen."""

from torch import Tensor

from weft.axes import Int, TokenFloats


def num_transfer_tokens(block_length: int, steps_per_block: int) -> list[int]:
    """Return the number of tokens to reveal in each step of a block: as equal as possible, larger first.

    Source:
        LLaDA generate.py @ b7e6c35, get_num_transfer_tokens.
    """
    share, rest = divmod(block_length, steps_per_block)
    return [share + (step < rest) for step in range(steps_per_block)]


def rank_by_confidence(confidence: TokenFloats) -> Int[Tensor, "batch length"]:
    """Return the indices that sort each row by confidence, the highest first.

    Source:
        Low-confidence remasking as in d1 @ 837888f. Equal values are sorted by position; the published top-k
        leaves their order undefined.
    """
    return confidence.argsort(dim=1, descending=True, stable=True)
