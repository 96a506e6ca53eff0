"""Adapters during training, for learning curves."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from weft.config.training import LearningCurve
from weft.layout import snapshot_folder
from weft.model.checkpoint import require_finite
from weft.records.files import atomic_directory

if TYPE_CHECKING:
    from weft.training.trainer import DiffusionTrainer


def snapshot_steps(num_steps: int, curve: LearningCurve) -> list[int]:
    """Return the optimiser steps after which the adapter is kept, for a training of a number of steps."""
    power = {"linear": 1, "quadratic": 2}[curve.spacing]
    shares = ((point / curve.num_points) ** power for point in range(1, curve.num_points + 1))
    return sorted({max(1, round(num_steps * share)) for share in shares})


class SnapshotCallback(TrainerCallback):
    """Save the adapter after chosen optimiser steps, in the folder of the state for resuming.

    Args:
        trainer: the trainer.
        state: folder of the state for resuming.
        curve: number and spacing of the adapters to keep.
    """

    def __init__(self, trainer: "DiffusionTrainer", state: Path, curve: LearningCurve) -> None:
        self.trainer, self.state, self.curve = trainer, state, curve

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save the adapter; all ranks gather it, and the first one writes it."""
        del args, control
        if state.global_step not in snapshot_steps(state.max_steps, self.curve):
            return
        tensors = self.trainer.accelerator.get_state_dict(self.trainer.model_wrapped)
        if self.trainer.is_world_process_zero():
            folder = snapshot_folder(self.state, state.global_step)
            folder.parent.mkdir(exist_ok=True)
            with atomic_directory(folder) as new:
                save_adapter(self.trainer, tensors, new)


def save_adapter(trainer: "DiffusionTrainer", tensors: dict[str, Any], out: Path) -> None:
    """Write the adapter of a trained model, whose parameters are given in full and must be finite."""
    trained = trainer.accelerator.unwrap_model(trainer.model)
    for name, tensor in tensors.items():
        if ".lora_" in name:
            require_finite(tensor, name, source=out)
    for settings in trained.peft_config.values():
        if not isinstance(settings.target_modules, str):  # a regular expression
            # PEFT would write the set in random order.
            settings.target_modules = sorted(settings.target_modules)
    trained.save_pretrained(out, state_dict=tensors, safe_serialization=True)
    (out / "README.md").unlink(missing_ok=True)  # PEFT's template, in which nothing is filled in


def copy_snapshots(state: Path, out: Path) -> None:
    """Copy the snapshots of a training into the folder of the run."""
    kept = snapshot_folder(state, "0").parent
    if kept.is_dir():
        shutil.copytree(kept, snapshot_folder(out, "0").parent)
