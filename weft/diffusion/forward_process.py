"""The forward process: from a time to masking rates, and from rates and draws to a noisy sequence.

Nothing here draws random numbers; uniform draws come in as arguments.
"""

import torch

from weft.axes import BatchFloats, BatchIds, TokenFloats, TokenIds, TokenMask
from weft.errors import MaskingError


def time_from_uniform(uniform: BatchFloats, *, t_min: float) -> BatchFloats:
    """Map uniform draws in [0, 1) to diffusion times in [t_min, 1).

    Args:
        uniform: one draw per example.
        t_min: smallest time, no unit.

    Returns:
        t = (1 - t_min) u + t_min for each example.

    Source:
        d1 @ 837888f, SFT collator (t_min = 1e-3); the paper's text says t ~ U(0, 1).
    """
    return (1 - t_min) * uniform + t_min


def stratified_uniform(uniform: BatchFloats, slot: BatchIds, *, batch_size: int) -> BatchFloats:
    """Give every example of a batch a stratum of [0, 1) of its own.

    Args:
        uniform: one draw per example in [0, 1).
        slot: place of each example in the batch of the optimiser step, 0 to ``batch_size`` - 1, in an order
            that was shuffled.
        batch_size: examples per optimiser step, over all processes.

    Returns:
        (slot + u) / batch_size: uniform for each example, evenly spread over the batch.

    Source:
        Low-discrepancy times of MDLM and its relatives.
    """
    spread = (slot.to(uniform.dtype) + uniform) / batch_size
    return spread.clamp(max=1 - torch.finfo(uniform.dtype).eps)  # rounding must not reach 1


def antithetic_uniform(uniform: BatchFloats, slot: BatchIds) -> BatchFloats:
    """Mirror the draws of every second example.

    Args:
        uniform: one draw in [0, 1) per pair of neighbours, given to both.
        slot: place of each example in the batch of the optimiser step.

    Returns:
        u at even places and 1 - u (just below 1 where u is 0) at odd ones.

    Source:
        Antithetic sampling, as LLaDA-1.5 and others use it to lower the variance.
    """
    mirrored = (1 - uniform).clamp(max=1 - torch.finfo(uniform.dtype).eps)
    return torch.where(slot % 2 == 0, uniform, mirrored)


def token_masking_rate(t: BatchFloats, relative_rate: TokenFloats, *, min_rate: float) -> TokenFloats:
    """Give each token its own masking rate t_i = 1 - (1-t)^(beta_i/beta_ref).

    Written as -expm1(r log(1-t)), so that small rates keep their digits and r = 0 gives 0 even as t
    approaches 1.  Where r = 1 the rate is t itself, to the bit, so that equal entropies give SFT.

    Args:
        t: diffusion time of each example, in (0, 1].
        relative_rate: r = beta_i/beta_ref, at least 0, no unit.
        min_rate: lower bound of the result, which bounds the weight 1/t_i.

    Returns:
        The probability that each token is masked.

    Source:
        Paper, section on the forward process.  The bound is ours (docs/deviations.md).
    """
    time = t[:, None].expand_as(relative_rate)
    rate = -torch.expm1(torch.special.xlog1py(relative_rate, -time))
    return torch.where(relative_rate == 1, time, rate.clamp(min=min_rate, max=1))


def mask_tokens(
    clean_ids: TokenIds,
    masking_rate: TokenFloats,
    uniform: TokenFloats,
    is_maskable: TokenMask,
    *,
    mask_token_id: int,
) -> tuple[TokenIds, TokenMask]:
    """Replace each maskable token by the mask token where its draw lies below its rate.

    Args:
        clean_ids: the clean sequences.
        masking_rate: probability of being masked.
        uniform: one draw in [0, 1) per position.
        is_maskable: True on the answer, False on the prompt.
        mask_token_id: id of the mask token.

    Returns:
        The noisy sequences, and True where a token was replaced.

    Raises:
        MaskingError: an example has no maskable position.

    Source:
        LLaDA's SFT forward process: independent masking of answer tokens, the prompt stays clean.
    """
    require_maskable(is_maskable)
    is_masked = is_maskable & (uniform < masking_rate)
    return torch.where(is_masked, mask_token_id, clean_ids), is_masked


def require_maskable(is_maskable: TokenMask) -> None:
    """Check that every example can be masked somewhere.

    Raises:
        MaskingError: some example has no maskable position.
    """
    empty = (~is_maskable.any(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise MaskingError(
            f"every example needs at least one answer token, got none in rows {empty} of the batch; "
            "check max_length: a prompt longer than that leaves no room for the answer"
        )
