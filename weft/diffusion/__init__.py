"""Masked diffusion and entropy-based weighting as pure tensor functions."""

from weft.diffusion.forward_process import (
    antithetic_uniform,
    mask_tokens,
    require_maskable,
    stratified_uniform,
    time_from_uniform,
    token_masking_rate,
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
    "antithetic_uniform",
    "cart_weight",
    "elbo_weight",
    "inverse_rate",
    "mask_tokens",
    "num_loss_tokens",
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
