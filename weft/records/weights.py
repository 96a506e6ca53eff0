"""The safetensors files of a checkpoint directory, and their headers, without a library for tensors."""

import json
from pathlib import Path

from pydantic import ConfigDict, ValidationError

from weft.errors import CheckpointError
from weft.records.base import Record

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
MAX_HEADER_BYTES = 100_000_000
"""Largest header, in bytes, that safetensors itself reads."""


def list_weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a directory, from the index if the weights are split.

    Args:
        folder: checkpoint directory.

    Returns:
        The files, all of which exist.

    Raises:
        CheckpointError: a file is missing, or the index is not one.
    """
    index, names = folder / WEIGHTS_INDEX, [WEIGHTS]
    if index.exists():
        try:
            names = sorted(set(json.loads(index.read_text("utf-8-sig"))["weight_map"].values()))
            # An index may only refer to files of its own directory.
            names = [Path(name).name for name in names]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{index} must list the weights as published: {error!r}; download it again"
            ) from error
    return [require_weights(folder / name) for name in names]


def require_weights(file: Path) -> Path:
    """Return the path of a safetensors file after checking that it exists; if not, name any pickle files."""
    if file.exists():
        return file
    if not file.parent.is_dir():
        raise CheckpointError(
            f"expected a folder with a model or an adapter at {file.parent}, got none; correct the path, or "
            "download the repository into a folder"
        )
    pickles = sorted(other.name for pattern in PICKLES for other in file.parent.glob(pattern))
    if pickles:
        raise CheckpointError(
            f"{file.parent} must contain {file.name}, found only {pickles[:3]}, which weft does not read "
            "because reading a pickle can run code; convert the files to safetensors"
        )
    raise CheckpointError(f"{file.parent} must contain {file.name}, but it is missing; download it again")


class _StoredTensor(Record):
    """Part of the header of a safetensors file."""

    model_config = ConfigDict(extra="ignore", strict=False)

    data_offsets: tuple[int, int]
    """First byte and end of the tensor behind the header."""


def check_weight_files(folder: Path) -> None:
    """Check that a directory has all its weights, from the headers of the files.

    Source of the format: "Format" in the README of huggingface/safetensors.

    Args:
        folder: checkpoint directory.

    Raises:
        CheckpointError: a file is missing, damaged or cut off, or lacks a tensor that the index places in it.
    """
    expected: dict[str, set[str]] = {}
    files = list_weight_files(folder)
    index = folder / WEIGHTS_INDEX
    if index.exists():
        for tensor, name in json.loads(index.read_text("utf-8-sig"))["weight_map"].items():
            expected.setdefault(Path(name).name, set()).add(tensor)
    for file in files:
        missing = sorted(expected.get(file.name, set()) - _read_tensor_names(file))
        if missing:
            raise CheckpointError(
                f"{file} must contain the {len(expected[file.name])} tensors that {WEIGHTS_INDEX} places in "
                f"it, {len(missing)} are missing, such as {missing[0]}; download it again"
            )


def _read_tensor_names(file: Path) -> set[str]:
    """Return the names of the tensors of a file after checking its size against its header."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        content = stream.read(length) if length <= min(size, MAX_HEADER_BYTES) else b""
    try:
        header = json.loads(content)
        tensors = {
            name: _StoredTensor.model_validate(entry)
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (ValueError, AttributeError, ValidationError, RecursionError) as error:
        raise CheckpointError(f"{file} is not a valid safetensors file; download it again") from error
    whole = 8 + length + max((tensor.data_offsets[1] for tensor in tensors.values()), default=0)
    if size != whole:
        raise CheckpointError(
            f"{file} must have {whole} bytes according to its header, got {size}; download it again"
        )
    return set(tensors)
