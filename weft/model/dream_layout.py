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

# Fields that are equal in all Dream checkpoints, or that only the published class reads.
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
    """Layout of Dream checkpoints, whose names are Qwen2's."""

    family = "dream"
    model_type = "Dream"
    model_class = DreamForMaskedDiffusion
    required: ClassVar = {
        "hidden_act": ("silu",),
        "use_sliding_window": (False,),
        "tie_word_embeddings": (False,),
        "use_mrope": (False,),
        "attention_dropout": (0,),
        # Dream Reasoner has the same model_type, but blocks and no shift.
        "block_size": (None,),
    }
    sizes = (
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
    )  # fmt: skip

    def check(self, fields: Fields, source: object) -> None:
        """Check that the fields describe a Dream model."""
        super().check(fields, source)
        pairs = [("hidden_size", "num_attention_heads"), ("num_attention_heads", "num_key_value_heads")]
        require_divisible(fields, pairs, source)
        head_dim = fields["hidden_size"] // fields["num_attention_heads"]
        if fields.get("head_dim") not in (None, head_dim):
            raise CheckpointError(f"{source}: head_dim must be {head_dim}, got {fields['head_dim']}")
        for name in ("rope_scaling", "rope_parameters"):
            described = fields.get(name) or {}
            kind = described.get("rope_type", described.get("type", "default"))
            if kind != "default":
                raise CheckpointError(f"{source}: {name} must be of type 'default', got {kind!r}")
        thetas = _rope_thetas(fields)
        if len(thetas) != 1:
            raise CheckpointError(f"{source} must have one rope_theta, got {sorted(thetas) or 'none'}")

    def to_config(self, fields: Fields) -> DreamConfig:
        """Return Qwen2's configuration for Dream's fields."""
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
        """Return Dream's fields for a configuration."""
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
        """Return the name, which is the same in both, or None if it is unknown."""
        return name if MODULES.fullmatch(name) else None

    def to_published_module(self, name: str) -> str | None:
        """Return the name, which is the same in both, or None if it is unknown."""
        return name if MODULES.fullmatch(name) else None


def _rope_thetas(fields: Fields) -> set[float]:
    """Return the values of the rotary base in the fields of older and newer files."""
    thetas = (fields.get("rope_theta"), (fields.get("rope_parameters") or {}).get("rope_theta"))
    return {float(theta) for theta in thetas if theta is not None}
