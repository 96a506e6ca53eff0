"""LLaDA's and Dream's forward passes once more, written plainly and without transformers.

They share no code with weft.model: names of tensors, rotation, attention and norms are spelt out here
from the description of the networks.  See README.md for what they have been compared with.
"""

import math
import zlib

import torch


def plain_llada(tensors, ids, *, num_heads, theta, eps, rotate_exactly=True):
    """Compute LLaDA's logits, batch x length x vocab, from tensors under their published names."""
    hidden = tensors["model.transformer.wte.weight"][ids]
    index = 0
    while f"model.transformer.blocks.{index}.attn_norm.weight" in tensors:
        block = {
            name.split(".")[4]: tensor
            for name, tensor in tensors.items()
            if name.startswith(f"model.transformer.blocks.{index}.")
        }
        inner = norm(hidden, block["attn_norm"], eps)
        query, key, value = (
            heads(inner @ block[name].T, num_heads) for name in ("q_proj", "k_proj", "v_proj")
        )
        query, key = (rotate(x, theta, rotate_exactly) for x in (query, key))
        hidden = hidden + attend(query, key, value) @ block["attn_out"].T
        inner = norm(hidden, block["ff_norm"], eps)
        gate = torch.nn.functional.silu(inner @ block["ff_proj"].T)
        hidden = hidden + (gate * (inner @ block["up_proj"].T)) @ block["ff_out"].T
        index += 1
    hidden = norm(hidden, tensors["model.transformer.ln_f.weight"], eps)
    return hidden @ tensors["model.transformer.ff_out.weight"].T


