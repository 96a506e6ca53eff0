"""Bidirectional mask predictors, their checkpoint directories and adapters."""

from weft.model.checkpoint import load_model, read_config, save_model
from weft.model.dream import DreamConfig, DreamForMaskedDiffusion
from weft.model.llada import LladaConfig, LladaForMaskedDiffusion, count_parameters
from weft.model.tokenizer import load_tokenizer

__all__ = [
    "DreamConfig",
    "DreamForMaskedDiffusion",
    "LladaConfig",
    "LladaForMaskedDiffusion",
    "count_parameters",
    "load_model",
    "load_tokenizer",
    "read_config",
    "save_model",
]
