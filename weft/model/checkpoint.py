"""Checkpoint directories in LLaDA's published form: load without remote code, write back.

The names of the tensors and the fields of ``config.json`` are those of GSAI-ML/LLaDA-8B-Instruct
(291 names).  Loading is strict: a missing, extra or misshapen tensor is an error that names it.
Only safetensors are read; no code comes from the directory.
"""

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from weft.errors import CheckpointError
from weft.model.llada import LladaConfig, LladaForMaskedDiffusion

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"

# LLaDA's name -> Llama's name, inside one block and around the blocks.
BLOCK_NAMES = {
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
OUTER_NAMES = {"wte": "model.embed_tokens", "ln_f": "model.norm", "ff_out": "lm_head"}
PREFIX = "model.transformer."

# Fields of LLaDA's config.json that must have these values for the Llama form to be the same network.
REQUIRED_FIELDS = {
    "block_type": "llama",
    "activation_type": "silu",
    "layer_norm_type": "rms",
    "rope": True,
    "alibi": False,
    "include_bias": False,
    "include_qkv_bias": False,
    "weight_tying": False,
    "input_emb_norm": False,
    "attention_layer_norm": False,
    "scale_logits": False,
}


LLADA_SIZES = frozenset(
    [
        "vocab_size",
        "d_model",
        "mlp_hidden_size",
        "n_layers",
        "n_heads",
        "max_sequence_length",
        "rms_norm_eps",
        "rope_theta",
    ]
)
"""Fields without which the network is not known."""


def load_model(path: str | Path, dtype: torch.dtype = torch.float32) -> LladaForMaskedDiffusion:
    """Load a mask predictor from a checkpoint directory.

    Args:
        path: directory with ``config.json`` and safetensors in LLaDA's layout, sharded or not.
        dtype: type of the parameters in memory.

    Returns:
        The model in evaluation mode; ``model(input_ids=ids).logits[b, i]`` predicts position i.

    Raises:
        CheckpointError: the directory, a file, a field or a tensor is not as it should be.
    """
    folder = Path(path)
    config = read_llada_config(folder)
    with torch.device("meta"):
        model = LladaForMaskedDiffusion(config)
    tensors = {to_llama_name(name): tensor.to(dtype) for name, tensor in _read_tensors(folder).items()}
    expected = {name: parameter.shape for name, parameter in model.state_dict().items()}
    missing, extra = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    if missing or extra:
        raise CheckpointError(
            f"{folder} must hold exactly the {len(expected)} tensors of its config.json; "
            f"missing: {[to_llada_name(n) for n in missing[:5]] or 'none'}, "
            f"not expected: {extra[:5] or 'none'}; download the checkpoint again"
        )
    for name, shape in expected.items():
        if tensors[name].shape != shape:
            raise CheckpointError(
                f"{folder}: tensor {to_llada_name(name)} must have shape {tuple(shape)} by config.json, "
                f"got {tuple(tensors[name].shape)}; config and weights belong to different models"
            )
    model.load_state_dict(tensors, strict=True, assign=True)
    # The rotary frequencies are computed, not stored: build them outside the meta device.
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    model.config.dtype = dtype
    return model.eval()


def save_model(model: LladaForMaskedDiffusion, path: str | Path) -> None:
    """Write a model as a LLaDA checkpoint directory (``config.json`` and one safetensors file)."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {to_llada_name(name): tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(dict(sorted(tensors.items())), folder / WEIGHTS, metadata={"format": "pt"})
    text = json.dumps(to_llada_fields(model.config), indent=1, sort_keys=True)
    (folder / "config.json").write_text(text + "\n")


def load_tokenizer(path: str | Path, *, mask_token_id: int | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint directory and make sure that it knows its mask token.

    The published LLaDA tokenizer declares no mask token; ``mask_token_id`` of the checkpoint's
    configuration then says which it is.

    Raises:
        CheckpointError: no tokenizer, no mask token or no end-of-text token.
    """
    try:
        # The class is named here rather than looked up, so that nothing in the directory is executed.
        tokenizer = PreTrainedTokenizerFast.from_pretrained(str(path), local_files_only=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} must hold a tokenizer (tokenizer.json): {error}") from error
    if tokenizer.mask_token_id is None and mask_token_id is not None:
        tokenizer.mask_token = tokenizer.convert_ids_to_tokens(mask_token_id)
    if tokenizer.mask_token_id is None:
        raise CheckpointError(f"{path}: the tokenizer has no mask token; add mask_token_id to config.json")
    if tokenizer.eos_token_id is None or tokenizer.chat_template is None:
        raise CheckpointError(f"{path}: the tokenizer must have an end-of-text token and a chat template")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def read_llada_config(folder: Path) -> LladaConfig:
    """Translate LLaDA's ``config.json`` to the Llama form.

    Raises:
        CheckpointError: no such file, not JSON, or a network that the Llama form cannot express.
    """
    try:
        fields: dict[str, Any] = json.loads((folder / "config.json").read_text())
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{folder} must be a checkpoint directory with config.json, none found"
        ) from error
    except ValueError as error:
        raise CheckpointError(f"{folder / 'config.json'} must be JSON: {error}") from error
    if fields.get("model_type") != "llada":
        raise CheckpointError(
            f"{folder / 'config.json'}: model_type must be 'llada', got {fields.get('model_type')!r}"
        )
    wrong = {k: fields.get(k, v) for k, v in REQUIRED_FIELDS.items() if fields.get(k, v) != v}
    if wrong:
        raise CheckpointError(f"{folder / 'config.json'}: these fields describe another network: {wrong}")
    missing = sorted(LLADA_SIZES - fields.keys())
    if missing:
        raise CheckpointError(f"{folder / 'config.json'} must have the fields {missing}, not found")
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


