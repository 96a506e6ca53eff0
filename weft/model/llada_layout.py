"""LLaDA's checkpoints: names and fields of GSAI-ML/LLaDA-8B-Base and -Instruct (291 tensors)."""

from typing import ClassVar

from weft.model.layout import Fields, Layout
from weft.model.llada import LladaForMaskedDiffusion

# LLaDA's name -> Llama's name of each module; * is the number of a block.
MODULES = {
    "model.transformer.wte": "model.embed_tokens",
    "model.transformer.ln_f": "model.norm",
    "model.transformer.ff_out": "lm_head",
    "model.transformer.blocks.*.attn_norm": "model.layers.*.input_layernorm",
    "model.transformer.blocks.*.q_proj": "model.layers.*.self_attn.q_proj",
    "model.transformer.blocks.*.k_proj": "model.layers.*.self_attn.k_proj",
    "model.transformer.blocks.*.v_proj": "model.layers.*.self_attn.v_proj",
    "model.transformer.blocks.*.attn_out": "model.layers.*.self_attn.o_proj",
    "model.transformer.blocks.*.ff_norm": "model.layers.*.post_attention_layernorm",
    "model.transformer.blocks.*.ff_proj": "model.layers.*.mlp.gate_proj",
    "model.transformer.blocks.*.up_proj": "model.layers.*.mlp.up_proj",
    "model.transformer.blocks.*.ff_out": "model.layers.*.mlp.down_proj",
}

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
    "scale_logits", "block_group_size", "attention_dropout", "embedding_dropout", "residual_dropout",
)  # fmt: skip
"""Published fields that determine the network."""


class LladaLayout(Layout):
    """Layout of LLaDA checkpoints: LLaDA's names on Llama's modules."""

    family = "llada"
    model_type = "llada"
    model_class = LladaForMaskedDiffusion
    modules: ClassVar = MODULES
    published: ClassVar = PUBLISHED_FIELDS
    required: ClassVar = {name: (PUBLISHED_FIELDS[name],) for name in FIXED_FIELDS} | {
        "bias_for_layer_norm": (False, None),
        "include_qkv_bias": (False, None),
        "multi_query_attention": (None, False),
        "clip_qkv": (None,),
    }
    sizes: ClassVar = {
        "vocab_size": "vocab_size",
        "embedding_size": "vocab_size",  # rows of the embedding, which may exceed the vocabulary
        "d_model": "hidden_size",
        "mlp_hidden_size": "intermediate_size",
        "n_layers": "num_hidden_layers",
        "n_heads": "num_attention_heads",
        "n_kv_heads": "num_key_value_heads",
        "max_sequence_length": "max_position_embeddings",
        "rms_norm_eps": "rms_norm_eps",
        "rope_theta": "rope_theta",
    }
    defaults: ClassVar = {"embedding_size": "vocab_size", "n_kv_heads": "n_heads"}
    multiples = (("d_model", "n_heads"), ("n_heads", "n_kv_heads"))
