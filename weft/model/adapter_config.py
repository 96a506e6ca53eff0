"""The file ``adapter_config.json`` of a LoRA adapter: read it, and check every field that is used.

Only plain LoRA is supported; fields of other methods are refused. A field of the wrong type is refused by
its name, because PEFT would stop with an error that names neither the file nor the field, or take text such
as "false" for true.
"""

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from weft.errors import SHOWN_CHARACTERS, CheckpointError, shorten, show
from weft.model.layout import Fields
from weft.records.model_files import read_model_json

ADAPTER_CONFIG = "adapter_config.json"

# Fields that describe the origin of an adapter. All other fields must have PEFT's default or be empty.
INERT = {
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "init_lora_weights",
    "peft_type",
    "peft_version",
    "revision",
    "runtime_config",
    "target_modules",
    "task_type",
}
REQUIRED = ("r", "target_modules")


def read_adapter_config(folder: Path) -> Fields:
    """Read the configuration of a plain LoRA adapter.

    Args:
        folder: directory of the adapter.

    Returns:
        The fields of the file.

    Raises:
        CheckpointError: the file is missing or unreadable, the adapter is not plain LoRA, or a field has a
            value that it cannot have.
    """
    file = folder / ADAPTER_CONFIG
    fields = read_model_json(file)
    if fields.get("peft_type") != "LORA":
        raise CheckpointError(
            f'{file}: peft_type must be "LORA", got {_show(fields.get("peft_type"))}; '
            "adapters of other methods are not supported"
        )
    missing = [name for name in REQUIRED if name not in fields]
    if missing:
        raise CheckpointError(f"{file} must contain r and target_modules, but {missing} are missing")
    for name, (is_allowed, expected) in _ALLOWED.items():
        if name in fields and not is_allowed(fields[name]):
            raise CheckpointError(
                f"{file}: {name} must be {expected}, got {_show(fields[name])}; "
                "correct the file, or save the adapter again with PEFT"
            )
    if other := find_other_methods(fields):
        raise CheckpointError(
            f"{file}: the adapter must be plain LoRA, got fields of other methods: {show(other)}"
        )
    return fields


def lora_settings(fields: Fields) -> Fields:
    """Return the fields on which the forward pass depends, except the modules, as PEFT takes them."""
    used = {name: fields[name] for name in ("r", "lora_alpha", "lora_dropout") if name in fields}
    return used | {"use_rslora": fields.get("use_rslora") or False}


def find_other_methods(fields: Fields) -> Fields:
    """Return the fields that change an adapter in a way that plain LoRA does not have."""
    from peft import LoraConfig

    defaults = {field.name: field.default for field in dataclasses.fields(LoraConfig)}
    unknown = {
        name: value
        for name, value in fields.items()
        if name not in INERT and name not in _ALLOWED and value and value != defaults.get(name)
    }
    if fields.get("init_lora_weights", True) not in (True, False, "gaussian"):
        unknown["init_lora_weights"] = fields["init_lora_weights"]  # these change the base weights
    return unknown


def _is_rank(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond the range of a float
        return False


def _is_target(value: Any) -> bool:
    if isinstance(value, str) and value:
        try:
            re.compile(value)
        except (re.error, RecursionError, OverflowError):
            return False
        return True
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) and name for name in value)


_ALLOWED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "r": (_is_rank, "a whole number of at least 1"),
    "target_modules": (_is_target, "a list of module names or a regular expression"),
    "lora_alpha": (lambda value: _is_number(value) and value > 0, "a finite number above 0"),
    "lora_dropout": (lambda value: _is_number(value) and 0 <= value <= 1, "a number from 0 to 1"),
    "use_rslora": (lambda value: value is None or isinstance(value, bool), "true or false"),
}
"""Field that is used -> whether it may have a value, and what is expected."""


def _show(value: Any) -> str:
    """Return a value as it is in the file, truncated."""
    return shorten(json.dumps(value), SHOWN_CHARACTERS)
