"""From per-token negative log-likelihoods to the loss of a micro-batch."""

from typing import Literal

import torch

from weft.axes import FlatFloats, Scalar, TokenFloats, TokenMask


def inverse_rate(masking_rate: TokenFloats, is_masked: TokenMask) -> FlatFloats:
    """Weight each masked token by one over the rate at which it was masked.

    Args:
        masking_rate: probability of being masked.
        is_masked: True where a token was replaced.

    Returns:
        1/t_i at the masked positions, in row-major order.  Divided only there: a rate of 0 never
        masks, so nothing is divided by 0.

    Source:
        LLaDA's 1/t; the paper's 1/t_i.
    """
    return masking_rate[is_masked].reciprocal()


def masked_loss(
    token_nll: FlatFloats,
    weight: FlatFloats,
    is_masked: TokenMask,
    is_maskable: TokenMask,
    *,
    divisor: Literal["answer_tokens", "masked_tokens"],
) -> Scalar:
    """Sum the weighted negative log-likelihoods and divide by a number of tokens.

    Args:
        token_nll: of the masked tokens, in nats, row-major order.
        weight: of the masked tokens, no unit.
        is_masked: True where a token was replaced.
        is_maskable: True on the answer.
        divisor: count all answer tokens (d1's SFT) or only the masked ones (WeFT, Algorithm 1).

    Returns:
        The loss in nats per counted token; 0, with a gradient of 0, when nothing was masked.

    Source:
        d1 @ 837888f for the first divisor; the paper's Algorithm 1 for the second, which its
        Theorem (Eq. 10) does not have.
    """
    counted = is_maskable if divisor == "answer_tokens" else is_masked
    return (token_nll * weight).sum() / counted.sum().clamp(min=1).to(torch.float32)
