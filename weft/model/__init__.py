"""Bidirectional mask predictors and their checkpoint directories."""

from weft.model.checkpoint import load_model, load_tokenizer, save_model
from weft.model.llada import LladaConfig, LladaForMaskedDiffusion, count_parameters

__all__ = [
    "LladaConfig",
    "LladaForMaskedDiffusion",
    "count_parameters",
    "load_model",
    "load_tokenizer",
    "save_model",
]
