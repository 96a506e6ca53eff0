"""Mask predictors (LLaDA and Dream), their checkpoint directories, tokenizers and LoRA adapters."""

from weft.model.adapters import (
    check_finetuned,
    export_adapter,
    finetuned_digest,
    load_adapter,
    load_finetuned,
    merge_adapter,
)
from weft.model.checkpoint import check_weights, load_model, read_config, save_model
from weft.model.dream import DreamConfig, DreamForMaskedDiffusion
from weft.model.head import LogitsFn
from weft.model.llada import LladaConfig, LladaForMaskedDiffusion
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
    "check_finetuned",
    "check_weights",
    "export_adapter",
    "finetuned_digest",
    "load_adapter",
    "load_finetuned",
    "load_model",
    "load_tokenizer",
    "merge_adapter",
    "read_config",
    "save_model",
]
