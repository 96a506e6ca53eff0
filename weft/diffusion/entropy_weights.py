"""From the probe pass to relative masking rates: entropy, its power, and the reference rate."""

from typing import Literal

import torch

from weft.axes import FlatFloats, FlatLogits, TokenFloats, TokenMask

PROBE_CHUNK = 512
"""Positions whose fp32 probabilities exist at one time (259 MB with LLaDA's vocabulary)."""


def token_entropy(logits: FlatLogits) -> FlatFloats:
    """Compute the entropy of the predicted distribution at each position.

    Args:
        logits: one row per position, any float type; the sums are made in fp32, in chunks.

    Returns:
        H in nats, at least 0.

    Source:
        Paper, step 1 of the method: softmax over the whole vocabulary.
    """
    if logits.shape[0] == 0:
        return logits.new_zeros(0, dtype=torch.float32)
    chunks = []
    for chunk in torch.split(logits, PROBE_CHUNK):
        log_probability = chunk.float().log_softmax(dim=-1)
        # p log p is 0 where p is 0, also where the logit itself is minus infinity.
        terms = torch.special.xlogy(log_probability.exp(), log_probability.exp())
        chunks.append(-terms.sum(dim=-1))
    return torch.cat(chunks).clamp(min=0)


def relative_rate(
    entropy: TokenFloats,
    in_scheme: TokenMask,
    *,
    exponent: float,
    reference: Literal["example", "batch"],
) -> TokenFloats:
    """Divide beta_i = H_i^p by the reference rate.

    Args:
        entropy: H in nats; values outside ``in_scheme`` are ignored.
        in_scheme: True where a token takes part.
        exponent: p; the paper takes the square root, 0.5.
        reference: whose mean beta is the reference rate, the example's or the micro-batch's.

    Returns:
        beta_i/beta_ref where ``in_scheme``, and exactly 1 elsewhere: such tokens are masked at
        rate t.  Where all beta are 0 the ratio is 1 as well.

    Source:
        Square root: paper, as quoted by its reviewers.  Mean over answer tokens as reference: two
        independent re-implementations agree (docs/deviations.md).
    """
    beta = torch.where(in_scheme, entropy.clamp(min=0), 0).pow(exponent)
    if reference == "example":
        total, count = beta.sum(dim=1, keepdim=True), in_scheme.sum(dim=1, keepdim=True)
    else:
        total, count = beta.sum().reshape(1, 1), in_scheme.sum().reshape(1, 1)
    mean = total / count.clamp(min=1)
    usable = in_scheme & (mean > 0)
    return torch.where(usable, beta / mean.clamp(min=torch.finfo(beta.dtype).tiny), torch.ones_like(beta))
