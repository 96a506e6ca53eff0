"""LLaDA as what it is: the Llama of transformers, attending both ways, under other names.

Three differences are stated here and nothing else.  Attention is bidirectional; the rotary embedding
is applied in fp32 and cast back, as in the published class, without which bf16 logits drift; and the
embedding of the padding token is trained like any other.  There is no shift: ``logits[b, i]`` predicts
position ``i``.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaRotaryEmbedding,
    eager_attention_forward,
    rotate_half,
)

from weft.model.key_values import BlockCache, KnownKeys
from weft.model.predictor import Angles, ExactFrequencies, MaskPredictor


class LladaConfig(LlamaConfig):
    """Llama's configuration; ``is_causal`` is off and the mask token is named."""

    model_type = "weft_llada"

    def __init__(self, mask_token_id: int | None = None, **kwargs: Any) -> None:
        kwargs["is_causal"] = False
        kwargs["use_cache"] = False
        super().__init__(**kwargs)
        self.mask_token_id = mask_token_id


class LladaRotaryEmbedding(ExactFrequencies, LlamaRotaryEmbedding):
    """Rotary angles in fp32 whatever the activations' type."""

    @torch.no_grad()
    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return cos and sin, both batch x length x head_dim in fp32."""
        return super().forward(x.float(), position_ids)


class LladaAttention(LlamaAttention):
    """Llama's attention, not causal, with the rotation computed in fp32."""

    def __init__(self, config: LladaConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        # With no padding the mask is None and SDPA asks this attribute: set both, or it is causal again.
        self.is_causal = False

    def forward(  # type: ignore[override]
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None = None,
        past_key_values: Any = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend over the whole sequence, or over given keys; shapes as in ``LlamaAttention``."""
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        query, key, value = (
            projection(hidden_states).view(shape).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        cos, sin = (angle.unsqueeze(1) for angle in position_embeddings)
        query, key = (_rotate(states, cos, sin) for states in (query, key))
        if past_key_values is not None:
            if not isinstance(past_key_values, KnownKeys | BlockCache):
                raise ValueError("a bidirectional model cannot use a cache of what came before")
            key, value = past_key_values.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        dropout = self.attention_dropout if self.training else 0.0
        output, weights = attend(
            self, query, key, value, attention_mask, dropout=dropout, scaling=self.scaling, **kwargs
        )
        return self.o_proj(output.reshape(*hidden_states.shape[:-1], -1).contiguous()), weights


class LladaForMaskedDiffusion(MaskPredictor, LlamaForCausalLM):
    """Mask predictor: token ids in, logits of the clean token at every position out."""

    config_class = LladaConfig
    config: LladaConfig

    def __init__(self, config: LladaConfig) -> None:
        super().__init__(config)
        self.model.rotary_emb = LladaRotaryEmbedding(config)
        for index, layer in enumerate(self.model.layers):
            layer.self_attn = LladaAttention(config, index)
        # The padding token also ends texts and is learnt; Llama would keep its embedding out of training.
        self.model.embed_tokens.padding_idx = None
        self._predict_masks(config.hidden_size, config.vocab_size)
        self.post_init()

    def _rotate_keys(self, key: Tensor, angles: Angles) -> Tensor:
        cos, sin = (angle.unsqueeze(1) for angle in angles)
        return _rotate(key, cos, sin)


def _rotate(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    exact = states.float()
    return (exact * cos + rotate_half(exact) * sin).to(states.dtype)


def count_parameters(model: nn.Module) -> int:
    """Count all parameters of a model."""
    return sum(parameter.numel() for parameter in model.parameters())
