"""The models that the sampler accepts, and what it takes from their outputs.

A mask predictor of `weft.model` computes only the predictions that are asked for. A network of one's own may
ignore those arguments and return the logits of the whole canvas; the sampler then selects the positions. The
classes of transformers are refused, because most of them attend to earlier tokens only, and Dream's returns
the logits one position early.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from weft.axes import Columns
from weft.errors import SamplingError
from weft.model.head import HEAD_CHUNK, LogitsFn, in_chunks

CALLED_WITH = ("input_ids", "attention_mask", "position_ids", "logits_positions", "logits_fn")
"""Keywords with which the sampler calls a model."""


def require_callable(model: Any) -> None:
    """Raise SamplingError unless a model can be called as the sampler calls it."""
    kind = type(model).__name__
    if isinstance(model, str | Path):
        raise SamplingError(
            f"model must be a loaded model, got the text {str(model)!r}; load the checkpoint with "
            "weft.model.load_model(folder)"
        )
    inner = _unwrap(model)
    function = inner.forward if isinstance(inner, nn.Module) else inner
    if not callable(function):
        raise SamplingError(
            f"model must be a mask predictor, got {kind}; load one with weft.model.load_model(folder)"
        )
    parameters = _parameters(function)
    if isinstance(inner, PreTrainedModel) and "logits_positions" not in parameters:
        raise SamplingError(
            f"model must be a mask predictor of weft.model, got {type(inner).__name__} of transformers; load "
            "the same checkpoint with weft.model.load_model(folder), which reads LLaDA and Dream as published"
        )
    is_open = any(item.kind is inspect.Parameter.VAR_KEYWORD for item in parameters.values())
    lacking = [name for name in CALLED_WITH if name not in parameters]
    if parameters and lacking and not is_open:
        raise SamplingError(
            f"model must accept the keywords {', '.join(CALLED_WITH)}, got {type(inner).__name__} without "
            f"{', '.join(lacking)}; load a published checkpoint with weft.model.load_model(folder), or let "
            "your network take input_ids and **kwargs and return the logits of all positions"
        )


def find_device(model: Any) -> torch.device:
    """Return the device of a model: its attribute, or the device of its first parameter."""
    device = getattr(model, "device", None)
    if device is None and isinstance(model, nn.Module):
        device = next((parameter.device for parameter in model.parameters()), None)
    return torch.device("cpu" if device is None else device)


def result_at(prediction: Any, canvas_ids: Tensor, columns: Columns, logits_fn: LogitsFn | None) -> Tensor:
    """Return a model's results for some columns: logits, or the results of ``logits_fn``; flat, row-major.

    Args:
        prediction: output of the model.
        canvas_ids: its input, batch x length.
        columns: the columns, batch x columns.
        logits_fn: function of logits, if it was given to the model.

    Returns:
        A row per column.

    Raises:
        SamplingError: the output contains neither these results nor logits of these or all positions.
    """
    outputs = getattr(prediction, "outputs", None)
    if logits_fn is not None and isinstance(outputs, Tensor) and len(outputs) == columns.numel():
        return outputs
    logits = prediction if isinstance(prediction, Tensor) else getattr(prediction, "logits", None)
    if isinstance(logits, Tensor) and logits.ndim == 3 and logits.shape[:2] == canvas_ids.shape:
        index = columns[..., None].expand(*columns.shape, logits.shape[-1])
        logits = logits.gather(1, index).flatten(0, 1)
    if not (isinstance(logits, Tensor) and logits.ndim == 2 and len(logits) == columns.numel()):
        rows, length = canvas_ids.shape
        raise SamplingError(
            f"the model must return logits of all positions, {rows} x {length} x vocabulary, or of the "
            f"{columns.numel()} that logits_positions names, or the results of logits_fn for these, got "
            f"{_describe(prediction)}; see weft.model.Predictor"
        )
    if logits_fn is None:
        return logits
    parts = in_chunks(len(logits), HEAD_CHUNK)
    return torch.cat([logits_fn(logits[part], part) for part in parts])


def _unwrap(model: Any) -> Any:
    """Return the model inside the wrappers of PEFT, torch.compile and data parallelism."""
    if not isinstance(model, nn.Module):
        return model
    if hasattr(model, "get_base_model"):  # PEFT
        return _unwrap(model.get_base_model())  # type: ignore[operator]
    for name in ("_orig_mod", "module"):
        if isinstance(getattr(model, name, None), nn.Module):
            return _unwrap(getattr(model, name))
    return model


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function by name; none if Python does not know them."""
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return {}


def _describe(prediction: Any) -> str:
    """Return a short description of the output of a model, for a message."""
    tensors = [
        f"{name} of shape {' x '.join(map(str, value.shape))}"
        for name in ("outputs", "logits")
        if isinstance(value := getattr(prediction, name, None), Tensor)
    ]
    if isinstance(prediction, Tensor):
        tensors.append(f"shape {' x '.join(map(str, prediction.shape))}")
    return f"{type(prediction).__name__} with {' and '.join(tensors) or 'neither logits nor outputs'}"
