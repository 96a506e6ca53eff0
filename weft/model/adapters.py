"""LoRA adapters: load, merge and export them.

An adapter that weft trains has the module names of Llama; an adapter trained on the published model class,
for example by d1, has those of LLaDA. `load_adapter` reads both; `export_adapter` writes the published
names. Only plain LoRA is supported; adapters with settings of other methods are rejected.
"""

import json
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from weft.errors import CheckpointError, shorten, show
from weft.model.adapter_config import ADAPTER_CONFIG, lora_settings, read_adapter_config
from weft.model.checkpoint import (
    DTYPES,
    find_family,
    find_layout,
    load_model,
    open_weights,
    read_config,
    read_family,
    require_finite,
)
from weft.model.layout import Fields, Layout
from weft.model.limited import LimitError, run_limited
from weft.provenance import digest, stored_file_digests
from weft.records.files import write_text
from weft.records.weights import require_weights

if TYPE_CHECKING:
    from peft import PeftModel

ADAPTER_WEIGHTS = "adapter_model.safetensors"
KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")


def load_adapter(model: nn.Module, adapter_dir: str | Path) -> "PeftModel":
    """Add an adapter to a model for inference. Its weights are in fp32 even if the model is in bf16.

    Args:
        model: a mask predictor; it is changed in place.
        adapter_dir: directory with ``adapter_config.json`` and ``adapter_model.safetensors``, in Llama's or
            the published module names.

    Returns:
        The wrapped model, in evaluation mode.

    Raises:
        CheckpointError: a file is missing or unreadable, the adapter is not plain LoRA, a tensor does not
            fit or is not finite, or a target module has no tensor.
    """
    from peft import LoraConfig, PeftModel

    folder, layout = Path(adapter_dir), find_layout(model)
    fields, tensors = _read_adapter(folder)
    ours, is_published = _by_our_modules(folder, layout, tensors)
    _require_targets(folder, layout, fields["target_modules"], model, ours, is_published=is_published)
    _require_shapes(folder, model, ours, rank=fields["r"])
    config = LoraConfig(**lora_settings(fields), target_modules=sorted(ours), inference_mode=True)
    with warnings.catch_warnings():
        # PEFT warns about the base model's name and about a renamed checkpointing option; both are harmless.
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", FutureWarning)
        adapted = PeftModel(model, config)
    parameters = {name: weight for name, weight in adapted.named_parameters() if ".lora_" in name}
    for module, sides in ours.items():
        for side, (_, tensor) in sides.items():
            parameter = parameters.pop(f"base_model.model.{module}.lora_{side}.default.weight")
            with torch.no_grad():
                parameter.copy_(tensor)
    assert not parameters, f"LoRA weights without a tensor: {sorted(parameters)}"
    return adapted.eval()


def load_finetuned(
    base_dir: str | Path, finetuned_dir: str | Path | None, dtype: torch.dtype = torch.float32
) -> Any:
    """Load the result of a fine-tuning: a base model with an adapter, or a full checkpoint.

    Args:
        base_dir: checkpoint directory of the base model.
        finetuned_dir: directory of an adapter (``adapter_config.json``) or of a full checkpoint
            (``config.json``); None loads the base model.
        dtype: type of the parameters in memory, except those of adapters, which are in fp32.

    Returns:
        The model, in evaluation mode.

    Raises:
        CheckpointError: a directory cannot be loaded, or the checkpoint does not fit the base model.
    """
    if finetuned_dir is None:
        return load_model(base_dir, dtype)
    folder = Path(finetuned_dir)
    if (folder / ADAPTER_CONFIG).exists():
        return load_adapter(load_model(base_dir, dtype), folder)
    _require_same_model(base_dir, folder)
    return load_model(folder, dtype)


def _require_same_model(base_dir: str | Path, folder: Path) -> None:
    """Check that a full checkpoint has the family, the vocabulary and the mask token of its base model."""
    if not (folder / "config.json").exists():
        raise CheckpointError(f"{folder} must contain {ADAPTER_CONFIG} or config.json, found neither")
    base, config = read_config(base_dir), read_config(folder)
    for name in ("model_type", "vocab_size", "mask_token_id"):
        if getattr(base, name) != getattr(config, name):
            raise CheckpointError(
                f"{folder} must have the {name} of its base model {base_dir}, got {getattr(config, name)!r} "
                f"and {getattr(base, name)!r}"
            )


def finetuned_digest(finetuned_dir: str | Path) -> str:
    """Return a digest of the files of an adapter or checkpoint from which a model is loaded.

    Other files of a run, such as its wall times, differ between runs without changing the model.
    """
    files = stored_file_digests(Path(finetuned_dir))
    names = [name for name in files if name.endswith((".safetensors", ADAPTER_CONFIG, "config.json"))]
    return digest({name: files[name].sha256 for name in names})


