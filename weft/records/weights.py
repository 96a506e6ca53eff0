"""The safetensors files of a checkpoint directory, and their headers, without a library for tensors."""

import json
import re
import sys
from pathlib import Path

from pydantic import ConfigDict, ValidationError

from weft.errors import CheckpointError, show
from weft.records.base import Record
from weft.records.files import require_regular
from weft.records.model_files import read_model_json

WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
FILE_NAME = re.compile(r"[\w.-]{1,200}\.safetensors")
"""Name of a file with weights, without folders."""
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
    names = sorted(set(read_weight_map(folder).values())) or [WEIGHTS]
    return [require_weights(folder / name) for name in names]


def read_weight_map(folder: Path) -> dict[str, str]:
    """Read the index of split weights.

    Args:
        folder: checkpoint directory.

    Returns:
        Name of a tensor -> name of its file in the directory; empty if there is no index.

    Raises:
        CheckpointError: the index does not list files of its own directory.
    """
    index = folder / WEIGHTS_INDEX
    if not index.exists():
        return {}
    listed = read_model_json(index).get("weight_map")
    names = list(listed.values()) if isinstance(listed, dict) else []
    wrong = [name for name in names if not (isinstance(name, str) and FILE_NAME.fullmatch(name))]
    if not names or wrong:
        raise CheckpointError(
            f"{index} must list the weights as published, files of its own directory under weight_map, got "
            f"{show(wrong[0] if wrong else listed)}; download it again"
        )
    return {str(tensor): str(name) for tensor, name in (listed or {}).items()}


def require_weights(file: Path) -> Path:
    """Return the path of a safetensors file after checking that it exists; if not, name any pickle files."""
    if file.exists():
        require_regular(file, sys.maxsize, error=CheckpointError, remedy="download it again")
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
    for tensor, name in read_weight_map(folder).items():
        expected.setdefault(name, set()).add(tensor)
    for file in files:
        missing = sorted(expected.get(file.name, set()) - _read_tensor_names(file))
        if missing:
            raise CheckpointError(
                f"{file} must contain the {len(expected[file.name])} tensors that {WEIGHTS_INDEX} places in "
                f"it, {len(missing)} are missing, such as {show(missing[0])}; download it again"
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
    end = 0
    for start, stop in sorted(tensor.data_offsets for tensor in tensors.values()):
        if start != end or stop < start:
            raise CheckpointError(
                f"{file} must store its tensors one after the other, got bytes {start} to {stop} after byte "
                f"{end}; download it again"
            )
        end = stop
    whole = 8 + length + end
    if size != whole:
        raise CheckpointError(
            f"{file} must have {whole} bytes according to its header, got {size}; download it again"
        )
    return set(tensors)
