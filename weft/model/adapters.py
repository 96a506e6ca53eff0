"""LoRA adapters: load them strictly, merge them, and carry them between our names and the published ones.

An adapter trained here names the modules as Llama does; one trained on LLaDA's own class (by d1, say)
names them as LLaDA does.  Either loads onto our models; ours can be written for the other side.
Only plain LoRA is known: what would change the network in another way is refused by name.
"""

import dataclasses
import json
import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from weft.errors import CheckpointError
from weft.model.checkpoint import PICKLES, find_family, find_layout, load_model, read_config, read_json
from weft.model.layout import Fields, Layout
from weft.provenance import digest, stored_file_digests

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")

# Fields of adapter_config.json that the forward pass depends on and that are passed on as they are ...
USED = ("r", "lora_alpha", "lora_dropout", "use_rslora")
# ... and those that say where an adapter comes from.  Any other must have PEFT's default or be empty.
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


def load_adapter(model: nn.Module, adapter_dir: str | Path) -> PeftModel:
    """Put an adapter onto a model, ready for inference; its weights stay in fp32 beside a bf16 base.

    Args:
        model: a mask predictor, changed in place.
        adapter_dir: ``adapter_config.json`` and ``adapter_model.safetensors``, in our names or the
            published ones.

    Returns:
        The wrapped model, in evaluation mode.

    Raises:
        CheckpointError: a file is missing or unreadable, the adapter is no plain LoRA, a tensor does not
            fit, or a module that should be adapted has no tensor.
    """
    folder, layout = Path(adapter_dir), find_layout(model)
    fields, tensors = _read_adapter(folder)
    ours, is_published = _by_our_modules(folder, layout, tensors)
    linear = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    _require_targets(folder, layout, fields["target_modules"], linear, ours, is_published=is_published)
    for module, sides in ours.items():
        shapes = _shapes(linear[module], fields["r"])
        for side, (key, tensor) in sides.items():
            if tuple(tensor.shape) != shapes[side]:
                raise CheckpointError(
                    f"{folder}: tensor {key} must have shape {shapes[side]}, got {tuple(tensor.shape)}; "
                    "adapter and base model do not belong together"
                )
    config = LoraConfig(
        **{name: fields[name] for name in USED if name in fields},
        target_modules=sorted(ours),
        inference_mode=True,
    )
    with warnings.catch_warnings():
        # PEFT looks for a public name of the base model, and asks for checkpointing by its former name.
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", FutureWarning)
        adapted = PeftModel(model, config)
    parameters = dict(adapted.named_parameters())
    wanted = {name for name in parameters if ".lora_" in name}
    with torch.no_grad():
        for module, sides in ours.items():
            for side, (_, tensor) in sides.items():
                name = f"base_model.model.{module}.lora_{side}.default.weight"
                parameters[name].copy_(tensor)
                wanted.remove(name)
    assert not wanted, f"every LoRA weight has been read, not {sorted(wanted)}"
    return adapted.eval()


def load_tuned(base_dir: str | Path, tuned_dir: str | Path | None, dtype: torch.dtype = torch.float32) -> Any:
    """Load what fine-tuning made: a base model with an adapter, or a whole checkpoint.

    Args:
        base_dir: checkpoint directory of the base model.
        tuned_dir: an adapter (``adapter_config.json``) or a full checkpoint (``config.json``); the base
            model itself when None.
        dtype: type of the parameters in memory, adapters excepted, which are in fp32.

    Returns:
        The model, in evaluation mode.

    Raises:
        CheckpointError: either directory is not as it should be, or they do not belong together.
    """
    if tuned_dir is None:
        return load_model(base_dir, dtype)
    tuned = Path(tuned_dir)
    if (tuned / ADAPTER_CONFIG).exists():
        return load_adapter(load_model(base_dir, dtype), tuned)
    if not (tuned / "config.json").exists():
        raise CheckpointError(f"{tuned} must hold {ADAPTER_CONFIG} or config.json, found neither")
    base, config = read_config(base_dir), read_config(tuned)
    for name in ("model_type", "vocab_size", "mask_token_id"):
        if getattr(base, name) != getattr(config, name):
            raise CheckpointError(
                f"{tuned} must have the {name} of its base model {base_dir}, got {getattr(config, name)!r} "
                f"and {getattr(base, name)!r}"
            )
    return load_model(tuned, dtype)