def check_finetuned(base_dir: str | Path, finetuned_dir: str | Path) -> None:
    """Check that the result of a fine-tuning fits its base model, without reading the weights of the base.

    Args:
        base_dir: checkpoint directory of the base model.
        finetuned_dir: directory of an adapter or of a full checkpoint.

    Raises:
        CheckpointError: a file is missing or malformed, or the two do not fit together.
    """
    folder = Path(finetuned_dir)
    if not (folder / ADAPTER_CONFIG).exists():
        _require_same_model(base_dir, folder)
        return
    layout = find_family(read_family(base_dir))
    fields, tensors = _read_adapter(folder)
    with torch.device("meta"):
        model: Any = layout.model_class(read_config(base_dir))
    ours, is_published = _by_our_modules(folder, layout, tensors)
    _require_targets(folder, layout, fields["target_modules"], model, ours, is_published=is_published)
    _require_shapes(folder, model, ours, rank=fields["r"])


def merge_adapter(model: Any) -> Any:
    """Return the model with its adapter merged into the weights; a model without adapter is not changed.

    Args:
        model: a mask predictor; it is changed in place.

    Returns:
        The model, without PEFT's wrapper.

    Raises:
        CheckpointError: the merged weights are not finite.
    """
    if not hasattr(model, "peft_config"):
        return model
    try:
        return model.merge_and_unload(safe_merge=True).eval()
    except ValueError as error:
        raise CheckpointError(f"the adapter must have finite weights: {error}") from error


