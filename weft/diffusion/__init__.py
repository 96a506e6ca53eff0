"""The mathematics of masked diffusion and of entropy weighting, as pure tensor functions."""

from weft.diffusion.entropy_weights import relative_rate, token_entropy
from weft.diffusion.forward_process import (
    mask_tokens,
    require_maskable,
    time_from_uniform,
    token_masking_rate,
)
from weft.diffusion.loss import inverse_rate, masked_loss

__all__ = [
    "inverse_rate",
    "mask_tokens",
    "masked_loss",
    "relative_rate",
    "require_maskable",
    "time_from_uniform",
    "token_entropy",
    "token_masking_rate",
]
