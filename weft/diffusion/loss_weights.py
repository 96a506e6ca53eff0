"""Loss weights of the masked tokens, and the number of tokens by which the loss is divided.

All weights are batch x length and 0 where no token is masked. They are computed at the masked positions
only, because elsewhere a rate may be 0.
"""

from typing import Literal

import torch

from weft.axes import BatchFloats, FlatFloats, TokenFloats, TokenMask


def inverse_rate(masking_rate: TokenFloats, is_masked: TokenMask, *, power: float = 1.0) -> TokenFloats:
    """Compute the inverse masking rate of each masked token.

    Args:
        masking_rate: probability t_i that each token is masked.
        is_masked: True where a token is masked.
        power: exponent a; 1 gives the weight of the paper, 0 gives equal weights.

    Returns:
        (1/t_i)^a at each masked token.

    Source:
        LLaDA's 1/t; the paper's 1/t_i.
    """
    inverse = masking_rate[is_masked].reciprocal()
    return _at_masked(is_masked, inverse if power == 1 else inverse.pow(power))


def elbo_weight(
    t: BatchFloats, relative_rate: TokenFloats, masking_rate: TokenFloats, is_masked: TokenMask
) -> TokenFloats:
    """Compute the weight of the exact evidence bound for unequal masking rates.

    With one time t for all tokens and rates t_i = 1 - (1-t)^r, the bound weights token i by
    (dt_i/dt)/t_i, and dt_i/dt = r (1-t)^(r-1).

    Args:
        t: diffusion time of each example.
        relative_rate: r = beta_i/beta_ref, at least 0, no unit.
        masking_rate: t_i.
        is_masked: True where a token is masked.

    Returns:
        r (1-t)^(r-1) / t_i at each masked token, which is exactly 1/t where r is 1. The factor 1-t is at
        least 2^-24, the spacing of fp32 numbers below 1, so that the weight stays finite.

    Source:
        Derived in docs/method.md; the paper averages over uniform t_i in its theorem but draws a uniform t.
    """
    relative = relative_rate[is_masked]
    remaining = (1 - t).clamp(min=2.0**-24)[:, None].expand_as(masking_rate)[is_masked]
    return _at_masked(is_masked, relative * remaining.pow(relative - 1) / masking_rate[is_masked])


def cart_weight(is_masked: TokenMask, *, p: float) -> TokenFloats:
    """Compute a weight that grows with the number of visible tokens near each masked token.

    Args:
        is_masked: True where a token is masked; all others, including prompt and padding, are visible.
        p: parameter of the geometric distribution of the distance, in (0, 1).

    Returns:
        At each masked token, half the sum of p (1-p)^(d-1) over the visible positions at distance d.

    Source:
        Dream's context-adaptive reweighting (CART); its published configuration has p = 0.1.
    """
    position = torch.arange(is_masked.shape[1], device=is_masked.device)
    distance = (position[:, None] - position[None, :]).abs()
    kernel = torch.where(distance > 0, 0.5 * p * (1 - p) ** (distance - 1.0), 0.0)
    return _at_masked(is_masked, ((~is_masked).to(kernel.dtype) @ kernel)[is_masked])


def num_loss_tokens(
    is_predicted: TokenMask, is_predictable: TokenMask, *, divisor: Literal["answer_tokens", "masked_tokens"]
) -> BatchFloats:
    """Count the tokens by which the loss of each example is divided.

    Args:
        is_predicted: True where a token is masked and predicted.
        is_predictable: True where a token may be masked and predicted.
        divisor: count all answer tokens (d1's SFT) or only the masked ones (WeFT, Algorithm 1).

    Returns:
        The number of tokens of each example.

    Source:
        ``answer_tokens``: d1 @ 837888f; ``masked_tokens``: the paper's Algorithm 1, but not its Eq. 10.
    """
    counted = is_predictable if divisor == "answer_tokens" else is_predicted
    return counted.sum(dim=1).to(torch.float32)


def _at_masked(is_masked: TokenMask, values: FlatFloats) -> TokenFloats:
    """Place one value at each masked position, in row-major order, and 0 elsewhere."""
    return values.new_zeros(is_masked.shape).masked_scatter(is_masked, values)
