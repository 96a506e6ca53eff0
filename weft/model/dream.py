"""Dream: transformers' Qwen2 with bidirectional attention and outputs shifted by one position.

Dream was initialised from an autoregressive model, so the hidden state at position i - 1 predicts the token
at position i. Position 0 has no predecessor; its own hidden state predicts it. The shift is applied before
the head, so that ``logits[b, i]`` predicts position i as in all models of weft.

The rotation is that of Qwen2, in the type of the activations, as in the published class
(``DreamRotaryEmbedding.forward`` and ``apply_rotary_pos_emb`` in ``modeling_dream.py``).
"""

from typing import Any

import torch
from torch import Tensor
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding, apply_rotary_pos_emb

from weft.axes import Columns
from weft.model.head import VocabularyHead
from weft.model.predictor import Angles, ExactFrequencies, MaskPredictor


class DreamConfig(Qwen2Config):
    """Qwen2's configuration with ``is_causal`` off and the id of the mask token."""

    model_type = "weft_dream"

    def __init__(self, mask_token_id: int | None = None, **kwargs: Any) -> None:
        kwargs["is_causal"] = False
        kwargs["use_cache"] = False
        super().__init__(**kwargs)
        self.mask_token_id = mask_token_id


class DreamRotaryEmbedding(ExactFrequencies, Qwen2RotaryEmbedding):
    """Qwen2's rotary embedding, whose frequencies stay in fp32 when the model is cast."""


class DreamForMaskedDiffusion(MaskPredictor, Qwen2ForCausalLM):
    """Mask predictor of the Dream family."""

    config_class = DreamConfig
    config: DreamConfig
    logit_shift = 1

    def __init__(self, config: DreamConfig) -> None:
        super().__init__(config)
        self.model.rotary_emb = DreamRotaryEmbedding(config)
        for layer in self.model.layers:
            # Without padding the mask is None, and SDPA reads this attribute instead of the configuration.
            layer.self_attn.is_causal = False
        self.lm_head = VocabularyHead(config.hidden_size, config.vocab_size)
        self.post_init()

    def _sources(self, columns: Columns, attention_mask: Tensor | None) -> Columns:
        """Return the column before each column, and for the first column of a sequence the column itself.

        If padding is hidden, a sequence begins at its first visible position.
        """
        is_first = columns == 0
        if attention_mask is not None:
            is_visible = attention_mask.bool()
            # A sequence can begin at the first position of the row or after a hidden position.
            begins = torch.cat([torch.ones_like(is_visible[:, :1]), ~is_visible[:, :-1]], dim=1)
            is_first = begins.gather(1, columns)
        return columns - (~is_first).long()

    def _rotate_keys(self, key: Tensor, angles: Angles) -> Tensor:
        rotated: Tensor = apply_rotary_pos_emb(key, key, *angles)[1]
        return rotated
