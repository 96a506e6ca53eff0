"""LLaDA's and Dream's forward passes once more, written plainly and without transformers.

They share no code with `weft.model`: names of tensors, rotation, attention and norms are spelt out here
from the description of the networks. See tests/reference/README.md for what they have been compared with.
"""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Tensors = Mapping[str, Tensor]
"""Tensors of a checkpoint under their published names."""
PredictLogits = Callable[[Tensor], Tensor]
"""Token ids, batch x length, to logits, batch x length x vocabulary."""


def plain_llada(
    tensors: Tensors, ids: Tensor, *, num_heads: int, theta: float, eps: float, rotate_exactly: bool = True
) -> Tensor:
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


def plain_dream(
    tensors: Tensors,
    ids: Tensor,
    *,
    num_heads: int,
    num_kv_heads: int,
    theta: float,
    eps: float,
    rotate_exactly: bool = False,
) -> Tensor:
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


def shift_to_predicted(logits: Tensor) -> Tensor:
    """Move Dream's logits, batch x length x vocab, to the positions that they predict."""
    return torch.cat([logits[:, :1], logits[:, :-1]], dim=1)


def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Divide by the root mean square over the last axis, in fp32 at least, and multiply by the weight."""
    exact = x.to(torch.promote_types(x.dtype, torch.float32))
    return weight * (exact / torch.sqrt(exact.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


def heads(x: Tensor, count: int) -> Tensor:
    """Split batch x length x width into batch x heads x length x head width."""
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def rotate(x: Tensor, theta: float, exactly: bool) -> Tensor:
    """Apply the rotary embedding to batch x heads x length x head width, in fp32 or in the type of ``x``."""
    half = x.shape[-1] // 2
    exact = torch.promote_types(x.dtype, torch.float32)
    used = exact if exactly else x.dtype
    speed = theta ** (-torch.arange(half, dtype=exact, device=x.device) / half)
    angle = torch.arange(x.shape[-2], dtype=exact, device=x.device)[:, None] * speed
    cos, sin = angle.cos().to(used), angle.sin().to(used)
    first, second = x.to(used).split(half, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1).to(x.dtype)


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attend to all positions; return batch x length x width."""
    # Rounded once, at the end: attention kernels keep scores and shares in fp32.
    exact = torch.promote_types(query.dtype, torch.float32)
    scores = query.to(exact) @ key.to(exact).transpose(-1, -2) / math.sqrt(query.shape[-1])
    mixed = scores.softmax(-1) @ value.to(exact)
    return mixed.to(query.dtype).transpose(1, 2).flatten(2)
