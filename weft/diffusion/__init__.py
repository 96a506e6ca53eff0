"""The mathematics of masked diffusion and of entropy weighting, as pure tensor functions."""

from weft.diffusion.entropy_weights import (
    permute_within_examples,
    reference_rate,
    relative_rate,
    token_entropy,
    token_nll,
)
from weft.diffusion.forward_process import (
    antithetic_uniform,
    mask_tokens,
    require_maskable,
    stratified_uniform,
    time_from_uniform,
    token_masking_rate,
)
from weft.diffusion.loss import cart_weight, elbo_weight, inverse_rate, tokens_to_divide_by

__all__ = [
    "antithetic_uniform",
    "cart_weight",
    "elbo_weight",
    "inverse_rate",
    "mask_tokens",
    "permute_within_examples",
    "reference_rate",
    "relative_rate",
    "require_maskable",
    "stratified_uniform",
    "time_from_uniform",
    "token_entropy",
    "token_masking_rate",
    "token_nll",
    "tokens_to_divide_by",
]
