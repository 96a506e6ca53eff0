"""Small networks whose weights a formula computes from the names of their tensors, and their inputs.

The formulas (sines of integers) do not depend on a random number generator, so that every machine has the
same networks and can compare its logits, losses and tokens with those stored in ``weft/verify/reference``.
"""

import json
import math
import tempfile
import zlib
from functools import partial
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, get_args

import torch
from safetensors.torch import save
from torch import Tensor

from weft.data.collate import TrainingBatch
from weft.model import load_model
from weft.model.layout import Fields
from weft.records.files import write_bytes, write_text
from weft.records.weights import WEIGHTS
from weft.verify.plain.networks import PredictLogits, Tensors, plain_dream, plain_llada, shift_to_predicted
from weft.verify.plain.objective import Case

Family = Literal["llada", "dream"]
FAMILIES: tuple[Family, ...] = get_args(Family)
VOCAB, WIDTH, INNER, LAYERS, HEADS, KV_HEADS, EPS = 40, 32, 56, 2, 4, 2, 1e-5
THETAS: dict[Family, float] = {"llada": 5e5, "dream": 1e6}
"""Base of the rotary embedding of each family, as in the published configurations."""
MASK_ID, PAD_ID = VOCAB - 1, VOCAB - 2


class SampledLengths(TypedDict):
    """Lengths of stored answers and of their blocks, in tokens."""

    gen_length: int
    block_length: int


SAMPLED: SampledLengths = {"gen_length": 16, "block_length": 8}


class SamplingCase(TypedDict):
    """Settings of stored answers."""

    diffusion_steps: int
    cfg_scale: NotRequired[float]


SAMPLING_CASES: dict[str, SamplingCase] = {
    "one token per step": {"diffusion_steps": 16},
    "two tokens per step": {"diffusion_steps": 8},
    "one step per block": {"diffusion_steps": 2},
    "guidance": {"diffusion_steps": 16, "cfg_scale": 0.5},
}
"""Settings of the stored answers, by name."""


def formula_checkpoint(family: Family, dtype: torch.dtype = torch.float64) -> dict[str, Tensor]:
    """Compute the tensors of the small network of a family, under their published names."""
    shapes: dict[str, tuple[int, ...]] = {}
    if family == "llada":
        for index in range(LAYERS):
            at = f"model.transformer.blocks.{index}."
            shapes |= {f"{at}{name}.weight": (WIDTH,) for name in ("attn_norm", "ff_norm")}
            shapes |= {f"{at}{n}.weight": (WIDTH, WIDTH) for n in ("q_proj", "k_proj", "v_proj", "attn_out")}
            shapes |= {f"{at}{name}.weight": (INNER, WIDTH) for name in ("ff_proj", "up_proj")}
            shapes[f"{at}ff_out.weight"] = (WIDTH, INNER)
        shapes["model.transformer.wte.weight"] = shapes["model.transformer.ff_out.weight"] = (VOCAB, WIDTH)
        shapes["model.transformer.ln_f.weight"] = (WIDTH,)
    else:
        shared = WIDTH * KV_HEADS // HEADS
        for index in range(LAYERS):
            at = f"model.layers.{index}."
            shapes |= {f"{at}{name}_layernorm.weight": (WIDTH,) for name in ("input", "post_attention")}
            for name, rows in (("q", WIDTH), ("k", shared), ("v", shared)):
                shapes[f"{at}self_attn.{name}_proj.weight"] = (rows, WIDTH)
                shapes[f"{at}self_attn.{name}_proj.bias"] = (rows,)
            shapes[f"{at}self_attn.o_proj.weight"] = (WIDTH, WIDTH)
            shapes |= {f"{at}mlp.{name}_proj.weight": (INNER, WIDTH) for name in ("gate", "up")}
            shapes[f"{at}mlp.down_proj.weight"] = (WIDTH, INNER)
        shapes["model.embed_tokens.weight"] = shapes["lm_head.weight"] = (VOCAB, WIDTH)
        shapes["model.norm.weight"] = (WIDTH,)
    return {name: formula_tensor(name, shape).to(dtype) for name, shape in shapes.items()}


