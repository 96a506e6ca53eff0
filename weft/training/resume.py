"""The state from which an interrupted training resumes."""

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weft import layout
from weft.config.training import Training
from weft.errors import DiskFullError, TrainingError, WeftError
from weft.records import Record
from weft.records.files import read_json

LOG = logging.getLogger(__name__)
JOB_FILE = "job.json"
"""File in the state folder that describes the job, `weft.training.job.TrainingJob`."""


class Division(Record):
    """How the work of an optimiser step is divided.

    The division changes neither noise nor examples, but the order in which sums are rounded, the seeds of
    dropout, and the files of DeepSpeed's checkpoints. A training therefore resumes only with the division
    that it began with.
    """

    train_processes: int
    """Number of ranks."""
    micro_batch_size: int
    """Examples per forward pass of a rank."""
    zero_stage: int
    """DeepSpeed ZeRO stage."""
    offload_optimizer: bool
    """Whether optimiser states are in CPU memory."""
    offload_parameters: bool
    """Whether parameters are in CPU memory."""
    gradient_checkpointing: bool
    """Whether activations are recomputed."""

    @classmethod
    def of(cls, training: Training, *, num_processes: int) -> "Division":
        """Return the division of a training's settings among a number of ranks."""
        settings = {name: getattr(training, name) for name in cls.model_fields if name != "train_processes"}
        return cls(train_processes=num_processes, **settings)


class _DividedJob(Record):
    division: Division


def require_same_division(state: Path, division: Division) -> None:
    """Refuse to resume a training whose work was divided in another way.

    Args:
        state: state folder of the job.
        division: division of the work of the training that is about to start.

    Raises:
        TrainingError: the folder has a checkpoint of another division; it is left as it is.
    """
    checkpoint = latest_checkpoint(state)
    if checkpoint is None:
        return
    try:
        began = read_json(state / JOB_FILE, _DividedJob).division
    except WeftError as error:
        raise TrainingError(
            f"{state} has a checkpoint, but does not describe the job that wrote it ({error}); delete the "
            "folder to train this run from the beginning"
        ) from error
    before, now = began.as_object(), division.as_object()
    changed = [name for name in now if before[name] != now[name]]
    if changed:
        old, new = (", ".join(f"{name}={values[name]}" for name in changed) for values in (before, now))
        raise TrainingError(
            f"this run has a checkpoint after optimiser step {_step(checkpoint)}, which can be resumed only "
            f"with {old}, got {new}; run it again with {old} to continue, or delete {state} to train "
            "from the beginning"
        )


def make_state_folder(out: Path, digest: str) -> Path:
    """Create the state folder of a job, whose name contains a digest, and remove those of other digests.

    The log names each checkpoint that is lost.
    """
    folder = layout.state_folder(out, digest)
    for other in out.parent.glob(layout.state_folder(out, "*").name):
        if other == folder:
            continue
        if checkpoint := latest_checkpoint(other):
            LOG.warning(
                "training from the beginning: the checkpoint after optimiser step %d in %s belongs to other "
                "settings, data or another base model; it is deleted",
                _step(checkpoint),
                other,
            )
        shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def remove_torn_checkpoints(state: Path) -> Iterator[None]:
    """Delete checkpoints that are not complete, if the disk became full during the block.

    They occupy the space that is needed for the next attempt, and for messages in the log.
    """
    try:
        yield
    except DiskFullError:
        newest = latest_checkpoint(state)
        for folder in state.glob("checkpoint-*"):
            if newest is None or _step(folder.name) > _step(newest):
                shutil.rmtree(folder, ignore_errors=True)
        raise


def latest_checkpoint(state: Path) -> str | None:
    """Return the path of the newest complete checkpoint of the Trainer, or None.

    The Trainer writes ``trainer_state.json`` last. If this file is missing or incomplete, writing the
    checkpoint was interrupted.
    """
    complete = [folder for folder in state.glob("checkpoint-*") if _is_complete(folder)]
    return str(max(complete, key=lambda folder: _step(folder.name))) if complete else None


def _step(checkpoint: str) -> int:
    """Return the optimiser step after which a checkpoint was written."""
    return int(checkpoint.rpartition("-")[2])


def _is_complete(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False
    return True