def plain_dream(tensors, ids, *, num_heads, num_kv_heads, theta, eps, rotate_exactly=False):
    """Compute Dream's logits as its class returns them: those at i - 1 predict position i."""
    hidden = tensors["model.embed_tokens.weight"][ids]
    index = 0
    while f"model.layers.{index}.input_layernorm.weight" in tensors:
        at = f"model.layers.{index}."
        inner = norm(hidden, tensors[at + "input_layernorm.weight"], eps)
        states = []
        for name, count in (("q", num_heads), ("k", num_kv_heads), ("v", num_kv_heads)):
            weight = tensors[f"{at}self_attn.{name}_proj.weight"]
            bias = tensors[f"{at}self_attn.{name}_proj.bias"]
            states.append(heads(torch.nn.functional.linear(inner, weight, bias), count))
        query, key = (rotate(x, theta, rotate_exactly) for x in states[:2])
        key, value = (x.repeat_interleave(num_heads // num_kv_heads, dim=1) for x in (key, states[2]))
        hidden = hidden + attend(query, key, value) @ tensors[at + "self_attn.o_proj.weight"].T
        inner = norm(hidden, tensors[at + "post_attention_layernorm.weight"], eps)
        gate = torch.nn.functional.silu(inner @ tensors[at + "mlp.gate_proj.weight"].T)
        up = inner @ tensors[at + "mlp.up_proj.weight"].T
        hidden = hidden + (gate * up) @ tensors[at + "mlp.down_proj.weight"].T
        index += 1
    return norm(hidden, tensors["model.norm.weight"], eps) @ tensors["lm_head.weight"].T


def norm(x, weight, eps):
    exact = x.to(torch.promote_types(x.dtype, torch.float32))
    return weight * (exact / torch.sqrt(exact.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


def heads(x, count):
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def rotate(x, theta, exactly):
    half = x.shape[-1] // 2
    exact = torch.promote_types(x.dtype, torch.float32)
    used = exact if exactly else x.dtype
    speed = theta ** (-torch.arange(half, dtype=exact) / half)
    angle = torch.arange(x.shape[-2], dtype=exact)[:, None] * speed
    cos, sin = angle.cos().to(used), angle.sin().to(used)
    first, second = x.to(used).split(half, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)


def attend(query, key, value):
    # Rounded once, at the end: attention kernels keep scores and shares in fp32.
    exact = torch.promote_types(query.dtype, torch.float32)
    scores = query.to(exact) @ key.to(exact).transpose(-1, -2) / math.sqrt(query.shape[-1])
    mixed = scores.softmax(-1) @ value.to(exact)
    return mixed.to(query.dtype).transpose(1, 2).flatten(2)


SHAPE = {"vocab": 40, "width": 32, "inner": 56, "layers": 2, "num_heads": 4, "num_kv_heads": 2, "eps": 1e-5}


def formula_checkpoint(family, dtype=torch.float64):
    """Make the tensors of a small network of a family, under their published names."""
    vocab, width, inner, layers = (SHAPE[key] for key in ("vocab", "width", "inner", "layers"))
    shapes = {}
    if family == "llada":
        for index in range(layers):
            at = f"model.transformer.blocks.{index}."
            shapes |= {f"{at}{name}.weight": (width,) for name in ("attn_norm", "ff_norm")}
            shapes |= {f"{at}{n}.weight": (width, width) for n in ("q_proj", "k_proj", "v_proj", "attn_out")}
            shapes |= {f"{at}{name}.weight": (inner, width) for name in ("ff_proj", "up_proj")}
            shapes[f"{at}ff_out.weight"] = (width, inner)
        shapes["model.transformer.wte.weight"] = shapes["model.transformer.ff_out.weight"] = (vocab, width)
        shapes["model.transformer.ln_f.weight"] = (width,)
    else:
        shared = width * SHAPE["num_kv_heads"] // SHAPE["num_heads"]
        for index in range(layers):
            at = f"model.layers.{index}."
            shapes |= {f"{at}{name}_layernorm.weight": (width,) for name in ("input", "post_attention")}
            for name, rows in (("q", width), ("k", shared), ("v", shared)):
                shapes[f"{at}self_attn.{name}_proj.weight"] = (rows, width)
                shapes[f"{at}self_attn.{name}_proj.bias"] = (rows,)
            shapes[f"{at}self_attn.o_proj.weight"] = (width, width)
            shapes |= {f"{at}mlp.{name}_proj.weight": (inner, width) for name in ("gate", "up")}
            shapes[f"{at}mlp.down_proj.weight"] = (width, inner)
        shapes["model.embed_tokens.weight"] = shapes["lm_head.weight"] = (vocab, width)
        shapes["model.norm.weight"] = (width,)
    return {name: formula_tensor(name, shape).to(dtype) for name, shape in shapes.items()}


def formula_fields(family):
    """Say what the ``config.json`` of that checkpoint says."""
    if family == "llada":
        return {
            "model_type": "llada",
            "vocab_size": SHAPE["vocab"],
            "d_model": SHAPE["width"],
            "mlp_hidden_size": SHAPE["inner"],
            "n_layers": SHAPE["layers"],
            "n_heads": SHAPE["num_heads"],
            "max_sequence_length": 64,
            "rms_norm_eps": SHAPE["eps"],
            "rope_theta": 500000.0,
            "mask_token_id": 39,
        }
    return {
        "model_type": "Dream",
        "vocab_size": SHAPE["vocab"],
        "hidden_size": SHAPE["width"],
        "intermediate_size": SHAPE["inner"],
        "num_hidden_layers": SHAPE["layers"],
        "num_attention_heads": SHAPE["num_heads"],
        "num_key_value_heads": SHAPE["num_kv_heads"],
        "max_position_embeddings": 64,
        "rms_norm_eps": SHAPE["eps"],
        "rope_theta": 1000000.0,
        "mask_token_id": 39,
    }


def formula_ids():
    """Make two sequences of twelve ids, some of them the mask."""
    ids = (torch.arange(24) * 7 + torch.arange(24) // 5).reshape(2, 12) % 39
    ids[0, 4:8] = ids[1, 9:] = 39
    return ids


def plain_logits(family, tensors, ids, **changes):
    """Compute the logits of that checkpoint, Dream's moved to the positions that they predict."""
    if family == "llada":
        settings = {"num_heads": SHAPE["num_heads"], "theta": 5e5, "eps": SHAPE["eps"]} | changes
        return plain_llada(tensors, ids, **settings)
    settings = {key: SHAPE[key] for key in ("num_heads", "num_kv_heads", "eps")} | {"theta": 1e6} | changes
    logits = plain_dream(tensors, ids, **settings)
    return torch.stack([logits[:, max(i - 1, 0)] for i in range(ids.shape[1])], dim=1)


def formula_tensor(name, shape):
    """Make a tensor from its name alone: entry k is sin((31 k^2 + 17 k + crc32(name)) mod 10007), scaled.

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
