"""What is written down while training runs, and what is tidied up."""

import statistics
import time
from typing import Any

from transformers import TrainerCallback

from weft.training.deepspeed import unlink_shared_buffer
from weft.training.objective import RECORD_FIELDS
from weft.training.trainer import DiffusionTrainer

HISTORY_FIELDS = ("optimizer_step", "epoch", "loss", "learning_rate", "grad_norm", *RECORD_FIELDS)


class HistoryCallback(TrainerCallback):
    """Add masks, times, rates and uncertainties, and the step's wall time, to the Trainer's own log.

    The log is part of the Trainer's state, so it survives an interruption together with it.
    """

    def __init__(self) -> None:
        self.trainer: DiffusionTrainer | None = None
        self._seconds = 0.0

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Stop the clock of an optimiser step, which the trainer started before the probe."""
        if self.trainer is not None:
            self._seconds = time.perf_counter() - self.trainer.step_began

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Complete the entry that was just appended to the Trainer's log."""
        del args, control
        if self.trainer is None or "loss" not in kwargs.get("logs", {}):
            return
        measured = self.trainer.take_record()
        state.log_history[-1] |= measured | {"seconds": self._seconds}


class BufferCallback(TrainerCallback):
    """Leave nothing in shared memory; DeepSpeed's communication is up when training begins, not before."""

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Take the names of the communication's buffers away."""
        unlink_shared_buffer()


def history_rows(log_history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Select what is the same in every run with the same seed: no wall times."""
    steps = [entry | {"optimizer_step": entry["step"]} for entry in log_history if "loss" in entry]
    return [{name: entry.get(name) for name in HISTORY_FIELDS} for entry in steps]


def timing_summary(log_history: list[dict[str, Any]], *, num_processes: int, device: str) -> dict[str, Any]:
    """Summarise the wall times of the optimiser steps, in seconds."""
    seconds = [entry["seconds"] for entry in log_history if "seconds" in entry]
    return {
        "seconds_per_step": statistics.median(seconds),
        "num_steps": len(seconds),
        "train_seconds": sum(seconds),
        "num_processes": num_processes,
        "device": device,
    }
