"""From the probe pass to relative masking rates: uncertainty, its power, and the reference rate."""

import torch

from weft.axes import BatchFloats, FlatFloats, FlatIds, FlatLogits, TokenFloats, TokenMask


def token_entropy(logits: FlatLogits) -> FlatFloats:
    """Compute the entropy of the predicted distribution at each position.

    Args:
        logits: one row per position, any float type; the sums are made in fp32.

    Returns:
        H in nats, at least 0.

    Source:
        Paper, step 1 of the method: softmax over the whole vocabulary.
    """
    log_probability = logits.float().log_softmax(dim=-1)
    probability = log_probability.exp()
    # p log p is 0 where p is 0, also where the logit itself is minus infinity.
    entropy: FlatFloats = torch.special.xlogy(probability, probability).sum(dim=-1).neg().clamp(min=0)
    return entropy


def token_nll(logits: FlatLogits, target_ids: FlatIds) -> FlatFloats:
    """Compute the negative log-likelihood of the true token at each position.

    Args:
        logits: one row per position, any float type; the sums are made in fp32.
        target_ids: the true token of each row.

    Returns:
        -log p(target) in nats, at least 0.

    Source:
        Paper, ablation "NLL instead of entropy"; whether it takes the square root there is not known.
    """
    return torch.nn.functional.cross_entropy(logits.float(), target_ids, reduction="none").clamp(min=0)


def reference_rate(beta: TokenFloats, in_scheme: TokenMask, *, over_batch: bool) -> BatchFloats:
    """Average beta over the tokens that take part.

    Args:
        beta: the power of the uncertainty, at least 0.
        in_scheme: True where a token takes part.
        over_batch: one mean over the whole batch instead of one per example.

    Returns:
        beta_ref of each example; 0 where no token takes part.

    Source:
        Mean over answer tokens: two independent re-implementations agree; over the example or over
        the micro-batch, they do not (docs/deviations.md).
    """
    total, count = torch.where(in_scheme, beta, 0).sum(dim=1), in_scheme.sum(dim=1)
    if over_batch:
        total, count = total.sum().expand_as(total), count.sum().expand_as(count)
    return total / count.clamp(min=1)


def relative_rate(beta: TokenFloats, in_scheme: TokenMask, reference: BatchFloats) -> TokenFloats:
    """Divide beta_i by the reference rate.

    Args:
        beta: the power of the uncertainty, at least 0; values outside ``in_scheme`` are ignored.
        in_scheme: True where a token takes part.
        reference: beta_ref of each example.

    Returns:
        r = beta_i/beta_ref where ``in_scheme``, and exactly 1 elsewhere: such tokens are masked at rate t.
        Where beta_ref is 0, and where beta_i equals it to the rounding of a mean, the ratio is exactly 1
        as well, so that equal uncertainties give SFT to the bit.

    Source:
        Paper, step 4 of the method.
    """
    mean = reference[:, None]
    tolerance = 4 * torch.finfo(beta.dtype).eps * mean
    is_even = (mean <= 0) | ((beta - mean).abs() <= tolerance)
    ratio = beta / mean.clamp(min=torch.finfo(beta.dtype).tiny)
    return torch.where(in_scheme & ~is_even, ratio, torch.ones_like(beta))


def permute_within_examples(values: TokenFloats, where: TokenMask, order: TokenFloats) -> TokenFloats:
    """Shuffle the values of each example among its chosen positions.

    Args:
        values: one per position.
        where: True where a value takes part; the others stay.
        order: uniform draws; the chosen values change places as sorting these would.

    Returns:
        The same values in each example, in another order.

    Source:
        Ours: a control that keeps how unequal the rates are and forgets whose they are.
    """
    last = torch.finfo(order.dtype).max
    rank = torch.where(where, order, last).argsort(dim=1, stable=True)
    place = torch.where(where, 0.0, last).argsort(dim=1, stable=True)  # the chosen positions, in order
    shuffled = values.scatter(1, place, values.gather(1, rank))
    return torch.where(where, shuffled, values)
