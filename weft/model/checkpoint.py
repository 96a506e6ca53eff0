"""Checkpoint directories in their published forms: load without remote code, write back.

Loading is strict: a missing, extra or misshapen tensor is an error that names it, and so is a field
of ``config.json`` that describes another network.  Only safetensors are read; no code comes from the
directory, whatever its files ask for.
"""

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from weft.errors import CheckpointError
from weft.model.dream import DreamConfig
from weft.model.dream_layout import DreamLayout
from weft.model.layout import Fields, Layout
from weft.model.llada import LladaConfig
from weft.model.llada_layout import LladaLayout

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
DTYPES = {"F64": torch.float64, "F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16}

LAYOUTS: tuple[Layout, ...] = (LladaLayout(), DreamLayout())

PredictorConfig = LladaConfig | DreamConfig


@dataclass(frozen=True)
class _Stored:
    """Where a tensor lies and what its file's header says about it."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: str


def load_model(path: str | Path, dtype: torch.dtype = torch.float32) -> Any:
    """Load a mask predictor from a checkpoint directory of a known family.

    Tensors are read one by one and converted as they come, so that besides the model no more than
    one tensor is in memory.

    Args:
        path: directory with ``config.json`` and safetensors as published, sharded or not.
        dtype: type of the parameters in memory.

    Returns:
        The model in evaluation mode; ``model(input_ids=ids).logits[b, i]`` predicts position i.

    Raises:
        CheckpointError: the directory, a file, a field or a tensor is not as it should be.
    """
    folder = Path(path)
    layout, config = _read_config(folder)
    with torch.device("meta"):
        model: Any = layout.model_class(config)
    stored = _match(folder, layout, model)
    tensors: dict[str, Tensor] = {}
    for file in sorted({entry.file for entry in stored.values()}):
        with _opened(file) as handle:
            for name, entry in stored.items():
                if entry.file == file:
                    tensors[name] = handle.get_tensor(entry.name).to(dtype)
    model.load_state_dict(tensors, strict=True, assign=True)
    # The rotary frequencies are computed, not stored: build them outside the meta device.
    model.model.rotary_emb = type(model.model.rotary_emb)(config)
    model.config.dtype = dtype
    return model.eval()


def save_model(model: nn.Module, path: str | Path, *, max_shard_bytes: int = 5_000_000_000) -> None:
    """Write a model as a checkpoint directory in the published form of its family.

    weft reads it back as it is.  Tools with a class of their own (d1, Fast-dLLM) need no more than these
    files and the tokenizer's.  Tools that load with remote code follow ``auto_map`` in ``config.json`` to
    two Python files of the published repository (``configuration_llada.py`` and ``modeling_llada.py``, or
    Dream's four with its tokenizer and generation code), which must be put beside; weft ships no such code.

    Args:
        model: a mask predictor without adapters.
        path: directory, made if missing; weight files of an earlier model in it are removed.
        max_shard_bytes: where the weights take more, they are split, and an index says what is where.
    """
    folder = Path(path)
    layout = find_layout(model)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("model*.safetensors*"):
        old.unlink()
    tensors = {layout.to_published_name(name): tensor for name, tensor in model.state_dict().items()}
    tensors = dict(sorted(tensors.items()))
    split = split_torch_state_dict_into_shards(
        tensors, filename_pattern="model{suffix}.safetensors", max_shard_size=max_shard_bytes
    )
    for file, names in split.filename_to_tensors.items():
        shard = {name: tensors[name].contiguous() for name in names}
        save_file(shard, folder / file, metadata={"format": "pt"})
    if split.is_sharded:
        index = {
            "metadata": {"total_size": split.metadata["total_size"]},
            "weight_map": split.tensor_to_filename,
        }
        (folder / WEIGHTS_INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    text = json.dumps(layout.to_fields(_config_of(model)), indent=2, sort_keys=True)
    (folder / "config.json").write_text(text + "\n")


def read_config(path: str | Path) -> PredictorConfig:
    """Translate the ``config.json`` of a checkpoint directory.

    Args:
        path: the directory.

    Returns:
        The configuration; it names the mask token as ``mask_token_id``, if the file does.

    Raises:
        CheckpointError: no such file, not JSON, an unknown family, or a network that is none of it.
    """
    return _read_config(Path(path))[1]


def read_family(path: str | Path) -> str:
    """Say of which family a checkpoint directory is, by the short name.

    Raises:
        CheckpointError: as ``read_config``.
    """
    return _read_config(Path(path))[0].family


def stored_dtype(path: str | Path) -> torch.dtype:
    """Say in which type the weights of a checkpoint directory are stored, the widest if in several.

    Raises:
        CheckpointError: there are no weights that can be read, or they are no floating-point numbers.
    """
    kinds = sorted({entry.dtype for entry in _inventory(Path(path)).values()})
    if not kinds or not set(kinds) <= DTYPES.keys():
        raise CheckpointError(f"{path}: weights must be floating-point numbers, got {kinds or 'none'}")
    return functools.reduce(torch.promote_types, (DTYPES[kind] for kind in kinds))


def find_layout(model: nn.Module) -> Layout:
    """Find the layout of a model, or of the model inside an adapter's wrapper.

    Raises:
        CheckpointError: it is no mask predictor of weft.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model  # type: ignore[operator]
    for layout in LAYOUTS:
        if isinstance(inner, layout.model_class):
            return layout
    raise CheckpointError(f"the model must be of a family that weft knows, got {type(inner).__name__}")


def find_family(family: str) -> Layout:
    """Find a layout by its short name.

    Raises:
        CheckpointError: there is none of that name.
    """
    for layout in LAYOUTS:
        if layout.family == family:
            return layout
    raise CheckpointError(f"family must be one of {[layout.family for layout in LAYOUTS]}, got {family!r}")


def read_json(file: Path) -> Fields:
    """Read a JSON object.

    Raises:
        CheckpointError: it is missing, no JSON or no object.
    """
    try:
        fields = json.loads(file.read_text())
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{file.parent} must be a checkpoint directory with {file.name}, none found"
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} must be JSON: {error}") from error
    if not isinstance(fields, dict):
        raise CheckpointError(f"{file} must hold a JSON object, got {type(fields).__name__}")
    return fields


def _config_of(model: nn.Module) -> Any:
    assert isinstance(model, PreTrainedModel), "mask predictors are models of transformers"
    return model.config


def _read_config(folder: Path) -> tuple[Layout, PredictorConfig]:
    where = folder / "config.json"
    fields = read_json(where)
    for layout in LAYOUTS:
        if fields.get("model_type") == layout.model_type:
            layout.check(fields, where)
            config: Any = layout.to_config(fields)
            return layout, config
    known = " or ".join(repr(layout.model_type) for layout in LAYOUTS)
    raise CheckpointError(f"{where}: model_type must be {known}, got {fields.get('model_type')!r}")


def _match(folder: Path, layout: Layout, model: nn.Module) -> dict[str, _Stored]:
    """Find the stored tensor of every parameter, from the files' headers only."""
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    inventory = _inventory(folder)
    stored = {layout.to_our_name(name): entry for name, entry in inventory.items()}
    matched = {name: stored[name] for name in expected.keys() & stored.keys()}
    missing = sorted(layout.to_published_name(name) for name in expected.keys() - matched.keys())
    extra = sorted(inventory.keys() - {entry.name for entry in matched.values()})
    if missing or extra:
        raise CheckpointError(
            f"{folder} must hold exactly the {len(expected)} tensors of its config.json; "
            f"missing: {missing[:5] or 'none'}, not expected: {extra[:5] or 'none'}; "
            "download the checkpoint again"
        )
    for name, entry in matched.items():
        if entry.shape != expected[name]:
            raise CheckpointError(
                f"{folder}: tensor {entry.name} must have shape {expected[name]} by config.json, "
                f"got {entry.shape}; config and weights belong to different models"
            )
        if entry.dtype not in DTYPES:
            raise CheckpointError(
                f"{folder}: tensor {entry.name} must hold floating-point numbers, got {entry.dtype}; "
                "quantised checkpoints are not supported"
            )
    return {name: matched[name] for name in expected}


def _inventory(folder: Path) -> dict[str, _Stored]:
    """List the tensors of a directory from the headers of its files."""
    entries: dict[str, _Stored] = {}
    for file in _weight_files(folder):
        with _opened(file) as handle:
            for name in handle.keys():  # noqa: SIM118 - a handle is no mapping
                if name in entries:
                    raise CheckpointError(
                        f"{folder}: tensor {name} must be stored once, it is in {entries[name].file.name} "
                        f"and {file.name}"
                    )
                part = handle.get_slice(name)
                entries[name] = _Stored(file, name, tuple(part.get_shape()), part.get_dtype())
    return entries


def _weight_files(folder: Path) -> list[Path]:
    index, files = folder / WEIGHTS_INDEX, [WEIGHTS]
    if index.exists():
        try:
            files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
            # An index is data from outside: it may name files of this directory only.
            files = [Path(name).name for name in files]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{index} must list the weights as published: {error!r}; download it again"
            ) from error
    for name in files:
        if not (folder / name).exists():
            pickles = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern))
            if pickles:
                raise CheckpointError(
                    f"{folder} must hold {name}, found only {pickles[:3]}: such files can run code when "
                    "they are read, so weft does not; convert them to safetensors"
                )
            raise CheckpointError(f"{folder} must hold {name}, not found; download it again")
    return [folder / name for name in files]


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt") as handle:
            yield handle
    except SafetensorError as error:
        raise CheckpointError(f"{file} is no valid safetensors file ({error}); download it again") from error
