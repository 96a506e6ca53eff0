"""Small models for tests, with random or with scripted predictions."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from weft.model import DreamConfig, DreamForMaskedDiffusion, LladaConfig, LladaForMaskedDiffusion
from weft.model.head import LogitsFn
from weft.model.predictor import Prediction


def tiny_config(tokenizer: PreTrainedTokenizerBase) -> LladaConfig:
    """Describe a two-layer LLaDA for a tokenizer."""
    return LladaConfig(num_key_value_heads=2, **_tiny_fields(tokenizer))


def tiny_model(tokenizer: PreTrainedTokenizerBase, *, seed: int = 0) -> LladaForMaskedDiffusion:
    """Make a two-layer LLaDA with random parameters, large enough to give unequal logits."""
    torch.manual_seed(seed)
    return _scatter(LladaForMaskedDiffusion(tiny_config(tokenizer)))


def tiny_dream(tokenizer: PreTrainedTokenizerBase, *, seed: int = 0) -> DreamForMaskedDiffusion:
    """Make a two-layer Dream likewise; two query heads share keys and values."""
    torch.manual_seed(seed)
    return _scatter(DreamForMaskedDiffusion(DreamConfig(num_key_value_heads=1, **_tiny_fields(tokenizer))))


def _tiny_fields(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "tie_word_embeddings": False,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "mask_token_id": tokenizer.mask_token_id,
    }


def _scatter(model: Any) -> Any:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1 or name.endswith("bias"):
                parameter.normal_(std=0.2)
    return model.eval()


class ScriptedModel:
    """A stand-in whose logits are given: the same table, positions x vocab, in every call.

    Attributes:
        calls: the input ids of every call, in order.
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits
        self.calls: list[Tensor] = []

    def __call__(
        self,
        *,
        input_ids: Tensor,
        logits_positions: Tensor | None = None,
        targets: Tensor | None = None,
        token_weights: Tensor | None = None,
        logits_fn: LogitsFn | None = None,
        **_: Any,
    ) -> Prediction:
        """Answer like a mask predictor from the table, by the plain formulas.

        Calls ``logits_fn`` with two tokens at a time, so that a function that ignores its slice is noticed.
        """
        self.calls.append(input_ids.clone())
        table = self.logits.expand(input_ids.shape[0], *self.logits.shape)
        if logits_positions is None:
            return Prediction(logits=table)
        rows = (
            table[logits_positions]
            if logits_positions.dtype == torch.bool
            else table[torch.arange(len(table))[:, None], logits_positions].flatten(0, 1)
        )
        if targets is not None:
            assert token_weights is not None, "targets come with token_weights"
            token_nll = F.cross_entropy(rows.float(), targets, reduction="none")
            loss = (token_weights.detach() * token_nll).sum()
            return Prediction(loss=loss, token_nll=token_nll.detach())
        if logits_fn is not None:
            parts = [slice(start, min(start + 2, len(rows))) for start in range(0, max(len(rows), 1), 2)]
            return Prediction(outputs=torch.cat([logits_fn(rows[part], part) for part in parts]))
        return Prediction(logits=rows)
