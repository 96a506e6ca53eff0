"""Clipping of gradients as DeepSpeed computes it."""

import torch
from torch import Tensor, nn


@torch.no_grad()
def clip_gradients(model: nn.Module, *, max_norm: float) -> Tensor:
    """Scale all gradients so that their common norm is at most a maximum.

    Args:
        model: the model, whose gradients are changed in place; those of parameters without one are ignored.
        max_norm: the maximum.

    Returns:
        The norm before clipping, a scalar.

    Source:
        DeepSpeed 0.19, runtime/zero/stage_1_and_2.py: get_grad_norm_direct and unscale_and_clip_grads.
    """
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    if not gradients:
        return torch.zeros(())
    precise = (
        torch.float32 if gradients[0].device.type == "mps" else torch.float64
    )  # Apple's GPUs have no fp64
    norms = torch.stack([torch.linalg.vector_norm(gradient.to(precise)) for gradient in gradients])
    norm = norms.pow(2).sum().float().pow(0.5)
    factor = 1 / ((norm + 1e-6) / max_norm).clamp(min=1.0)
    for gradient in gradients:
        gradient.mul_(factor.to(gradient.device))
    return norm
