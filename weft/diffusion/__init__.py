"""Masked diffusion and entropy-based weighting as pure tensor functions."""

from weft.diffusion.forward_process import (
    antithetic_uniform,
    mask_tokens,
    require_maskable,
    stratified_uniform,
    time_from_uniform,
    token_masking_rate,
)
from weft.diffusion.likelihood import (
    all_masks,
    draw_masks,
    mask_probability,
    masked_bound,
    num_mask_sets,
    num_masked_per_draw,
)
from weft.diffusion.loss_weights import cart_weight, elbo_weight, inverse_rate, num_loss_tokens
from weft.diffusion.relative_rates import (
    permute_within_examples,
    reference_rate,
    relative_rate,
    token_entropy,
    token_nll,
)

__all__ = [
    "all_masks",
    "antithetic_uniform",
    "cart_weight",
    "draw_masks",
    "elbo_weight",
    "inverse_rate",
    "mask_probability",
    "mask_tokens",
    "masked_bound",
    "num_loss_tokens",
    "num_mask_sets",
    "num_masked_per_draw",
    "permute_within_examples",
    "reference_rate",
    "relative_rate",
    "require_maskable",
    "stratified_uniform",
    "time_from_uniform",
    "token_entropy",
    "token_masking_rate",
    "token_nll",
]
