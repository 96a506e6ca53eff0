"""Models before and after a training: load them in a suitable type, and write adapters or whole models."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from weft.loading import find_checkpoint
from weft.model import load_model, save_model
from weft.model.checkpoint import stored_dtype
from weft.training.snapshots import save_adapter

if TYPE_CHECKING:
    from weft.training.trainer import DiffusionTrainer


def load_for_training(path: Any, *, has_adapters: bool) -> Any:
    """Load a model in the stored type if only adapters are trained, otherwise in float32.

    All parameters are trained in float32, because small steps would be rounded away in a narrower type.
    """
    folder = find_checkpoint(path)
    return load_model(folder, stored_dtype(folder) if has_adapters else torch.float32)


def save_trained(trainer: "DiffusionTrainer", tensors: dict[str, Tensor], out: Path) -> None:
    """Write the adapter, or the whole model with its tokenizer, on one process.

    Args:
        trainer: the trainer.
        tensors: parameters of the model in full, by name.
        out: directory.
    """
    trained = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(trained, "peft_config"):
        save_adapter(trainer, tensors, out)
        return
    save_model(trained, out, parameters=tensors)
    trainer.tokenizer.save_pretrained(str(out))