def to_llada_fields(config: LladaConfig) -> dict[str, Any]:
    """Describe a model with the fields of LLaDA's ``config.json``."""
    return REQUIRED_FIELDS | {
        "model_type": "llada",
        "architectures": ["LLaDAModelLM"],
        "d_model": config.hidden_size,
        "mlp_hidden_size": config.intermediate_size,
        "n_layers": config.num_hidden_layers,
        "n_heads": config.num_attention_heads,
        "n_kv_heads": config.num_key_value_heads,
        "vocab_size": config.vocab_size,
        "embedding_size": config.vocab_size,
        "max_sequence_length": config.max_position_embeddings,
        "rms_norm_eps": config.rms_norm_eps,
        "rope_theta": dict(config.rope_parameters or {})["rope_theta"],
        "rope_full_precision": True,
        "eos_token_id": config.eos_token_id,
        "pad_token_id": config.pad_token_id,
        "mask_token_id": config.mask_token_id,
    }


def to_llama_name(name: str) -> str:
    """Translate a tensor name of LLaDA to Llama's; unknown names come back unchanged."""
    if match := re.fullmatch(rf"{re.escape(PREFIX)}blocks\.(\d+)\.(\w+)\.weight", name):
        index, inner = match.groups()
        return f"model.layers.{index}.{BLOCK_NAMES.get(inner, inner)}.weight"
    outer = name.removeprefix(PREFIX).removesuffix(".weight")
    return f"{OUTER_NAMES[outer]}.weight" if name.startswith(PREFIX) and outer in OUTER_NAMES else name


def to_llada_name(name: str) -> str:
    """Translate a tensor name of Llama to LLaDA's; unknown names come back unchanged."""
    if match := re.fullmatch(r"model\.layers\.(\d+)\.([\w.]+)\.weight", name):
        index, inner = match.groups()
        back = {llama: llada for llada, llama in BLOCK_NAMES.items()}
        return f"{PREFIX}blocks.{index}.{back[inner]}.weight" if inner in back else name
    back = {llama: llada for llada, llama in OUTER_NAMES.items()}
    outer = name.removesuffix(".weight")
    return f"{PREFIX}{back[outer]}.weight" if outer in back else name


def _read_tensors(folder: Path) -> dict[str, Tensor]:
    index, files = folder / WEIGHTS_INDEX, [WEIGHTS]
    if index.exists():
        try:
            files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{index} must list the weights as published: {error!r}; download it again"
            ) from error
    tensors: dict[str, Tensor] = {}
    for name in files:
        # An index is data from outside: it may name files of this directory only.
        file = folder / Path(name).name
        if not file.exists():
            raise CheckpointError(f"{folder} must hold {file.name}, not found; download it again")
        try:
            with safe_open(file, framework="pt") as handle:
                tensors |= {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise CheckpointError(
                f"{file} is no valid safetensors file ({error}); download it again"
            ) from error
    return tensors
