"""LLaDA's checkpoints: names and fields of GSAI-ML/LLaDA-8B-Base and -Instruct (291 tensors)."""

import re
from typing import Any, ClassVar

from weft.model.layout import Fields, Layout, require_divisible
from weft.model.llada import LladaConfig, LladaForMaskedDiffusion

# LLaDA's name -> Llama's name, inside one block and around the blocks.
BLOCK_MODULES = {
    "attn_norm": "input_layernorm",
    "q_proj": "self_attn.q_proj",
    "k_proj": "self_attn.k_proj",
    "v_proj": "self_attn.v_proj",
    "attn_out": "self_attn.o_proj",
    "ff_norm": "post_attention_layernorm",
    "ff_proj": "mlp.gate_proj",
    "up_proj": "mlp.up_proj",
    "ff_out": "mlp.down_proj",
}
OUTER_MODULES = {"wte": "model.embed_tokens", "ln_f": "model.norm", "ff_out": "lm_head"}
PREFIX = "model.transformer."

# Fields that are equal in all LLaDA checkpoints, or that only the published class reads.
PUBLISHED_FIELDS: Fields = {
    "activation_type": "silu", "alibi": False, "alibi_bias_max": 8.0, "architectures": ["LLaDAModelLM"],
    "attention_dropout": 0.0, "attention_layer_norm": False, "attention_layer_norm_with_affine": True,
    "bias_for_layer_norm": False, "block_group_size": 1, "block_type": "llama", "embedding_dropout": 0.0,
    "flash_attention": False, "include_bias": False, "include_qkv_bias": False, "init_cutoff_factor": None,
    "init_device": "meta", "init_fn": "mitchell", "init_std": 0.02, "input_emb_norm": False,
    "layer_norm_type": "rms", "layer_norm_with_affine": True, "mlp_ratio": 4, "multi_query_attention": None,
    "precision": "amp_bf16", "residual_dropout": 0.0, "rope": True, "rope_full_precision": True,
    "scale_logits": False, "use_cache": False, "weight_tying": False,
    "auto_map": {
        "AutoConfig": "configuration_llada.LLaDAConfig",
        "AutoModelForCausalLM": "modeling_llada.LLaDAModelLM",
        "AutoModel": "modeling_llada.LLaDAModelLM",
    },
}  # fmt: skip
FIXED_FIELDS = (
    "block_type", "activation_type", "layer_norm_type", "layer_norm_with_affine", "rope",
    "rope_full_precision", "alibi", "include_bias", "weight_tying", "input_emb_norm", "attention_layer_norm",
    "scale_logits",
    "block_group_size", "attention_dropout", "embedding_dropout", "residual_dropout",
)  # fmt: skip
"""Published fields without which a network would be another one."""


class LladaLayout(Layout):
    """Layout of LLaDA checkpoints: LLaDA's names on Llama's modules."""

    family = "llada"
    model_type = "llada"
    model_class = LladaForMaskedDiffusion
    required: ClassVar = {name: (PUBLISHED_FIELDS[name],) for name in FIXED_FIELDS} | {
        "bias_for_layer_norm": (False, None),
        "include_qkv_bias": (False, None),
        "multi_query_attention": (None, False),
        "clip_qkv": (None,),
    }
    sizes = (
        "vocab_size", "d_model", "mlp_hidden_size", "n_layers", "n_heads", "max_sequence_length",
        "rms_norm_eps", "rope_theta",
    )  # fmt: skip

    def check(self, fields: Fields, source: object) -> None:
        """Check that the fields describe a LLaDA model."""
        super().check(fields, source)
        with_heads = fields | {"n_kv_heads": fields.get("n_kv_heads") or fields["n_heads"]}
        require_divisible(with_heads, [("d_model", "n_heads"), ("n_heads", "n_kv_heads")], source)

    def to_config(self, fields: Fields) -> LladaConfig:
        """Return Llama's configuration for LLaDA's fields."""
        return LladaConfig(
            vocab_size=fields.get("embedding_size") or fields["vocab_size"],
            hidden_size=fields["d_model"],
            intermediate_size=fields["mlp_hidden_size"],
            num_hidden_layers=fields["n_layers"],
            num_attention_heads=fields["n_heads"],
            num_key_value_heads=fields.get("n_kv_heads") or fields["n_heads"],
            max_position_embeddings=fields["max_sequence_length"],
            rms_norm_eps=fields["rms_norm_eps"],
            rope_parameters={"rope_type": "default", "rope_theta": float(fields["rope_theta"])},
            tie_word_embeddings=False,
            attention_bias=False,
            mlp_bias=False,
            bos_token_id=fields.get("bos_token_id"),
            eos_token_id=fields.get("eos_token_id"),
            pad_token_id=fields.get("pad_token_id"),
            mask_token_id=fields.get("mask_token_id"),
        )

    def to_fields(self, config: Any) -> Fields:
        """Return LLaDA's fields for a configuration."""
        return PUBLISHED_FIELDS | {
            "model_type": self.model_type,
            "d_model": config.hidden_size,
            "mlp_hidden_size": config.intermediate_size,
            "n_layers": config.num_hidden_layers,
            "n_heads": config.num_attention_heads,
            "n_kv_heads": config.num_key_value_heads,
            "vocab_size": config.vocab_size,
            "embedding_size": config.vocab_size,
            "max_sequence_length": config.max_position_embeddings,
            "rms_norm_eps": config.rms_norm_eps,
            "rope_theta": config.rope_parameters["rope_theta"],
            "eos_token_id": config.eos_token_id,
            "pad_token_id": config.pad_token_id,
            "mask_token_id": config.mask_token_id,
        }

    def to_our_module(self, name: str) -> str | None:
        """Return Llama's name for LLaDA's name of a module; None if it is unknown."""
        if match := re.fullmatch(rf"{re.escape(PREFIX)}blocks\.(\d+)\.(\w+)", name):
            index, inner = match.groups()
            return f"model.layers.{index}.{BLOCK_MODULES[inner]}" if inner in BLOCK_MODULES else None
        return OUTER_MODULES.get(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else None

    def to_published_module(self, name: str) -> str | None:
        """Return LLaDA's name for Llama's name of a module; None if it is unknown."""
        if match := re.fullmatch(r"model\.layers\.(\d+)\.([\w.]+)", name):
            index, inner = match.groups()
            back = {ours: published for published, ours in BLOCK_MODULES.items()}
            return f"{PREFIX}blocks.{index}.{back[inner]}" if inner in back else None
        back = {ours: published for published, ours in OUTER_MODULES.items()}
        return f"{PREFIX}{back[name]}" if name in back else None
