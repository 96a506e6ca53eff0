"""Trackers: programs that show the progress of a training, such as trackio, TensorBoard, W&B and MLflow.

A tracker is a callback of the Trainer. It runs in the first rank only, gets the values that
`weft.training.metrics.TRACKED` lists, and cannot change or stop a training: if it fails, a warning is
printed and the training goes on without it. None of them sends anything to another machine unless its own
environment variables say so.
"""

import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from weft.config.settings import Tracker
from weft.errors import WeftError, describe_error
from weft.layout import tracker_folder
from weft.records import Record
from weft.records.files import read_json, write_json
from weft.training.checkpoints import checkpoint_step
from weft.training.job import TrainingJob
from weft.training.metrics import tracked_values
from weft.training.trainer import DiffusionTrainer

LOG = logging.getLogger(__name__)
RUN_FILE = "tracker.json"
"""File in the state folder of a training with the name of its run in the tracker."""


class TrackedRun(Record):
    """The run of a training in a tracker; the content of ``tracker.json``."""

    name: str
    """Name of the run."""
    key: str | None = None
    """Id that the tracker has given to the run; None if the name is the id."""


@dataclass(frozen=True, kw_only=True)
class TrackedTraining:
    """What a tracker needs to know of a training.

    Attributes:
        project: name under which the tracker groups runs, the experiment's.
        run: the run in the tracker.
        folder: folder for the files of trackers that need one.
        first_step: number of the first optimiser step from here on; above 1 if the training resumes.
    """

    project: str
    run: TrackedRun
    folder: Path
    first_step: int


def add_tracker(trainer: DiffusionTrainer, job: TrainingJob) -> None:
    """Add the tracker of a job to its trainer, after the callbacks that complete the log.

    Args:
        trainer: the trainer.
        job: the job.
    """
    if job.report_to == "none" or not trainer.is_world_process_zero():
        return
    step = 0 if job.resume_from is None else checkpoint_step(job.resume_from)
    training = TrackedTraining(
        project=job.experiment.name,
        run=_find_run(job.state, job.run_id, is_resumed=step > 0),
        folder=tracker_folder(job.out, job.report_to),
        first_step=step + 1,
    )
    settings = job.experiment.training
    trainer.args.project, trainer.args.run_name = training.project, training.run.name
    trainer.add_callback(
        TrackerCallback(
            job.report_to,
            lambda: _MAKERS[job.report_to](training),
            tokens_per_step=settings.batch_size * settings.max_length,
            on_start=lambda callback: _keep_key(callback, training.run, job.state),
        )
    )


class TrackerCallback(TrainerCallback):
    """Pass the beginning, the log and the end of a training to a tracker until the tracker fails.

    Args:
        name: name of the tracker, for the warning.
        make: function that makes the Trainer's callback for the tracker.
        tokens_per_step: tokens of the examples of a step, padding included.
        on_start: called with the Trainer's callback when it has begun.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], TrainerCallback],
        *,
        tokens_per_step: int,
        on_start: Callable[[Any], None] = lambda _: None,
    ) -> None:
        self.name, self.make, self.tokens_per_step, self.on_start = name, make, tokens_per_step, on_start
        self.inner: TrainerCallback | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the tracker."""

        def start() -> None:
            self.inner = self.make()
            self.inner.on_train_begin(args, state, control, **kwargs)
            self.on_start(self.inner)

        self._attempt(start)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Pass the metrics of an optimiser step, which the log already contains, to the tracker."""
        if self.inner is None or "loss" not in (kwargs.get("logs") or {}):
            return
        inner = self.inner
        values = tracked_values(state.log_history[-1], tokens_per_step=self.tokens_per_step)
        self._attempt(lambda: inner.on_log(args, state, control, **kwargs | {"logs": values}))

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End the run in the tracker."""
        if (inner := self.inner) is not None:
            self._attempt(lambda: inner.on_train_end(args, state, control, **kwargs))

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # a tracker is a program that may fail in any way
            self.inner = None
            LOG.warning("%s failed (%s); the training goes on without it", self.name, describe_error(error))


def _find_run(state: Path, run_id: str, *, is_resumed: bool) -> TrackedRun:
    """Return the run of the interrupted training that is resumed, or a new one."""
    file = state / RUN_FILE
    if is_resumed:
        try:
            return read_json(file, TrackedRun)
        except WeftError:
            LOG.info("%s names no run of a tracker; a new one begins", file)
    run = TrackedRun(name=f"{run_id}-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    write_json(file, run)
    return run


def _keep_key(callback: Any, run: TrackedRun, state: Path) -> None:
    """Keep the id that MLflow has given to a run; the other trackers find runs by their names."""
    mlflow = getattr(callback, "_ml_flow", None)
    if mlflow is not None:
        write_json(state / RUN_FILE, TrackedRun(name=run.name, key=mlflow.active_run().info.run_id))


def _set_defaults(**variables: str) -> None:
    """Set variables of the environment that the user has not set."""
    for name, value in variables.items():
        os.environ.setdefault(name, value)


def _make_trackio(training: TrackedTraining) -> TrainerCallback:
    from transformers.integrations.integration_utils import TrackioCallback

    del training  # the Trainer's arguments name project and run
    return TrackioCallback()


def _make_tensorboard(training: TrackedTraining) -> TrainerCallback:
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations.integration_utils import TensorBoardCallback

    # Steps after the checkpoint were written before the interruption and come again.
    purged = training.first_step if training.first_step > 1 else None
    return TensorBoardCallback(SummaryWriter(training.folder / training.run.name, purge_step=purged))


def _make_wandb(training: TrackedTraining) -> TrainerCallback:
    from transformers.integrations.integration_utils import WandbCallback

    training.folder.mkdir(parents=True, exist_ok=True)
    _set_defaults(
        WANDB_MODE="offline",
        WANDB_PROJECT=training.project,
        WANDB_DIR=str(training.folder),
        WANDB_WATCH="false",
        WANDB_LOG_MODEL="false",
        WANDB_ERROR_REPORTING="false",
    )
    os.environ |= {"WANDB_RUN_ID": re.sub(r"[^\w-]", "-", training.run.name), "WANDB_RESUME": "allow"}
    return WandbCallback()


def _make_mlflow(training: TrackedTraining) -> TrainerCallback:
    _set_defaults(
        MLFLOW_TRACKING_URI=f"sqlite:///{training.folder.absolute()}/mlflow.db",
        MLFLOW_EXPERIMENT_NAME=training.project,
        MLFLOW_DISABLE_TELEMETRY="true",
    )
    training.folder.mkdir(parents=True, exist_ok=True)
    if training.run.key is not None:
        os.environ["MLFLOW_RUN_ID"] = training.run.key
    from transformers.integrations.integration_utils import MLflowCallback

    return MLflowCallback()


_MAKERS: dict[Tracker, Callable[[TrackedTraining], TrainerCallback]] = {
    "trackio": _make_trackio,
    "tensorboard": _make_tensorboard,
    "wandb": _make_wandb,
    "mlflow": _make_mlflow,
}
