"""The bound on the log-likelihood of an answer under a masked diffusion model.

Let an answer have L tokens. Draw a number of masks l from 1, ..., L with equal probabilities, then l of the L
positions with equal probabilities, and let S be the set of masked positions. The bound is the expectation of

    L / l * sum over i in S of log p(x_i | prompt, tokens outside S).

It equals the mean, over all orders of the positions, of the log-probability of revealing the answer in that
order token by token, and is therefore a lower bound on the logarithm of the mean of these probabilities. For
one token it is the log-probability itself. An answer with few tokens has few sets, over which the
expectation can be summed; otherwise it is estimated from draws.

Source:
    LLaDA (arXiv 2502.09992), equation 6 and algorithm 3; eval_llada.py @ 37bfaae.
"""

import math

import torch

from weft.axes import BatchFloats, BatchIds, TokenFloats, TokenMask


def num_masked_per_draw(offset: float, *, length: int, num_draws: int) -> BatchIds:
    """Spread the numbers of masked tokens of several draws evenly over 1, ..., ``length``.

    The draws share one uniform number, as in the published code, so that their numbers of masks are spread
    as evenly as possible although each alone takes all values with equal probabilities.

    Args:
        offset: uniform number in [0, 1).
        length: number of tokens of the answer.
        num_draws: number of draws.

    Returns:
        The number of masked tokens of each draw.
    """
    fraction = torch.remainder(offset + torch.arange(num_draws, dtype=torch.float64) / num_draws, 1)
    # Rounding must not give length + 1.
    return (fraction * length).long().clamp(max=length - 1) + 1


def draw_masks(num_masked: BatchIds, uniform: TokenFloats) -> TokenMask:
    """Mask a given number of positions of each row, all sets of that size with equal probabilities.

    Args:
        num_masked: number of positions to mask in each row.
        uniform: independent uniform numbers; the positions with the lowest are masked.

    Returns:
        True at masked positions.
    """
    return uniform.argsort(dim=1).argsort(dim=1) < num_masked[:, None]


def num_mask_sets(length: int) -> int:
    """Return the number of sets of positions that can be masked in an answer of ``length`` tokens."""
    return (1 << length) - 1


def all_masks(length: int) -> TokenMask:
    """Return every set of masked positions of an answer as a row, without the empty set."""
    numbers = torch.arange(1, 1 << length)
    return (numbers[:, None] >> torch.arange(length)) & 1 == 1


def mask_probability(is_masked: TokenMask) -> BatchFloats:
    """Compute the probability with which each set of masked positions is drawn.

    Args:
        is_masked: True at masked positions, at least one in each row.

    Returns:
        1 / (L * number of sets with as many positions) of each row, in float64.
    """
    length = is_masked.shape[1]
    sizes = is_masked.sum(dim=1).tolist()
    return torch.tensor([1 / (length * math.comb(length, size)) for size in sizes], dtype=torch.float64)


def masked_bound(log_prob: TokenFloats, is_masked: TokenMask) -> BatchFloats:
    """Compute the value of each draw, whose expectation is the bound.

    Args:
        log_prob: log-probability of each token of the answer given the tokens that are not masked, in nats;
            the values at positions that are not masked are ignored.
        is_masked: True at masked positions, at least one in each row.

    Returns:
        L / l * sum of the log-probabilities of the l masked tokens, for each row.
    """
    weight = is_masked.shape[1] / is_masked.sum(dim=1).to(log_prob.dtype)
    return torch.where(is_masked, log_prob, 0).sum(dim=1) * weight
