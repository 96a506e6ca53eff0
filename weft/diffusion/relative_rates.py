"""Uncertainty of a predicted token, and its relative masking rate beta_i/beta_ref."""

import torch

from weft.axes import BatchFloats, FlatFloats, FlatIds, FlatLogits, TokenFloats, TokenMask


def token_entropy(logits: FlatLogits) -> FlatFloats:
    """Compute the entropy of the predicted distribution at each position.

    Args:
        logits: one row per position, any float type; sums are computed in fp32.

    Returns:
        H in nats, at least 0.

    Source:
        Paper, step 1 of the method: softmax over the whole vocabulary.
    """
    log_probability = logits.float().log_softmax(dim=-1)
    probability = log_probability.exp()
    # xlogy gives 0 where p is 0, even if the logit is minus infinity.
    entropy: FlatFloats = torch.special.xlogy(probability, probability).sum(dim=-1).neg().clamp(min=0)
    return entropy


def token_nll(logits: FlatLogits, target_ids: FlatIds) -> FlatFloats:
    """Compute the negative log-likelihood of the true token at each position.

    Args:
        logits: one row per position, any float type; sums are computed in fp32.
        target_ids: the true token of each row.

    Returns:
        -log p(target) in nats, at least 0.

    Source:
        Paper, ablation "NLL instead of entropy", which does not mention a square root.
    """
    return torch.nn.functional.cross_entropy(logits.float(), target_ids, reduction="none").clamp(min=0)


def reference_rate(beta: TokenFloats, has_token_rate: TokenMask, *, over_batch: bool) -> BatchFloats:
    """Average beta over the tokens that have a token-level masking rate.

    Args:
        beta: power of the uncertainty, at least 0.
        has_token_rate: True where a token has a token-level masking rate.
        over_batch: average over the whole batch instead of over each example.

    Returns:
        beta_ref of each example; 0 where no token is counted.

    Source:
        Mean over answer tokens: two independent re-implementations agree. They disagree on whether it is
        taken over the example or over the micro-batch (docs/deviations.md).
    """
    total, count = torch.where(has_token_rate, beta, 0).sum(dim=1), has_token_rate.sum(dim=1)
    if over_batch:
        total, count = total.sum().expand_as(total), count.sum().expand_as(count)
    return total / count.clamp(min=1)


def relative_rate(beta: TokenFloats, has_token_rate: TokenMask, reference: BatchFloats) -> TokenFloats:
    """Divide beta_i by the reference rate.

    Args:
        beta: power of the uncertainty, at least 0; ignored where ``has_token_rate`` is False.
        has_token_rate: True where a token has a token-level masking rate.
        reference: beta_ref of each example.

    Returns:
        r = beta_i/beta_ref. It is exactly 1 where ``has_token_rate`` is False, where beta_ref is 0, and where
        beta_i equals beta_ref up to rounding, so that equal uncertainties give SFT to the bit.

    Source:
        Paper, step 4 of the method.
    """
    mean = reference[:, None]
    tolerance = 4 * torch.finfo(beta.dtype).eps * mean
    is_even = (mean <= 0) | ((beta - mean).abs() <= tolerance)
    ratio = beta / mean.clamp(min=torch.finfo(beta.dtype).tiny)
    return torch.where(has_token_rate & ~is_even, ratio, torch.ones_like(beta))


def permute_within_examples(values: TokenFloats, is_permuted: TokenMask, uniform: TokenFloats) -> TokenFloats:
    """Shuffle values among the chosen positions of each example.

    Args:
        values: one value per position.
        is_permuted: True at the chosen positions; all other values stay in place.
        uniform: uniform numbers, whose sorting order is the permutation.

    Returns:
        The values of each example in another order.

    Source:
        A control experiment of weft: the rates keep their distribution but lose their relation to the tokens.
    """
    last = torch.finfo(uniform.dtype).max
    rank = torch.where(is_permuted, uniform, last).argsort(dim=1, stable=True)
    position = torch.where(is_permuted, 0.0, last).argsort(dim=1, stable=True)  # chosen positions first
    shuffled = values.scatter(1, position, values.gather(1, rank))
    return torch.where(is_permuted, shuffled, values)
