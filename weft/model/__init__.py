"""Bidirectional mask predictors, their checkpoint directories and adapters."""

from weft.model.adapters import export_adapter, load_adapter, load_tuned, merge_adapter, tuned_digest
from weft.model.checkpoint import load_model, read_config, save_model
from weft.model.dream import DreamConfig, DreamForMaskedDiffusion
from weft.model.head import LogitsFn
from weft.model.llada import LladaConfig, LladaForMaskedDiffusion, count_parameters
from weft.model.predictor import Prediction, Predictor
from weft.model.tokenizer import load_tokenizer

__all__ = [
    "DreamConfig",
    "DreamForMaskedDiffusion",
    "LladaConfig",
    "LladaForMaskedDiffusion",
    "LogitsFn",
    "Prediction",
    "Predictor",
    "count_parameters",
    "export_adapter",
    "load_adapter",
    "load_model",
    "load_tokenizer",
    "load_tuned",
    "merge_adapter",
    "read_config",
    "save_model",
    "tuned_digest",
]
