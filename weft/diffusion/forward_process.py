"""The forward process of masked diffusion: diffusion times, masking rates and masks.

All functions are deterministic; uniform random numbers are passed in as arguments.
"""

import torch

from weft.axes import BatchFloats, BatchIds, TokenFloats, TokenIds, TokenMask
from weft.errors import MaskingError


def time_from_uniform(uniform: BatchFloats, *, t_min: float) -> BatchFloats:
    """Map uniform numbers in [0, 1) to diffusion times in [t_min, 1).

    Args:
        uniform: one number per example.
        t_min: smallest time, no unit.

    Returns:
        t = (1 - t_min) u + t_min for each example.

    Source:
        d1 @ 837888f, SFT collator (t_min = 1e-3); the paper's text says t ~ U(0, 1).
    """
    return (1 - t_min) * uniform + t_min


def stratified_uniform(uniform: BatchFloats, slot: BatchIds, *, batch_size: int) -> BatchFloats:
    """Map the uniform number of each example into a separate stratum of [0, 1).

    Args:
        uniform: one number per example in [0, 1).
        slot: index of each example in the shuffled batch of the optimiser step, 0 to ``batch_size`` - 1.
        batch_size: examples per optimiser step, over all processes.

    Returns:
        (slot + u) / batch_size: uniform for each example, and evenly spread over the batch.

    Source:
        Low-discrepancy times of MDLM and related work.
    """
    spread = (slot.to(uniform.dtype) + uniform) / batch_size
    return spread.clamp(max=1 - torch.finfo(uniform.dtype).eps)  # rounding must not give 1


def antithetic_uniform(uniform: BatchFloats, slot: BatchIds) -> BatchFloats:
    """Replace the uniform number u of every second example by 1 - u.

    Args:
        uniform: numbers in [0, 1), equal for the two examples of each pair of neighbouring slots.
        slot: index of each example in the batch of the optimiser step.

    Returns:
        u at even slots and 1 - u (just below 1 where u is 0) at odd slots.

    Source:
        Antithetic sampling, which LLaDA 1.5 uses to reduce the variance.
    """
    mirrored = (1 - uniform).clamp(max=1 - torch.finfo(uniform.dtype).eps)
    return torch.where(slot % 2 == 0, uniform, mirrored)


def token_masking_rate(t: BatchFloats, relative_rate: TokenFloats, *, min_rate: float) -> TokenFloats:
    """Compute the masking rate of each token, t_i = 1 - (1-t)^(beta_i/beta_ref).

    The form -expm1(r log(1-t)) is accurate for small rates. Where r = 1, the result is exactly t, so that
    equal uncertainties give SFT.

    Args:
        t: diffusion time of each example, in (0, 1].
        relative_rate: r = beta_i/beta_ref, at least 0, no unit.
        min_rate: lower bound of the result, which bounds the weight 1/t_i.

    Returns:
        The probability that each token is masked.

    Source:
        Paper, section on the forward process. The bound is an addition (docs/deviations.md).
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
    """Replace a maskable token by the mask token if its uniform number is below its masking rate.

    Args:
        clean_ids: clean token ids.
        masking_rate: probability that each token is masked.
        uniform: one number in [0, 1) per position.
        is_maskable: True on the answer, False on the prompt.
        mask_token_id: id of the mask token.

    Returns:
        The noisy token ids, and True where a token was masked.

    Source:
        LLaDA's SFT forward process: independent masking of answer tokens; the prompt stays clean.
    """
    is_masked = is_maskable & (uniform < masking_rate)
    return torch.where(is_masked, mask_token_id, clean_ids), is_masked


def require_maskable(is_maskable: TokenMask) -> None:
    """Raise a MaskingError if an example has no maskable position."""
    empty = (~is_maskable.any(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise MaskingError(
            f"every example must have at least one answer token, got none in rows {empty} of the batch; "
            "raise max_length, because a prompt of that length leaves no room for the answer"
        )