def export_adapter(
    adapter_dir: str | Path,
    out: str | Path,
    *,
    family: str,
    base_name: str | None = None,
    base_commit: str | None = None,
) -> int:
    """Write an adapter with the published module names, for PEFT on the published model class.

    In LLaDA, ``ff_out`` is the name of both ``down_proj`` and the output head. If ``down_proj`` is among the
    target modules, the exported ``target_modules`` is therefore a regular expression that matches only
    modules of the transformer blocks; a list of names would make PEFT adapt the head as well.

    Args:
        adapter_dir: the adapter, in Llama's names.
        out: directory; created if missing.
        family: ``llada`` or ``dream``.
        base_name: repository or folder of the base model, from which PEFT's automatic classes load it; None
            keeps the name in the adapter's configuration.
        base_commit: commit of the repository; None for no particular one.

    Returns:
        The number of adapted modules.

    Raises:
        CheckpointError: the family is unknown, the adapter cannot be read, or a layer is not adapted.
    """
    folder, layout = Path(adapter_dir), find_family(family)
    fields, tensors = _read_adapter(folder)
    ours, is_published = _by_our_modules(folder, layout, tensors)
    if is_published and family != "dream":
        raise CheckpointError(
            f"{folder} must be an adapter with the module names of weft, got the published names"
        )
    published = {module: layout.to_published_module(module) or module for module in ours}
    renamed = {
        f"base_model.model.{published[module]}.lora_{side}.weight": tensor
        for module, sides in ours.items()
        for side, (_, tensor) in sides.items()
    }
    target = Path(out)
    target.mkdir(parents=True, exist_ok=True)
    save_file(dict(sorted(renamed.items())), target / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    written = fields | {
        "auto_mapping": None,  # would name the model class of weft
        "inference_mode": True,
        "target_modules": _describe_targets(folder, published.values()),
    }
    if base_name is not None:
        written |= {"base_model_name_or_path": base_name, "revision": base_commit}
    write_text(target / ADAPTER_CONFIG, json.dumps(written, indent=2, sort_keys=True) + "\n")
    return len(ours)


def _read_adapter(folder: Path) -> tuple[Fields, dict[str, Tensor]]:
    fields, file = read_adapter_config(folder), require_weights(folder / ADAPTER_WEIGHTS)
    with open_weights(file) as handle:
        tensors = {key: handle.get_tensor(key) for key in handle.keys()}  # noqa: SIM118
    for key, tensor in tensors.items():
        if tensor.dtype in DTYPES.values():  # others are refused with their module
            require_finite(tensor.float(), key, source=file)  # an adapter is used in float32
    return fields, tensors


def _by_our_modules(
    folder: Path, layout: Layout, tensors: dict[str, Tensor]
) -> tuple[dict[str, dict[str, tuple[str, Tensor]]], bool]:
    """Return tensors by module (in Llama's names) and side, and whether the file has published names."""
    ours: dict[str, dict[str, tuple[str, Tensor]]] = {}
    kinds = set()
    for key, tensor in tensors.items():
        match = KEY.fullmatch(key)
        name = match["module"] if match else ""
        is_published = layout.to_our_module(name) is not None
        module = layout.to_our_module(name) if is_published else name
        if match is None or module is None or layout.to_published_module(module) is None:
            raise CheckpointError(
                f"{folder}: every tensor must be a LoRA weight of a module of the model, got {shorten(key)}"
            )
        if module == "lm_head":
            raise CheckpointError(f"{folder}: tensor {key} adapts the output head, which is not supported")
        if tensor.dtype not in DTYPES.values():
            raise CheckpointError(
                f"{folder}: tensor {key} must contain floating-point numbers of at least 16 bits, got "
                f"{tensor.dtype}; quantised adapters are not supported"
            )
        kinds.add(is_published)
        ours.setdefault(module, {})[match["side"]] = (key, tensor)
    if len(kinds) != 1:
        raise CheckpointError(
            f"{folder} must contain LoRA weights with names of one kind, got {len(kinds)} kinds"
        )
    for module, sides in ours.items():
        if len(sides) != 2:
            (key, _), *_ = sides.values()
            raise CheckpointError(f"{folder}: {module} must have both lora_A and lora_B, found only {key}")
    return ours, kinds.pop()


def _require_shapes(
    folder: Path, model: nn.Module, ours: Mapping[str, Mapping[str, tuple[str, Tensor]]], *, rank: int
) -> None:
    """Check the tensors before PEFT allocates matrices, which a wrong rank could make too large."""
    for module, sides in ours.items():
        linear = model.get_submodule(module)
        assert isinstance(linear, nn.Linear), "_require_targets allows linear modules only"
        expected = {"A": (rank, linear.in_features), "B": (linear.out_features, rank)}
        for side, (key, tensor) in sides.items():
            if tuple(tensor.shape) != expected[side]:
                raise CheckpointError(
                    f"{folder}: tensor {key} must have shape {expected[side]} for r={rank} in "
                    f"{ADAPTER_CONFIG}, got {tuple(tensor.shape)}; the adapter was trained on another model"
                )


def _require_targets(
    folder: Path, layout: Layout, targets: Any, model: nn.Module, ours: Iterable[str], *, is_published: bool
) -> None:
    """Check that the modules with tensors are the target modules of ``adapter_config.json``."""
    linear = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    published = {name: layout.to_published_module(name) or name for name in linear} if is_published else {}
    expected = _find_targets({name: published.get(name, name) for name in linear}, targets, folder)
    foreign, left_out = sorted(set(ours) - linear), sorted(expected - set(ours))
    undeclared = sorted(set(ours) - expected)
    if left_out or undeclared:
        raise CheckpointError(
            f"{folder} must contain exactly the LoRA weights of its target modules {show(targets)}; "
            f"target modules without weights: {left_out[:3] or 'none'}; "
            f"weights of other modules: {undeclared[:3] or 'none'}; "
            f"modules that the base model lacks: {foreign[:3] or 'none'}"
        )


def _find_targets(names: Mapping[str, str], targets: Any, folder: Path) -> set[str]:
    """Return the modules that PEFT would adapt by their names, as they are named in the adapter."""
    if not isinstance(targets, str):
        return {module for module, name in names.items() if _is_target(name, targets)}
    try:  # the time of a regular expression can grow exponentially with the length of a name
        return set(run_limited(lambda: [key for key, name in names.items() if _is_target(name, targets)]))
    except LimitError as error:
        raise CheckpointError(
            f"{folder}: target_modules must be a list of names or a regular expression that is fast, got "
            f"{show(targets)} with {error}; save the adapter again with a list"
        ) from error


def _is_target(name: str, targets: Any) -> bool:
    """Return True if PEFT would adapt a module; ``targets`` is a regular expression or a list of endings."""
    if targets == "all-linear":
        return name not in ("lm_head", "model.transformer.ff_out")
    if isinstance(targets, str):
        return re.fullmatch(targets, name) is not None
    return any(name == target or name.endswith(f".{target}") for target in targets)


def _describe_targets(folder: Path, names: Iterable[str]) -> list[str] | str:
    """Return ``target_modules`` for PEFT; each kind of module must be adapted in all layers."""
    layers: dict[str, set[str]] = {}
    for name in names:
        match = re.fullmatch(r"(?P<stack>model\.[\w.]+)\.(?P<layer>\d+)\.(?P<inner>[\w.]+)", name)
        assert match is not None, "every layout uses such names for the modules of transformer blocks"
        layers.setdefault(match["inner"], set()).add(match["layer"])
    everywhere = set().union(*layers.values())
    uneven = sorted(inner for inner, present in layers.items() if present != everywhere)
    if uneven or everywhere != {str(index) for index in range(len(everywhere))}:
        raise CheckpointError(
            f"{folder} must adapt the same modules in every layer, but some layers lack {uneven or 'modules'}"
        )
    if "ff_out" in layers:
        return rf"model\.transformer\.blocks\.\d+\.({'|'.join(sorted(layers))})"
    return sorted(inner.split(".")[-1] for inner in layers)
