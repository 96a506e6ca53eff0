"""The published 8B and 7B models as tables: configuration, names and shapes of all tensors, size in bytes.

The tables do not use `weft.model`, which the tests compare with them. Sources: ``config.json`` and
``model.safetensors.index.json`` of GSAI-ML/LLaDA-8B-Instruct (291 tensors, 16,031,162,368 bytes) and of
Dream-org/Dream-v0-Instruct-7B (339 tensors, 15,231,233,024 bytes). All tensors are in bf16.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.wide_model import write_bf16


@dataclass(frozen=True)
class PublishedModel:
    """A published checkpoint.

    Attributes:
        fields: the fields of ``config.json`` that have a value.
        shapes: name of each tensor -> its shape.
        num_tensors: published number of tensors.
        num_bytes: published size of all tensors.
        adapted: names of the query, key and value projections -> their numbers of inputs and outputs.
    """

    fields: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]
    num_tensors: int
    num_bytes: int
    adapted: Mapping[str, tuple[int, int]]


LLADA_FIELDS = {
    "model_type": "llada", "architectures": ["LLaDAModelLM"], "block_type": "llama", "block_group_size": 1,
    "d_model": 4096, "n_layers": 32, "n_heads": 32, "n_kv_heads": 32, "mlp_hidden_size": 12288,
    "mlp_ratio": 4, "vocab_size": 126464, "embedding_size": 126464, "max_sequence_length": 4096,
    "rope": True, "rope_theta": 500000.0, "rope_full_precision": True, "alibi": False,
    "activation_type": "silu", "layer_norm_type": "rms", "layer_norm_with_affine": True,
    "rms_norm_eps": 1e-5, "attention_layer_norm": False, "input_emb_norm": False, "scale_logits": False,
    "include_bias": False, "include_qkv_bias": False, "bias_for_layer_norm": False, "weight_tying": False,
    "attention_dropout": 0.0, "embedding_dropout": 0.0, "residual_dropout": 0.0,
    "eos_token_id": 126081, "pad_token_id": 126081, "mask_token_id": 126336,
}  # fmt: skip
DREAM_FIELDS = {
    "model_type": "Dream", "architectures": ["DreamModel"], "hidden_act": "silu",
    "hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4,
    "intermediate_size": 18944, "vocab_size": 152064, "max_position_embeddings": 131072,
    "max_window_layers": 28, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "tie_word_embeddings": False,
    "use_mrope": False, "use_sliding_window": False, "attention_dropout": 0.0,
    "eos_token_id": 151643, "pad_token_id": 151643, "mask_token_id": 151666,
}  # fmt: skip


def _llada() -> PublishedModel:
    width, inner, vocabulary = 4096, 12288, 126464
    stem = "model.transformer"
    shapes = {
        f"{stem}.wte.weight": (vocabulary, width),
        f"{stem}.ln_f.weight": (width,),
        f"{stem}.ff_out.weight": (vocabulary, width),
    }
    for block in (f"{stem}.blocks.{number}" for number in range(32)):
        square = dict.fromkeys(("q_proj", "k_proj", "v_proj", "attn_out"), (width, width))
        shapes |= {f"{block}.{name}.weight": shape for name, shape in square.items()}
        shapes |= {f"{block}.{name}.weight": (inner, width) for name in ("ff_proj", "up_proj")}
        shapes[f"{block}.ff_out.weight"] = (width, inner)
        shapes |= {f"{block}.{name}.weight": (width,) for name in ("attn_norm", "ff_norm")}
    adapted = {
        f"{stem}.blocks.{number}.{side}_proj": (width, width) for number in range(32) for side in "qkv"
    }
    return PublishedModel(LLADA_FIELDS, shapes, 291, 16_031_162_368, adapted)


def _dream() -> PublishedModel:
    width, inner, vocabulary, keys = 3584, 18944, 152064, 512
    shapes = {
        "model.embed_tokens.weight": (vocabulary, width),
        "model.norm.weight": (width,),
        "lm_head.weight": (vocabulary, width),
    }
    for layer in (f"model.layers.{number}" for number in range(28)):
        shapes |= {
            f"{layer}.self_attn.q_proj.weight": (width, width),
            f"{layer}.self_attn.q_proj.bias": (width,),
            f"{layer}.self_attn.k_proj.weight": (keys, width),
            f"{layer}.self_attn.k_proj.bias": (keys,),
            f"{layer}.self_attn.v_proj.weight": (keys, width),
            f"{layer}.self_attn.v_proj.bias": (keys,),
            f"{layer}.self_attn.o_proj.weight": (width, width),
            f"{layer}.mlp.gate_proj.weight": (inner, width),
            f"{layer}.mlp.up_proj.weight": (inner, width),
            f"{layer}.mlp.down_proj.weight": (width, inner),
            f"{layer}.input_layernorm.weight": (width,),
            f"{layer}.post_attention_layernorm.weight": (width,),
        }
    outputs = {"q": width, "k": keys, "v": keys}
    adapted = {
        f"model.layers.{number}.self_attn.{side}_proj": (width, outputs[side])
        for number in range(28)
        for side in "qkv"
    }
    return PublishedModel(DREAM_FIELDS, shapes, 339, 15_231_233_024, adapted)


PUBLISHED = {"llada": _llada(), "dream": _dream()}


def write_hollow(folder: Path, published: PublishedModel, *, num_shards: int) -> None:
    """Write a published checkpoint at its true size as sparse files, which take almost no disk space.

    Every number is zero. Because safetensors files are mapped into memory, a model that is loaded from them
    in bf16 takes no memory either, as long as nobody reads its weights.
    """
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(dict(published.fields)))
    names, weight_map = list(published.shapes), {}
    for index in range(num_shards):
        file, part = f"model-{index + 1:05}-of-{num_shards:05}.safetensors", names[index::num_shards]
        write_bf16(folder / file, {name: published.shapes[name] for name in part}, None)
        weight_map |= dict.fromkeys(part, file)
    index_fields = {"metadata": {"total_size": published.num_bytes}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index_fields))
