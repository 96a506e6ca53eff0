"""Models and tokenizers by the path of a checkpoint directory or by their name on the hub, for `import weft`.

The workflow finds its base model by the experiment's settings (`weft.data.base_model`).
"""

import logging
import os
import re
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from weft import model
from weft.config import read_settings
from weft.config.places import find_path
from weft.config.sources import HubModel
from weft.data.hub import cached_commit, fetch_hub_model
from weft.errors import CheckpointError, DataError, explain_arguments
from weft.model.adapter_config import ADAPTER_CONFIG
from weft.model.checkpoint import OTHER_NAMES

LOG = logging.getLogger(__name__)
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
"""Form of a repository of the hub, owner/name."""


@explain_arguments(CheckpointError, OTHER_NAMES)
def load_model(
    path: str | Path,
    dtype: torch.dtype = torch.float32,
    *,
    adapter: str | Path | None = None,
    revision: str | None = None,
) -> Any:
    """Load a mask predictor, and optionally an adapter that was trained on it.

    Args:
        path: checkpoint directory in the published form of LLaDA or Dream, or a repository of the hub, such
            as ``GSAI-ML/LLaDA-8B-Instruct``.
        dtype: type of the parameters in memory; adapters are in float32.
        adapter: directory or repository of an adapter.
        revision: commit, tag or branch of the repository in ``path``; by default ``main``.

    Returns:
        The model in evaluation mode; ``model(input_ids=ids).logits[b, i]`` predicts position i.

    Raises:
        CheckpointError: a directory cannot be loaded, or the adapter does not fit the model.
        DataError: a repository cannot be downloaded.
    """
    folder = find_checkpoint(path, revision=revision)
    if (folder / ADAPTER_CONFIG).exists() and not (folder / "config.json").exists():
        raise CheckpointError(
            f"path must be a model, got the adapter {path}; load its base model and give the adapter as "
            f"load_model(base, adapter={str(path)!r})"
        )
    base = model.load_model(folder, dtype)
    return base if adapter is None else model.load_adapter(base, find_checkpoint(adapter))


def load_tokenizer(path: str | Path, *, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint, with the mask token that the configuration of the model names.

    Args:
        path: checkpoint directory, or a repository of the hub.
        revision: commit, tag or branch of the repository; by default ``main``.

    Returns:
        The tokenizer; it has a mask token, an end-of-text token, a padding token and a chat template.

    Raises:
        CheckpointError: the tokenizer is missing or incomplete, or does not fit the model.
        DataError: the repository cannot be downloaded.
    """
    folder = find_checkpoint(path, revision=revision)
    return model.load_tokenizer(folder, mask_token_id=model.read_config(folder).mask_token_id)


def find_checkpoint(path: str | Path, *, revision: str | None = None, argument: str = "path") -> Path:
    """Return the directory of a checkpoint or adapter, which is downloaded if it is the name of a repository.

    Only configuration, tokenizer and safetensors files are downloaded, no code.

    Args:
        path: a directory or a repository of the hub. The small base model that is part of weft is found in
            any working directory.
        revision: commit, tag or branch of the repository; by default ``main``.
        argument: name of the argument or option that gives ``path``, for messages.

    Returns:
        The directory; for a repository, that of an offline folder or of the hub client's cache.

    Raises:
        CheckpointError: ``path`` is neither the path of a directory nor the name of a repository.
        DataError: the repository cannot be downloaded.
    """
    if not isinstance(path, str | os.PathLike):
        raise CheckpointError(
            f"{argument} must be a checkpoint directory or a repository of the hub, got {type(path).__name__}"
        )
    folder = find_path(path)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise CheckpointError(
            f"{argument} must be a checkpoint directory, but {path} is a file; give its folder"
        )
    if not HUB_NAME.fullmatch(str(path)) or str(path).startswith("."):
        raise CheckpointError(
            f"{argument} must be a checkpoint directory or a repository of the hub (owner/name), but {path} "
            "does not exist; correct the path"
        )
    source = HubModel(source="hub", repo=str(path), revision=revision or "main")
    try:
        checkout = fetch_hub_model(source, offline=read_settings().offline)
    except DataError as error:
        raise DataError(f"{argument}: there is no directory {path}, and {error}") from error
    if revision is None and (commit := cached_commit(checkout)) is not None:
        LOG.warning("%s: using commit %s; give revision=%r to use it again", path, commit, commit)
    return checkout
