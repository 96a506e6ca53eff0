"""Checkpoint directories in the published forms of LLaDA and Dream.

Loading is strict: a missing tensor, an unexpected tensor, a tensor of the wrong shape and a field of
``config.json`` that describes another network each raise an error that names it. Only safetensors files
are read, and no code in the directory is executed.
"""

import functools
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from weft.errors import (
    SHOWN_CHARACTERS,
    CheckpointError,
    describe_error,
    explain_arguments,
    find_by_name,
    shorten,
    show,
)
from weft.model.dream import DreamConfig
from weft.model.dream_layout import DreamLayout
from weft.model.layout import Fields, Layout
from weft.model.llada import LladaConfig
from weft.model.llada_layout import LladaLayout
from weft.records.files import write_text
from weft.records.model_files import read_model_json
from weft.records.weights import list_weight_files

DTYPES = {"F64": torch.float64, "F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}

LAYOUTS: tuple[Layout, ...] = (LladaLayout(), DreamLayout())

PredictorConfig = LladaConfig | DreamConfig


@dataclass(frozen=True)
class _Stored:
    """Location, shape and type of a tensor in a safetensors file."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: str


OTHER_NAMES = {"torch_dtype": "dtype", "pretrained_model_name_or_path": "path", "model_path": "path"}
"""Names of arguments in transformers and in evaluation scripts -> their names here."""


@explain_arguments(CheckpointError, OTHER_NAMES)
def load_model(path: str | Path, dtype: torch.dtype = torch.float32) -> Any:
    """Load a mask predictor from a checkpoint directory of a known family.

    Tensors are read and converted one at a time, so that memory for a single tensor is needed beside the
    model.

    Args:
        path: directory with ``config.json`` and one or several safetensors files.
        dtype: type of the parameters in memory.

    Returns:
        The model in evaluation mode; ``model(input_ids=ids).logits[b, i]`` predicts position i.

    Raises:
        CheckpointError: a file is missing or damaged, configuration and tensors do not match, a weight is not
            finite, or an argument is not valid.
    """
    if not isinstance(path, str | os.PathLike):
        raise CheckpointError(f"path must be the path of a checkpoint directory, got {type(path).__name__}")
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise CheckpointError(
            f"dtype must be a floating-point type such as torch.bfloat16, got {dtype!r:.60}"
        )
    folder = Path(path)
    layout, config = _read_config(folder)
    with torch.device("meta"):
        model: Any = layout.model_class(config)
    stored = _match(folder, layout, model)
    tensors: dict[str, Tensor] = {}
    for file in sorted({entry.file for entry in stored.values()}):
        with open_weights(file) as handle:
            for name, entry in stored.items():
                if entry.file == file:
                    tensors[name] = handle.get_tensor(entry.name).to(dtype)
                    require_finite(tensors[name], entry.name, source=file)
    model.load_state_dict(tensors, strict=True, assign=True)
    # The rotary frequencies are not stored in the checkpoint; compute them outside the meta device.
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    model.config.dtype = dtype
    return model.eval()


def require_finite(tensor: Tensor, name: str, *, source: Path) -> None:
    """Check that all numbers of a tensor are finite.

    The smallest and the largest number decide, because NaN propagates to both. They need no memory, and take
    0.9 s for 16 GB in bfloat16 on one core.

    Args:
        tensor: the tensor, of floating-point numbers.
        name: its name in the file, for the message.
        source: file from which it was read or to which it would be written.

    Raises:
        CheckpointError: a number is NaN or infinite.
    """
    if tensor.numel() == 0 or all(torch.isfinite(value) for value in torch.aminmax(tensor.detach())):
        return
    count = int((~torch.isfinite(tensor)).sum())
    raise CheckpointError(
        f"{source}: tensor {name} must contain finite numbers, got {count} of {tensor.numel()} that are NaN "
        f"or infinite as {str(tensor.dtype).removeprefix('torch.')}; restore the file, or train the model "
        "again"
    )


def check_weights(path: str | Path) -> None:
    """Check names, shapes and types of all tensors in a checkpoint directory, without reading them.

    Args:
        path: the directory.

    Raises:
        CheckpointError: as for `load_model`.
    """
    folder = Path(path)
    layout, config = _read_config(folder)
    with torch.device("meta"):
        model: Any = layout.model_class(config)
    _match(folder, layout, model)


def save_model(
    model: Any,
    path: str | Path,
    *,
    max_shard_bytes: int = 5_000_000_000,
    parameters: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a model as a checkpoint directory in the published form of its family.

    `load_model` reads the directory. Tools that contain the model class (d1, Fast-dLLM) need these files and
    those of the tokenizer. Tools that load with ``trust_remote_code`` also need the Python files of the
    published repository to which ``auto_map`` in ``config.json`` refers; copy them into the directory.

    Args:
        model: a mask predictor without adapters.
        path: directory; created if missing. Weight files of an earlier model in it are removed.
        max_shard_bytes: size above which the weights are split into several files with an index.
        parameters: the model's parameters in full, if the model itself has only parts of them.

    Raises:
        CheckpointError: the family is unknown, or a parameter is not finite.
    """
    folder = Path(path)
    layout = find_layout(model)
    named = model.state_dict() if parameters is None else parameters
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {layout.to_published_name(name): tensor for name, tensor in named.items()}
    for name, tensor in tensors.items():
        require_finite(tensor, name, source=folder)
    save_torch_state_dict(dict(sorted(tensors.items())), folder, max_shard_size=max_shard_bytes)
    fields = layout.to_fields(model.config)
    write_text(folder / "config.json", json.dumps(fields, indent=2, sort_keys=True) + "\n")


def read_config(path: str | Path) -> PredictorConfig:
    """Return the model configuration of a checkpoint directory.

    Args:
        path: the directory.

    Returns:
        The configuration, with ``mask_token_id`` if ``config.json`` has it.

    Raises:
        CheckpointError: the file is missing or is not JSON, or describes a network of no known family.
    """
    return _read_config(Path(path))[1]


def read_family(path: str | Path) -> str:
    """Return the short name of the family of a checkpoint directory.

    Args:
        path: the directory.

    Returns:
        ``llada`` or ``dream``.

    Raises:
        CheckpointError: as for ``read_config``.
    """
    return _read_config(Path(path))[0].family


def stored_dtype(path: str | Path) -> torch.dtype:
    """Return the type of the weights in a checkpoint directory; if there are several, the widest.

    Args:
        path: the directory.

    Returns:
        A floating-point type.

    Raises:
        CheckpointError: no weights can be read, or they are not floating-point numbers.
    """
    kinds = sorted({entry.dtype for entry in _inventory(Path(path)).values()})
    if not kinds or not set(kinds) <= DTYPES.keys():
        raise CheckpointError(f"{path}: weights must be floating-point numbers, got {kinds or 'none'}")
    return functools.reduce(torch.promote_types, (DTYPES[kind] for kind in kinds))


def find_layout(model: nn.Module) -> Layout:
    """Return the layout of a mask predictor, which may be wrapped by PEFT."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
    for layout in LAYOUTS:
        if isinstance(inner, layout.model_class):
            return layout
    raise CheckpointError(f"the model must belong to a family that weft supports, got {type(inner).__name__}")


def find_family(family: str) -> Layout:
    """Return the layout of a family by its name, ``llada`` or ``dream``."""
    layouts = {layout.family: layout for layout in LAYOUTS}
    return find_by_name("family", family, layouts, error=CheckpointError)


def _read_config(folder: Path) -> tuple[Layout, Any]:
    file = folder / "config.json"
    fields = read_model_json(file)
    for layout in LAYOUTS:
        if fields.get("model_type") == layout.model_type:
            layout.check(fields, file)
            return layout, _to_config(layout, fields, file)
    known = " or ".join(repr(layout.model_type) for layout in LAYOUTS)
    raise CheckpointError(f"{file}: model_type must be {known}, got {show(fields.get('model_type'))}")


def _to_config(layout: Layout, fields: Fields, file: Path) -> Any:
    try:
        return layout.to_config(fields)
    except Exception as error:  # transformers checks the types of further fields in several ways
        raise CheckpointError(
            f"{file} must describe a network of weft, got {shorten(describe_error(error))}; restore the file"
        ) from error


def _match(folder: Path, layout: Layout, model: nn.Module) -> dict[str, _Stored]:
    """Return the stored tensor of every parameter, from the headers of the files."""
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    inventory = _inventory(folder)
    stored = {layout.to_our_name(name): entry for name, entry in inventory.items()}
    matched = {name: stored[name] for name in expected if name in stored}
    missing = sorted(layout.to_published_name(name) for name in expected.keys() - matched.keys())
    extra = sorted(inventory.keys() - {entry.name for entry in matched.values()})
    if missing or extra:
        raise CheckpointError(
            f"{folder} must contain exactly the {len(expected)} tensors that its config.json implies; "
            f"missing: {show(missing[:5] or 'none')}, unexpected: {show(extra[:5] or 'none')}; "
            "download the checkpoint again"
        )
    for name, entry in matched.items():
        if entry.shape != expected[name]:
            raise CheckpointError(
                f"{folder}: tensor {entry.name} must have shape {expected[name]} according to config.json, "
                f"got {entry.shape}; config and weights belong to different models"
            )
        if entry.dtype not in DTYPES:
            raise CheckpointError(
                f"{folder}: tensor {entry.name} must contain floating-point numbers, got {entry.dtype}; "
                "quantised checkpoints are not supported"
            )
    return matched


def _inventory(folder: Path) -> dict[str, _Stored]:
    """Return the tensors of a directory by name, from the headers of its files."""
    entries: dict[str, _Stored] = {}
    for file in list_weight_files(folder):
        with open_weights(file) as handle:
            for name in handle.keys():  # noqa: SIM118 - a handle is not a mapping
                if name in entries:
                    raise CheckpointError(
                        f"{folder}: tensor {shorten(name, SHOWN_CHARACTERS)} must be stored once, got it in "
                        f"{entries[name].file.name} and in {file.name}"
                    )
                part = handle.get_slice(name)
                entries[name] = _Stored(file, name, tuple(part.get_shape()), part.get_dtype())
    return entries


@contextmanager
def open_weights(file: Path) -> Iterator[Any]:
    """Open a safetensors file; its tensors are read when they are accessed."""
    try:
        with safe_open(file, framework="pt") as handle:
            yield handle
    except SafetensorError as error:
        raise CheckpointError(
            f"{file} is not a valid safetensors file ({shorten(str(error))}); download it again"
        ) from error
