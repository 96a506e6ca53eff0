"""Dream's checkpoints: names and fields of Dream-org/Dream-v0-Base-7B and -Instruct-7B (339 tensors)."""

import re
from typing import Any, ClassVar

from weft.errors import CheckpointError
from weft.model.dream import DreamConfig, DreamForMaskedDiffusion
from weft.model.layout import Fields, Layout, require_divisible

MODULES = re.compile(
    r"model\.(embed_tokens|norm)|lm_head|model\.layers\.\d+\."
    r"(input_layernorm|post_attention_layernorm|self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)"
)

# What the published file says that is the same in every Dream, or that only its own class reads.
PUBLISHED_FIELDS: Fields = {
    "architectures": ["DreamModel"],
    "attention_dropout": 0.0,
    "auto_map": {"AutoConfig": "configuration_dream.DreamConfig", "AutoModel": "modeling_dream.DreamModel"},
    "hidden_act": "silu",
    "initializer_range": 0.02,
    "max_window_layers": 28,
    "rope_scaling": None,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "use_cache": False,
    "use_mrope": False,
    "use_sliding_window": False,
}


class DreamLayout(Layout):
    """Dream's fields; its names are Qwen2's."""

    family = "dream"
    model_type = "Dream"
    model_class = DreamForMaskedDiffusion
    required: ClassVar = {
        "hidden_act": ("silu",),
        "use_sliding_window": (False,),
        "tie_word_embeddings": (False,),
        "use_mrope": (False,),
        "attention_dropout": (0,),
        # Dream Reasoner has blocks and predicts in place, under the same model_type.
        "block_size": (None,),
    }
    sizes = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "max_position_embeddings",
        "rms_norm_eps",
    )

    def check(self, fields: Fields, where: object) -> None:
        """Make sure that the fields describe a Dream."""
        super().check(fields, where)
        pairs = [("hidden_size", "num_attention_heads"), ("num_attention_heads", "num_key_value_heads")]
        require_divisible(fields, pairs, where)
        head_dim = fields["hidden_size"] // fields["num_attention_heads"]
        if fields.get("head_dim") not in (None, head_dim):
            raise CheckpointError(f"{where}: head_dim must be {head_dim}, got {fields['head_dim']}")
        for name in ("rope_scaling", "rope_parameters"):
            described = fields.get(name) or {}
            kind = described.get("rope_type", described.get("type", "default"))
            if kind != "default":
                raise CheckpointError(f"{where}: {name} must be of type 'default', got {kind!r}")
        thetas = _rope_thetas(fields)
        if len(thetas) != 1:
            raise CheckpointError(f"{where} must have one rope_theta, got {sorted(thetas) or 'none'}")

    def to_config(self, fields: Fields) -> DreamConfig:
        """Translate Dream's fields to Qwen2's."""
        (theta,) = _rope_thetas(fields)
        return DreamConfig(
            **{name: fields[name] for name in self.sizes},
            rope_parameters={"rope_type": "default", "rope_theta": theta},
            tie_word_embeddings=False,
            use_sliding_window=False,
            bos_token_id=fields.get("bos_token_id"),
            eos_token_id=fields.get("eos_token_id"),
            pad_token_id=fields.get("pad_token_id"),
            mask_token_id=fields.get("mask_token_id"),
        )

    def to_fields(self, config: Any) -> Fields:
        """Describe a Qwen2 with Dream's fields."""
        return (
            PUBLISHED_FIELDS
            | {name: getattr(config, name) for name in self.sizes}
            | {
                "model_type": self.model_type,
                "rope_theta": config.rope_parameters["rope_theta"],
                "bos_token_id": config.bos_token_id,
                "eos_token_id": config.eos_token_id,
                "pad_token_id": config.pad_token_id,
                "mask_token_id": config.mask_token_id,
            }
        )

    def to_our_module(self, name: str) -> str | None:
        """Return the name, which is the same, if there is such a module."""
        return name if MODULES.fullmatch(name) else None

    def to_published_module(self, name: str) -> str | None:
        """Return the name, which is the same, if there is such a module."""
        return name if MODULES.fullmatch(name) else None


def _rope_thetas(fields: Fields) -> set[float]:
    """Collect the rotary base from where older and newer files write it."""
    found = (fields.get("rope_theta"), (fields.get("rope_parameters") or {}).get("rope_theta"))
    return {float(theta) for theta in found if theta is not None}
