"""From masks and rates to the weight of every masked token, and what the sum is divided by."""

from typing import Literal

import torch

from weft.axes import BatchFloats, FlatFloats, TokenFloats, TokenMask


def inverse_rate(masking_rate: TokenFloats, is_masked: TokenMask, *, power: float = 1.0) -> FlatFloats:
    """Weight each masked token by one over the rate at which it was masked.

    Args:
        masking_rate: probability of being masked.
        is_masked: True where a token was replaced.
        power: a; 1 for the paper's weight, 0 for none.

    Returns:
        (1/t_i)^a at the masked positions, in row-major order.  Divided only there: a rate of 0 never
        masks, so nothing is divided by 0.

    Source:
        LLaDA's 1/t; the paper's 1/t_i.
    """
    inverse = masking_rate[is_masked].reciprocal()
    return inverse if power == 1 else inverse.pow(power)


def elbo_weight(
    t: BatchFloats, relative_rate: TokenFloats, masking_rate: TokenFloats, is_masked: TokenMask
) -> FlatFloats:
    """Weight each masked token as the exact bound for unequal rates does.

    With one time t for all tokens and rates t_i = 1 - (1-t)^r, the bound weights token i by
    (dt_i/dt)/t_i, and dt_i/dt = r (1-t)^(r-1).

    Args:
        t: diffusion time of each example.
        relative_rate: r = beta_i/beta_ref, at least 0, no unit.
        masking_rate: t_i.
        is_masked: True where a token was replaced.

    Returns:
        r (1-t)^(r-1) / t_i at the masked positions, in row-major order; 1/t to the bit where r is 1.
        1 - t is bounded below by the spacing of fp32 numbers next to 1, so that the weight stays finite.

    Source:
        Derived here (docs/method.md); the paper's theorem averages over uniform t_i, its algorithm draws
        a uniform t.
    """
    relative = relative_rate[is_masked]
    remaining = (1 - t).clamp(min=2.0**-24)[:, None].expand_as(masking_rate)[is_masked]
    return relative * remaining.pow(relative - 1) / masking_rate[is_masked]


def cart_weight(is_masked: TokenMask, *, p: float) -> FlatFloats:
    """Weight each masked token by how much of its neighbourhood is visible.

    Args:
        is_masked: True where a token was replaced; all other positions, the prompt and padding among
            them, are visible.
        p: parameter of the geometric distribution of the distance, in (0, 1).

    Returns:
        Half the sum over visible positions of p (1-p)^(d-1), d the distance, at the masked positions, in
        row-major order.

    Source:
        Dream's context-adaptive reweighting (CART), whose shipped configuration has p = 0.1.
    """
    length = is_masked.shape[1]
    position = torch.arange(length, device=is_masked.device)
    distance = (position[:, None] - position[None, :]).abs()
    kernel = torch.where(distance > 0, 0.5 * p * (1 - p) ** (distance - 1.0), 0.0)
    return ((~is_masked).to(kernel.dtype) @ kernel)[is_masked]


def tokens_to_divide_by(
    is_masked: TokenMask, is_predictable: TokenMask, *, divisor: Literal["answer_tokens", "masked_tokens"]
) -> BatchFloats:
    """Count what the loss of each example is divided by.

    Args:
        is_masked: True where a token was replaced and is predicted.
        is_predictable: True where a token could be.
        divisor: count all answer tokens (d1's SFT) or only the masked ones (WeFT, Algorithm 1).

    Returns:
        The number of tokens of each example.

    Source:
        d1 @ 837888f for the first; the paper's Algorithm 1 for the second, which its Theorem (Eq. 10)
        does not have.
    """
    return (is_predictable if divisor == "answer_tokens" else is_masked).sum(dim=1).to(torch.float32)
