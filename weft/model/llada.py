"""LLaDA: transformers' Llama with bidirectional attention.

LLaDA differs from Llama in four ways. Attention is bidirectional. The hidden state at a position predicts
the token at the same position. The rotary embedding is applied in fp32 and the result is cast back, as in
the published class; otherwise the logits in bf16 would differ. The embedding of the padding token is
trained.
"""

from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaRotaryEmbedding,
    eager_attention_forward,
    rotate_half,
)

from weft.model.head import VocabularyHead
from weft.model.key_values import CACHE_ARGUMENT, BlockCache, KnownKeys
from weft.model.predictor import Angles, ExactFrequencies, MaskPredictor


class LladaConfig(LlamaConfig):
    """Llama's configuration with ``is_causal`` off and the id of the mask token."""

    model_type = "weft_llada"

    def __init__(self, mask_token_id: int | None = None, **kwargs: Any) -> None:
        kwargs["is_causal"] = False
        kwargs["use_cache"] = False
        super().__init__(**kwargs)
        self.mask_token_id = mask_token_id


class LladaRotaryEmbedding(ExactFrequencies, LlamaRotaryEmbedding):
    """Llama's rotary embedding, computed in fp32 for activations of any type."""

    @torch.no_grad()
    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosine and sine, each batch x length x head_dim, in fp32."""
        return super().forward(x.float(), position_ids)


class LladaAttention(LlamaAttention):
    """Llama's attention, bidirectional, with the rotation computed in fp32."""

    def __init__(self, config: LladaConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        # Without padding the mask is None, and SDPA reads this attribute instead of the configuration.
        self.is_causal = False

    def forward(  # type: ignore[override]
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor | None = None,
        past_key_values: Any = None,
        cache: Any = None,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend over the whole sequence or over cached keys; shapes as in ``LlamaAttention``.

        A layer of transformers names its cache ``past_key_values`` or ``cache``, see `CACHE_ARGUMENT`.
        """
        cache = past_key_values if cache is None else cache
        shape = (*hidden_states.shape[:-1], -1, self.head_dim)
        query, key, value = (
            projection(hidden_states).view(shape).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        cos, sin = (angle.unsqueeze(1) for angle in position_embeddings)
        query, key = (_rotate(states, cos, sin) for states in (query, key))
        if cache is not None:
            if not isinstance(cache, KnownKeys | BlockCache):
                raise ValueError(
                    f"{CACHE_ARGUMENT} must be a cache of weft.model.key_values, because attention is "
                    f"bidirectional; got {type(cache).__name__}"
                )
            key, value = cache.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        dropout = self.attention_dropout if self.training else 0.0
        output, weights = attend(
            self, query, key, value, attention_mask, dropout=dropout, scaling=self.scaling, **kwargs
        )
        return self.o_proj(output.reshape(*hidden_states.shape[:-1], -1).contiguous()), weights


class LladaForMaskedDiffusion(MaskPredictor, LlamaForCausalLM):
    """Mask predictor of the LLaDA family."""

    config_class = LladaConfig
    config: LladaConfig

    def __init__(self, config: LladaConfig) -> None:
        super().__init__(config)
        self.model.rotary_emb = LladaRotaryEmbedding(config)
        for index, layer in enumerate(self.model.layers):
            layer.self_attn = LladaAttention(config, index)
        # The padding token is also the end-of-text token, which must be learnt; Llama would not train it.
        self.model.embed_tokens.padding_idx = None
        self.lm_head = VocabularyHead(config.hidden_size, config.vocab_size)
        self.post_init()

    def _rotate_keys(self, key: Tensor, angles: Angles) -> Tensor:
        cos, sin = (angle.unsqueeze(1) for angle in angles)
        return _rotate(key, cos, sin)


def _rotate(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    exact = states.float()
    return (exact * cos + rotate_half(exact) * sin).to(states.dtype)