def formula_fields(family: Family) -> Fields:
    """Return the content of ``config.json`` of that checkpoint."""
    if family == "llada":
        return {
            "model_type": "llada",
            "vocab_size": VOCAB,
            "d_model": WIDTH,
            "mlp_hidden_size": INNER,
            "n_layers": LAYERS,
            "n_heads": HEADS,
            "max_sequence_length": 64,
            "rms_norm_eps": EPS,
            "rope_theta": THETAS[family],
            "mask_token_id": MASK_ID,
        }
    return {
        "model_type": "Dream",
        "vocab_size": VOCAB,
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": 64,
        "rms_norm_eps": EPS,
        "rope_theta": THETAS[family],
        "mask_token_id": MASK_ID,
    }


def formula_model(family: Family, dtype: torch.dtype = torch.float32) -> Any:
    """Load the small network of a family with `weft.load_model`, from a temporary checkpoint directory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bytes(folder / WEIGHTS, save(formula_checkpoint(family)))
        write_text(folder / "config.json", json.dumps(formula_fields(family)))
        return load_model(folder, dtype)


def plain_logits(family: Family, tensors: Tensors, ids: Tensor, **changes: Any) -> Tensor:
    """Compute the logits of that checkpoint plainly, Dream's moved to the positions that they predict."""
    if family == "llada":
        settings = {"num_heads": HEADS, "theta": THETAS[family], "eps": EPS} | changes
        return plain_llada(tensors, ids, **settings)
    settings = {
        "num_heads": HEADS,
        "num_kv_heads": KV_HEADS,
        "theta": THETAS[family],
        "eps": EPS,
    } | changes
    return shift_to_predicted(plain_dream(tensors, ids, **settings))


def plain_predictor(family: Family) -> PredictLogits:
    """Return a function from token ids to logits for the small network of a family, in double precision."""
    return partial(plain_logits, family, formula_checkpoint(family))


def formula_tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    """Compute a tensor from its name: entry k is sin((31 k^2 + 17 k + crc32(name)) mod 10007), scaled.

    Vectors of norms lie around 1, biases within 0.3, matrices within 2 / sqrt(columns); those of queries and
    keys are twice that, so that attention is sharp.
    """
    k = torch.arange(math.prod(shape), dtype=torch.int64)
    wave = ((31 * k * k + 17 * k + zlib.crc32(name.encode())) % 10007).double().sin().reshape(shape)
    if name.endswith("bias"):
        return 0.3 * wave
    if len(shape) == 1:
        return 1 + 0.3 * wave
    return (4 if "q_proj" in name or "k_proj" in name else 2) * wave / math.sqrt(shape[1])


def formula_ids() -> Tensor:
    """Return two sequences of twelve ids, some of them the mask."""
    ids = (torch.arange(24) * 7 + torch.arange(24) // 5).reshape(2, 12) % MASK_ID
    ids[0, 4:8] = ids[1, 9:] = MASK_ID
    return ids


def formula_prompts() -> Tensor:
    """Return two prompts of six tokens without the mask token."""
    ids = formula_ids()[:, :6]
    return ids.masked_fill(ids == MASK_ID, 1)


def formula_case() -> Case:
    """Return a micro-batch of three sequences of sixteen tokens with its random numbers."""
    ids = (torch.arange(48) * 11 + torch.arange(48) // 7).reshape(3, 16) % PAD_ID
    num_padding = [0, 3, 5]
    for row, count in enumerate(num_padding):
        ids[row, 16 - count :] = PAD_ID
    uniforms = [[(7919 * (16 * row + i) + 17) % 1009 / 1009 for i in range(16)] for row in range(3)]
    return Case(ids, [4, 6, 3], num_padding, MASK_ID, [0.3, 0.55, 0.8], uniforms)


def case_batch(case: Case) -> TrainingBatch:
    """Return a micro-batch in the form that `weft.training.objective.add_noise` takes."""
    positions = torch.arange(case.length)[None]
    starts, padding = torch.tensor(case.prompt_lengths), torch.tensor(case.num_padding)
    index = torch.arange(len(case.ids))
    return TrainingBatch(
        clean_ids=case.ids,
        is_maskable=positions >= starts[:, None],
        is_padding=positions >= case.length - padding[:, None],
        example_key=index,
        index_in_epoch=index,
        is_pad_row=torch.zeros_like(index).bool(),
    )
