"""Callbacks of the Trainer: metrics and wall times, shared-memory buffers, and digests of checkpoints."""

import shutil
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from weft.records import StepMetrics, Timing
from weft.training.checkpoints import DIGESTS_FILE, list_checkpoints, write_digests
from weft.training.deepspeed import unlink_shared_buffer

if TYPE_CHECKING:
    from accelerate import Accelerator

    from weft.training.trainer import DiffusionTrainer


class HistoryCallback(TrainerCallback):
    """Add the metrics and the wall time of each optimiser step to the log of the Trainer.

    The log is part of the Trainer's state, so an interrupted training keeps it when it resumes. This callback
    must be the first, because the others get the values that it adds.
    """

    def __init__(self, trainer: "DiffusionTrainer") -> None:
        self.trainer, self._seconds = trainer, 0.0

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Measure the time of an optimiser step, which includes the probe."""
        self._seconds = time.perf_counter() - self.trainer.step_began

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Complete the entry that was just appended to the Trainer's log, and what trackers get of it."""
        del args, control
        logs = kwargs.get("logs", {})
        if "loss" in logs:
            metrics = self.trainer.pop_metrics() | {"seconds": self._seconds}
            state.log_history[-1] |= metrics
            logs |= {name: value for name, value in metrics.items() if value is not None}


class BufferCallback(TrainerCallback):
    """Remove the names of DeepSpeed's shared-memory buffers when training begins."""

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Unlink the buffers; processes that have opened them can still use them."""
        unlink_shared_buffer()


def history_rows(log_history: list[dict[str, Any]]) -> list[StepMetrics]:
    """Return the metrics of each optimiser step in the Trainer's log, without wall times."""
    steps = [entry | {"optimizer_step": entry["step"]} for entry in log_history if "loss" in entry]
    return [
        StepMetrics.model_validate({name: step.get(name) for name in StepMetrics.model_fields})
        for step in steps
    ]


def timing_summary(
    log_history: list[dict[str, Any]], *, num_processes: int, device: str, setup_seconds: float
) -> Timing:
    """Summarise the wall times of the optimiser steps in the Trainer's log."""
    seconds = [entry["seconds"] for entry in log_history if "seconds" in entry]
    return Timing(
        seconds_per_step=statistics.median(seconds),
        num_steps=len(seconds),
        train_seconds=sum(seconds),
        num_processes=num_processes,
        device=device,
        setup_seconds=setup_seconds,
    )


class DigestCallback(TrainerCallback):
    """Write the digests of each checkpoint, and keep two checkpoints.

    An old checkpoint is deleted just before the next one is written, so that there is never room needed for
    three of them.

    Args:
        accelerator: the accelerator of the trainer.
        state: folder of the state for resuming.
    """

    def __init__(self, accelerator: "Accelerator", state: Path) -> None:
        self.accelerator, self.state = accelerator, state

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Delete all checkpoints but the newest one if another one follows."""
        del args, state
        if control.should_save and self.accelerator.is_main_process:
            for folder in list_checkpoints(self.state)[1:]:
                (folder / DIGESTS_FILE).unlink(missing_ok=True)
                shutil.rmtree(folder, ignore_errors=True)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write the digests; each rank reads a part of the files."""
        del args, control
        write_digests(self.accelerator, self.state, step=state.global_step)
