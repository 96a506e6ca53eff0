"""Find and load the model of an evaluation: directories on this machine, or repositories of the hub."""

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from weft.data.hub import cached_commit
from weft.errors import ConfigError
from weft.harness.settings import ModelArguments
from weft.loading import find_checkpoint
from weft.model import load_finetuned, load_tokenizer, merge_adapter, read_config
from weft.model.checkpoint import stored_dtype

LOG = logging.getLogger(__name__)
HARNESS_DEVICE = "cuda:0"
"""Device that the harness passes if none is given."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready for evaluation.

    Attributes:
        model: mask predictor, adapter included.
        tokenizer: its tokenizer.
        context: longest sequence of the model, in tokens.
        dtype: type of the parameters.
        commit: commit of the base model on the hub; None for a directory.
        adapter_commit: commit of the adapter on the hub; None for a directory or without adapter.
    """

    model: Any
    tokenizer: Any
    context: int
    dtype: torch.dtype
    commit: str | None
    adapter_commit: str | None


def load(arguments: ModelArguments, device: torch.device) -> LoadedModel:
    """Load base model, adapter and tokenizer.

    Args:
        arguments: arguments of the model.
        device: device on which to place the model.

    Returns:
        The loaded model.

    Raises:
        CheckpointError: a name is neither a directory nor the name of a repository, or a directory cannot be
            loaded.
        DataError: a repository cannot be fetched.
    """
    base = find_checkpoint(arguments.pretrained, revision=arguments.revision, argument="pretrained")
    adapter = None
    if arguments.adapter is not None:
        adapter = find_checkpoint(arguments.adapter, revision=arguments.adapter_revision, argument="adapter")
    dtype = choose_dtype(arguments.dtype, base, device)
    config = read_config(base)
    tokenizer = load_tokenizer(base, mask_token_id=config.mask_token_id)
    model = load_finetuned(base, adapter, dtype)
    model = (merge_adapter(model) if arguments.merge_adapter else model).to(device)
    LOG.info("%s on %s in %s", arguments.pretrained, device, dtype)
    return LoadedModel(
        model=model,
        tokenizer=tokenizer,
        context=config.max_position_embeddings,
        dtype=dtype,
        commit=cached_commit(base),
        adapter_commit=None if adapter is None else cached_commit(adapter),
    )


def choose_dtype(name: str, folder: Path, device: torch.device) -> torch.dtype:
    """Return the type of the parameters; for ``auto``, that of the checkpoint, but float32 on a CPU."""
    if name != "auto":
        dtype = getattr(torch, name)
        assert isinstance(dtype, torch.dtype), "ModelArguments allows names of types only"
        return dtype
    stored = stored_dtype(folder)
    return torch.float32 if device.type == "cpu" or stored == torch.float64 else stored


def choose_device(name: str | None) -> torch.device:
    """Return the device of a name.

    Args:
        name: cpu, cuda, cuda:N, or auto or None for a GPU if there is one. The harness passes
            `HARNESS_DEVICE` unless another is given, so without a GPU this name stands for the CPU.

    Returns:
        The device.

    Raises:
        ConfigError: the name is unknown, or names a GPU that torch cannot use.
    """
    has_gpu = torch.cuda.is_available()
    if name is None or name == "auto":
        return torch.device("cuda" if has_gpu else "cpu")
    if not re.fullmatch(r"cpu|cuda(:[0-9]+)?", name):
        raise ConfigError(f"--device must be cpu, cuda or cuda:N, got {name!r}")
    if name == HARNESS_DEVICE and not has_gpu:
        LOG.warning("torch can use no GPU on this machine; the model runs on the CPU")
        return torch.device("cpu")
    if name != "cpu" and not has_gpu:
        raise ConfigError(f"--device {name} requires a GPU that torch can use, found none; use cpu")
    return torch.device(name)