def tuned_digest(tuned_dir: str | Path) -> str:
    """Digest what fine-tuning made, as far as a model is loaded from it.

    What else lies in a run's folder, such as how long it took, changes from run to run and changes no answer.
    """
    files = stored_file_digests(Path(tuned_dir))
    names = [name for name in files if name.endswith((".safetensors", ADAPTER_CONFIG, "config.json"))]
    return digest({name: files[name].sha256 for name in names})


def merge_adapter(model: Any) -> Any:
    """Add an adapter's product to the weights and take the wrapper off; a plain model comes back as it is.

    Raises:
        CheckpointError: the sum is not finite.
    """
    if not isinstance(model, PeftModel):
        return model
    try:
        return model.merge_and_unload(safe_merge=True).eval()
    except ValueError as error:
        raise CheckpointError(f"the adapter must have finite weights: {error}") from error


def export_adapter(adapter_dir: str | Path, out: str | Path, *, family: str) -> int:
    """Write an adapter of ours under the published names, for PEFT on the family's own class.

    ``down_proj`` is called ``ff_out`` in LLaDA, which is also the name of its output head; PEFT would
    adapt both.  Where it is among the targets they are therefore written as an expression that only
    modules of blocks match.

    Args:
        adapter_dir: the adapter, in our names.
        out: directory, made if missing.
        family: ``llada`` or ``dream``.

    Returns:
        The number of adapted modules.

    Raises:
        CheckpointError: an unknown family, the adapter is not as it should be, or a layer is left out.
    """
    folder, layout = Path(adapter_dir), find_family(family)
    fields, tensors = _read_adapter(folder)
    ours, is_published = _by_our_modules(folder, layout, tensors)
    if is_published and family != "dream":
        raise CheckpointError(
            f"{folder} must be an adapter in weft's names, it has the published ones already"
        )
    published = {module: _published(layout, module) for module in ours}
    renamed = {
        f"base_model.model.{published[module]}.lora_{side}.weight": tensor
        for module, sides in ours.items()
        for side, (_, tensor) in sides.items()
    }
    target = Path(out)
    target.mkdir(parents=True, exist_ok=True)
    save_file(dict(sorted(renamed.items())), target / ADAPTER_WEIGHTS, metadata={"format": "pt"})
    written = fields | {
        "auto_mapping": None,  # it named our class
        "inference_mode": True,
        "target_modules": _describe_targets(folder, published.values()),
    }
    (target / ADAPTER_CONFIG).write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
    return len(ours)


def _read_adapter(folder: Path) -> tuple[Fields, dict[str, Tensor]]:
    fields = read_json(folder / ADAPTER_CONFIG)
    if fields.get("peft_type") != "LORA":
        raise CheckpointError(f"{folder}: the adapter must be of type LORA, got {fields.get('peft_type')!r}")
    if not isinstance(fields.get("r"), int) or fields["r"] < 1 or not fields.get("target_modules"):
        raise CheckpointError(f"{folder / ADAPTER_CONFIG} must state r and target_modules")
    defaults = {field.name: field.default for field in dataclasses.fields(LoraConfig)}
    unknown = {
        name: value
        for name, value in fields.items()
        if name not in INERT and name not in USED and value and value != defaults.get(name)
    }
    if fields.get("init_lora_weights", True) not in (True, False, "gaussian"):
        unknown["init_lora_weights"] = fields["init_lora_weights"]  # such start from changed base weights
    if unknown:
        raise CheckpointError(
            f"{folder}: the adapter must be plain LoRA, these fields go beyond it: {unknown}"
        )
    file = folder / ADAPTER_WEIGHTS
    if not file.exists():
        pickles = sorted(found.name for pattern in PICKLES for found in folder.glob(pattern))
        hint = f"; {pickles[:3]} may run code when read: convert to safetensors" if pickles else ""
        raise CheckpointError(f"{folder} must hold {ADAPTER_WEIGHTS}, not found{hint}")
    try:
        return fields, load_file(file)
    except SafetensorError as error:
        raise CheckpointError(f"{file} is no valid safetensors file ({error})") from error


