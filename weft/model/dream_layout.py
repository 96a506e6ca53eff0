"""Dream's checkpoints: names and fields of Dream-org/Dream-v0-Base-7B and -Instruct-7B (339 tensors)."""

from typing import ClassVar

from weft.errors import CheckpointError, show
from weft.model.dream import DreamForMaskedDiffusion
from weft.model.layout import Fields, Layout, is_size

MODULES = (
    "model.embed_tokens",
    "model.norm",
    "lm_head",
    "model.layers.*.input_layernorm",
    "model.layers.*.post_attention_layernorm",
    *(f"model.layers.*.self_attn.{name}_proj" for name in "qkvo"),
    *(f"model.layers.*.mlp.{name}_proj" for name in ("gate", "up", "down")),
)
SIZES = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
)  # fmt: skip


class DreamLayout(Layout):
    """Layout of Dream checkpoints, whose names are Qwen2's."""

    family = "dream"
    model_type = "Dream"
    model_class = DreamForMaskedDiffusion
    modules: ClassVar = {name: name for name in MODULES}
    required: ClassVar = {
        "hidden_act": ("silu",),
        "use_sliding_window": (False,),
        "tie_word_embeddings": (False,),
        "use_mrope": (False,),
        "attention_dropout": (0,),
        # Dream Reasoner has the same model_type, but it predicts in blocks and without a shift.
        "block_size": (None,),
    }
    sizes: ClassVar = {name: name for name in SIZES}
    multiples = (("hidden_size", "num_attention_heads"), ("num_attention_heads", "num_key_value_heads"))
    published: ClassVar = {
        "architectures": ["DreamModel"],
        "attention_dropout": 0.0,
        "auto_map": {
            "AutoConfig": "configuration_dream.DreamConfig",
            "AutoModel": "modeling_dream.DreamModel",
        },
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
    tokens = ("bos_token_id", *Layout.tokens)

    def check(self, fields: Fields, source: object) -> None:
        """Check that the fields describe a Dream model."""
        super().check(fields, source)
        head_dim = fields["hidden_size"] // fields["num_attention_heads"]
        if fields.get("head_dim") not in (None, head_dim):
            raise CheckpointError(f"{source}: head_dim must be {head_dim}, got {show(fields['head_dim'])}")
        for name in ("rope_scaling", "rope_parameters"):
            described = fields.get(name) or {}
            if not isinstance(described, dict):
                raise CheckpointError(f"{source}: {name} must be an object, got {show(described)}")
            kind = described.get("rope_type", described.get("type", "default"))
            if kind != "default":
                raise CheckpointError(f"{source}: {name} must be of type 'default', got {show(kind)}")
        thetas = _rope_thetas(fields)
        if len(thetas) != 1:
            raise CheckpointError(f"{source} must have one rope_theta, got {show(sorted(thetas) or 'none')}")

    def rope_theta(self, fields: Fields) -> float:
        """Return the base of the rotary embedding, which older and newer files store in different fields."""
        (theta,) = _rope_thetas(fields)
        return theta


def _rope_thetas(fields: Fields) -> set[float]:
    """Return the values of the rotary base in the fields of older and newer files."""
    thetas = (fields.get("rope_theta"), (fields.get("rope_parameters") or {}).get("rope_theta"))
    given = [theta for theta in thetas if theta is not None]
    if not all(is_size(theta, is_whole=False) for theta in given):
        raise CheckpointError(f"rope_theta in config.json must be a positive number, got {show(given)}")
    return {float(theta) for theta in given}
