"""Dream as what it is: the Qwen2 of transformers, attending both ways, its outputs shifted by one.

Dream was made from an autoregressive model and kept its habit: the output at position i - 1
predicts position i, and position 0 predicts itself.  The shift is applied here, before the head, so
that ``logits[b, i]`` predicts position i as everywhere in weft.

The rotary embedding needs no care, unlike LLaDA's: Dream's class casts cos and sin to the type of the
activations and rotates in that type, as Qwen2 does (``DreamRotaryEmbedding.forward`` and
``apply_rotary_pos_emb`` in the published ``modeling_dream.py``).
"""

from typing import Any

import torch
from torch import Tensor
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding, apply_rotary_pos_emb

from weft.axes import Columns
from weft.model.predictor import Angles, ExactFrequencies, MaskPredictor


class DreamConfig(Qwen2Config):
    """Qwen2's configuration; ``is_causal`` is off and the mask token is named."""

    model_type = "weft_dream"

    def __init__(self, mask_token_id: int | None = None, **kwargs: Any) -> None:
        kwargs["is_causal"] = False
        kwargs["use_cache"] = False
        super().__init__(**kwargs)
        self.mask_token_id = mask_token_id


class DreamRotaryEmbedding(ExactFrequencies, Qwen2RotaryEmbedding):
    """Qwen2's rotary embedding, its frequencies in fp32 whatever happens to the model."""


class DreamForMaskedDiffusion(MaskPredictor, Qwen2ForCausalLM):
    """Mask predictor: token ids in, logits of the clean token at every position out."""

    config_class = DreamConfig
    config: DreamConfig
    logit_shift = 1

    def __init__(self, config: DreamConfig) -> None:
        super().__init__(config)
        self.model.rotary_emb = DreamRotaryEmbedding(config)
        for layer in self.model.layers:
            # Without padding there is no mask and attention asks this attribute, not the configuration.
            layer.self_attn.is_causal = False
        self._predict_masks(config.hidden_size, config.vocab_size)
        self.post_init()

    def _sources(self, columns: Columns, attention_mask: Tensor | None) -> Columns:
        """Find the hidden state that predicts each column: the one before, but for a sequence's first.

        A sequence behind hidden padding begins at its first visible position.
        """
        is_first = columns == 0
        if attention_mask is not None:
            is_visible = attention_mask.bool()
            # What follows a hidden position begins a sequence, and so does the row's first position.
            begins = torch.cat([torch.ones_like(is_visible[:, :1]), ~is_visible[:, :-1]], dim=1)
            is_first = begins.gather(1, columns)
        return columns - (~is_first).long()

    def _rotate_keys(self, key: Tensor, angles: Angles) -> Tensor:
        rotated: Tensor = apply_rotary_pos_emb(key, key, *angles)[1]
        return rotated