def _by_our_modules(
    folder: Path, layout: Layout, tensors: dict[str, Tensor]
) -> tuple[dict[str, dict[str, tuple[str, Tensor]]], bool]:
    """Sort tensors by our modules and sides; say also whether they came under published names."""
    ours: dict[str, dict[str, tuple[str, Tensor]]] = {}
    kinds = set()
    for key, tensor in tensors.items():
        match = KEY.fullmatch(key)
        name = match["module"] if match else ""
        is_published = layout.to_our_module(name) is not None
        module = layout.to_our_module(name) if is_published else name
        if match is None or module is None or layout.to_published_module(module) is None:
            raise CheckpointError(
                f"{folder}: tensor {key} must be a LoRA weight of a known module, it is not"
            )
        if module == "lm_head":
            raise CheckpointError(f"{folder}: tensor {key} adapts the output head, which is not supported")
        kinds.add(is_published)
        ours.setdefault(module, {})[match["side"]] = (key, tensor)
    if len(kinds) != 1:
        raise CheckpointError(f"{folder} must hold LoRA weights under one way of naming, found {len(kinds)}")
    for module, sides in ours.items():
        if len(sides) != 2:
            (key, _), *_ = sides.values()
            raise CheckpointError(f"{folder}: {module} must have lora_A and lora_B, found only {key}")
    return ours, kinds.pop()


def _require_targets(
    folder: Path,
    layout: Layout,
    targets: Any,
    linear: dict[str, nn.Linear],
    ours: dict[str, Any],
    *,
    is_published: bool,
) -> None:
    """Compare the modules that have tensors with those that ``adapter_config.json`` says are adapted."""
    named = {name: _published(layout, name) if is_published else name for name in linear}
    expected = {name for name, known in named.items() if _is_target(known, targets)}
    foreign, left_out = sorted(ours.keys() - linear.keys()), sorted(expected - ours.keys())
    if foreign or left_out or ours.keys() - expected:
        undeclared = sorted(ours.keys() - expected)
        raise CheckpointError(
            f"{folder} must hold the LoRA weights of its target modules {targets!r}; without weights: "
            f"{left_out[:3] or 'none'}, not among them: {undeclared[:3] or 'none'}, "
            f"not in the base model: {foreign[:3] or 'none'}"
        )


def _is_target(name: str, targets: Any) -> bool:
    """Apply PEFT's rule: an expression for the whole name, or a list of ends of names."""
    if targets == "all-linear":
        return name not in ("lm_head", "model.transformer.ff_out")
    if isinstance(targets, str):
        return re.fullmatch(targets, name) is not None
    return any(name == target or name.endswith(f".{target}") for target in targets)


def _describe_targets(folder: Path, names: Iterable[str]) -> list[str] | str:
    """Name the adapted modules as PEFT wants it; each kind must be adapted in the same layers."""
    layers: dict[str, set[str]] = {}
    for name in names:
        match = re.fullmatch(r"(?P<stack>model\.[\w.]+)\.(?P<layer>\d+)\.(?P<inner>[\w.]+)", name)
        assert match is not None, "layouts name modules in blocks like this"
        layers.setdefault(match["inner"], set()).add(match["layer"])
    everywhere = set().union(*layers.values())
    uneven = sorted(inner for inner, found in layers.items() if found != everywhere)
    if uneven or everywhere != {str(index) for index in range(len(everywhere))}:
        raise CheckpointError(
            f"{folder} must adapt the same modules in every layer, {uneven or 'some'} are left out"
        )
    if "ff_out" in layers:
        return rf"model\.transformer\.blocks\.\d+\.({'|'.join(sorted(layers))})"
    return sorted(inner.split(".")[-1] for inner in layers)


def _published(layout: Layout, module: str) -> str:
    name = layout.to_published_module(module)
    assert name is not None, f"{module} is a module of ours, so the layout names it"
    return name


def _shapes(linear: nn.Linear, rank: int) -> dict[str, tuple[int, int]]:
    return {"A": (rank, linear.in_features), "B": (linear.out_features, rank)}
