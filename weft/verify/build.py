"""The networks that are measured: random weights of a given shape, or a checkpoint directory."""

from pathlib import Path
from typing import Any

import torch

from weft.errors import CheckpointError
from weft.model import load_model, read_config
from weft.verify.network import Shape, random_network
from weft.verify.sizes import Size

SPREAD = 2.0
"""Standard deviation of the logits of random networks, where nothing depends on confidence."""


def build_model(size: Size, checkpoint: Path | None, device: torch.device, *, spread: float = SPREAD) -> Any:
    """Return a mask predictor on a device, in the type of a size.

    Args:
        size: shape and type of the network.
        checkpoint: checkpoint directory of LLaDA or Dream; None for random weights.
        device: the device.
        spread: standard deviation of the logits of random weights.

    Returns:
        The model in evaluation mode.

    Raises:
        CheckpointError: the directory cannot be loaded, or has no mask token.
    """
    if checkpoint is None:
        return random_network(size.shape, spread=spread, device=str(device), dtype=size.dtype)
    return load_model(checkpoint, size.dtype).to(device)


def find_shape(size: Size, checkpoint: Path | None) -> Shape:
    """Return the shape of the network that `build_model` returns, without building it."""
    if checkpoint is None:
        return size.shape
    config = read_config(checkpoint)
    return Shape(
        width=config.hidden_size,
        num_layers=config.num_hidden_layers,
        vocab_size=config.vocab_size,
        context=config.max_position_embeddings,
    )


def num_usual_ids(config: Any) -> int:
    """Return a number below which no id of a network is the mask or end-of-text."""
    special = (config.mask_token_id, config.eos_token_id)
    return min(token for token in (config.vocab_size - 2, *special) if isinstance(token, int) and token > 2)


def find_eos(size: Size, checkpoint: Path | None) -> int:
    """Return the id of end-of-text of the network that `build_model` returns.

    Args:
        size: shape of the network with random weights.
        checkpoint: checkpoint directory; None for random weights.

    Returns:
        The id.

    Raises:
        CheckpointError: the configuration of the checkpoint does not name it.
    """
    if checkpoint is None:
        return size.shape.eos_token_id
    eos = read_config(checkpoint).eos_token_id
    if not isinstance(eos, int):
        raise CheckpointError(f"{checkpoint}/config.json must have an integer eos_token_id, got {eos!r}")
    return eos


def describe_network(size: Size, checkpoint: Path | None) -> str:
    """Return the origin, the shape and the type of the network in words."""
    origin = "random weights" if checkpoint is None else checkpoint.name
    name = str(size.dtype).removeprefix("torch.")
    return f"{origin}, {find_shape(size, checkpoint)}, {name}"
