"""The state from which an interrupted training resumes."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weft import layout
from weft.config.training import Training
from weft.errors import DiskFullError, TrainingError, WeftError
from weft.provenance import git_state, installed_versions, source_digest
from weft.records import Record
from weft.records.files import read_json
from weft.training.checkpoints import DIGESTS_FILE, checkpoint_step, list_checkpoints
from weft.training.kept import CODE, LIBRARIES

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


class Software(Record):
    """The code that decides the result of a training; a training resumes only with the code it began with."""

    code: str
    """Digest of the packages of weft whose code determines the result."""
    versions: dict[str, str]
    """Versions of the libraries that determine the result."""
    commit: str | None
    """Commit of the source tree; None outside of git. It is named in messages and not compared."""

    @classmethod
    def current(cls) -> "Software":
        """Return the code and the libraries of this process."""
        versions = installed_versions()
        return cls(
            code=source_digest(*CODE),
            versions={name: versions[name] for name in LIBRARIES if name in versions},
            commit=git_state()[0],
        )

    def differences(self, other: "Software") -> list[str]:
        """Return what of ``other`` differs from this code, in words."""
        commit = "" if other.commit is None else f" (commit {other.commit[:12]})"
        named = [f"{name} {version}" for name, version in other.versions.items()
                 if self.versions.get(name) != version]  # fmt: skip
        return [*([f"another version of weft's code{commit}"] if self.code != other.code else []), *named]


class _BegunJob(Record):
    division: Division
    software: Software


def require_same_origin(state: Path, division: Division, software: Software) -> None:
    """Refuse to resume a training whose work was divided in another way, or which other code began.

    Args:
        state: state folder of the job.
        division: division of the work of the training that is about to start.
        software: its code and libraries.

    Raises:
        TrainingError: the folder has a checkpoint of another division or of other code; it is left as it is.
    """
    checkpoint = latest_checkpoint(state)
    if checkpoint is None:
        return
    try:
        began = read_json(state / JOB_FILE, _BegunJob)
    except WeftError as error:
        raise TrainingError(
            f"{state} has a checkpoint, but does not describe the job that wrote it ({error}); delete the "
            "folder to train this run from the beginning"
        ) from error
    before, now = began.division.as_object(), division.as_object()
    changed = [name for name in now if before[name] != now[name]]
    written = f"this run has a checkpoint after optimiser step {checkpoint_step(checkpoint)}"
    anew = f"or delete {state} to train from the beginning"
    if changed:
        old, new = (", ".join(f"{name}={values[name]}" for name in changed) for values in (before, now))
        raise TrainingError(
            f"{written}, which can be resumed only with {old}, got {new}; "
            f"run it again with {old} to continue, {anew}"
        )
    if different := software.differences(began.software):
        raise TrainingError(
            f"{written}, which was written by {', '.join(different)}; "
            f"use this version again to continue, {anew}"
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
                "settings, data, another base model or other code; it is deleted",
                checkpoint_step(checkpoint),
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
        for folder in list_checkpoints(state):
            if not (folder / DIGESTS_FILE).exists():
                shutil.rmtree(folder, ignore_errors=True)
        raise


def latest_checkpoint(state: Path) -> Path | None:
    """Return the newest complete checkpoint, which has digests, or None."""
    return next((folder for folder in list_checkpoints(state) if (folder / DIGESTS_FILE).exists()), None)
