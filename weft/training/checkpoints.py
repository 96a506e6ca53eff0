"""Checkpoints for resuming: digests of their files, and the checks before one of them is loaded.

The digests are written last, so that a checkpoint with digests is complete. They find damage. They do not
find a file that was replaced together with its digest, and DeepSpeed unpickles the states of the optimiser.
`find_damage` therefore refuses a pickle that names a class which no checkpoint contains, and `weights_only`
makes ``torch.load`` refuse it once more.
"""

import importlib
import json
import logging
import os
import pickle  # for the name of an error: nothing is unpickled here
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weft.errors import TrainingError, WeftError, describe_error, name_some, shorten
from weft.provenance import file_sha256
from weft.records import Record
from weft.records.files import move, read_json, write_json

if TYPE_CHECKING:
    from accelerate import Accelerator

LOG = logging.getLogger(__name__)
DIGESTS_FILE = "digests.json"
"""File in a checkpoint with the digests of its files, `CheckpointDigests`."""
PREFIX, SET_ASIDE = "checkpoint-", "damaged-checkpoint-"
BESIDE = ("snapshots/*/*", "probe-epoch*.safetensors")
"""Files beside the checkpoints that a resumed training reads or copies into its result."""
PICKLES = (".pt", ".pth", ".bin")
TRAINER_FILE = "trainer_state.json"
ARGUMENTS_FILE = "training_args.bin"
"""Pickle of the Trainer's arguments, which nothing reads."""
DEEPSPEED_CLASSES = (
    "deepspeed.runtime.fp16.loss_scaler.LossScaler",
    "deepspeed.runtime.zero.config.ZeroStageEnum",
    "deepspeed.utils.tensor_fragment.fragment_address",
)
"""Classes in the optimiser states of DeepSpeed 0.19; they hold numbers only."""
NUMPY_CLASSES = ("numpy._core.multiarray._reconstruct", "numpy.dtype", "numpy.ndarray")
"""Classes in the states of the random number generators."""


class CheckpointDigests(Record):
    """The digests of the files from which a training resumes."""

    step: int
    """Optimiser step after which the checkpoint was written."""
    sha256: Mapping[str, str]
    """Path relative to the state folder -> SHA-256 of the file."""


def write_digests(accelerator: "Accelerator", state: Path, *, step: int) -> None:
    """Write the digests of a checkpoint that all ranks have written. Every rank calls this function.

    Args:
        accelerator: the accelerator of the ranks.
        state: folder of the state for resuming.
        step: optimiser step of the checkpoint.
    """
    from accelerate.utils import broadcast_object_list, gather_object

    checkpoint = state / f"{PREFIX}{step}"
    accelerator.wait_for_everyone()  # every rank has written its files
    names: list[list[str]] = [[]]
    if accelerator.is_main_process:
        (checkpoint / ARGUMENTS_FILE).unlink(missing_ok=True)
        names = [_content(checkpoint) + _beside(state)]
    broadcast_object_list(names)
    share = names[0][accelerator.process_index :: accelerator.num_processes]
    digests = dict(gather_object([(name, _sha256_on_disk(state / name)) for name in share]))
    if accelerator.is_main_process:
        content = CheckpointDigests(step=step, sha256=dict(sorted(digests.items())))
        write_json(checkpoint / DIGESTS_FILE, content)


def list_checkpoints(state: Path) -> list[Path]:
    """Return the checkpoints in a state folder, complete or not, newest first."""
    numbered = [
        folder
        for folder in state.glob(f"{PREFIX}*")
        if folder.name.removeprefix(PREFIX).isdecimal() and folder.is_dir()
    ]
    return sorted(numbered, key=checkpoint_step, reverse=True)


def checkpoint_step(checkpoint: Path) -> int:
    """Return the optimiser step after which a checkpoint was written."""
    return int(checkpoint.name.removeprefix(PREFIX))


def take_sound_checkpoint(state: Path) -> Path | None:
    """Return the newest checkpoint whose files are as they were written, and set aside damaged ones.

    A damaged checkpoint is renamed, and the log says why. One without digests was not complete and is
    deleted. At most one damaged checkpoint is kept.

    Args:
        state: folder of the state for resuming.

    Returns:
        The checkpoint, or None if none is left.
    """
    for folder in list_checkpoints(state):
        if not (folder / DIGESTS_FILE).exists():
            LOG.warning(
                "%s is not used and deleted: it has no %s, because writing it was interrupted",
                folder,
                DIGESTS_FILE,
            )
            shutil.rmtree(folder)
        elif (damage := find_damage(folder)) is not None:
            for earlier in state.glob(f"{SET_ASIDE}*"):
                shutil.rmtree(earlier)
            target = folder.with_name(f"{SET_ASIDE}{checkpoint_step(folder)}")
            move(folder, target)
            LOG.warning("%s is not used and renamed to %s: %s", folder, target.name, damage)
        else:
            return folder
    return None


def find_damage(checkpoint: Path) -> str | None:
    """Find what is wrong with a checkpoint, without unpickling its files.

    Args:
        checkpoint: folder of the checkpoint, in the state folder.

    Returns:
        The first damage, or None if the files are as they were written, and loading them runs no code.
    """
    try:
        recorded = read_json(checkpoint / DIGESTS_FILE, CheckpointDigests, remedy="")
        return _find_difference(checkpoint, recorded)
    except WeftError as error:
        return str(error).removesuffix("; ")
    except OSError as error:  # such as a sector that the disk cannot read
        return f"its files must be readable, got {shorten(describe_error(error))}"


def _find_difference(checkpoint: Path, recorded: CheckpointDigests) -> str | None:
    """Return what differs from the recorded digests, or which file could run code; None if nothing does."""
    state = checkpoint.parent
    for source, step in ((DIGESTS_FILE, recorded.step), (TRAINER_FILE, _trainer_step(checkpoint))):
        if checkpoint.name != f"{PREFIX}{step}":
            return f"{source} must belong to the same optimiser step, got {step}"
    present, expected = {*_content(checkpoint)}, recorded.sha256
    if extra := sorted(present - expected.keys()):
        return f"{name_some(extra)} must not be there, because no digest was stored"
    if missing := sorted(name for name in expected if not (state / name).is_file()):
        return f"{name_some(missing)} must be there, but is missing"
    for name, sha256 in expected.items():
        if file_sha256(state / name) != sha256:
            return f"{name} has another content than was written"
    return _find_foreign_class(state, present)


@contextmanager
def weights_only(*, has_deepspeed: bool) -> Iterator[None]:
    """Make every ``torch.load`` in the block refuse classes that a checkpoint for resuming does not contain.

    Args:
        has_deepspeed: whether DeepSpeed writes and reads the checkpoint.

    Raises:
        TrainingError: a file contains another class; it is not created.
    """
    import torch

    force, never = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
    before = {name: os.environ.pop(name, None) for name in (force, never)}
    os.environ[force] = "1"  # applies to DeepSpeed, which asks for weights_only=False
    names = [*NUMPY_CLASSES, *(DEEPSPEED_CLASSES if has_deepspeed else ())]
    try:
        with torch.serialization.safe_globals([_find_class(name) for name in names]):
            yield
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise TrainingError(
            "a checkpoint for resuming must contain tensors and numbers only, but torch refuses a file of it "
            f"({reason}); delete this checkpoint to resume from the one before"
        ) from error
    finally:
        os.environ.pop(force)
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _find_class(name: str) -> Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def _find_foreign_class(state: Path, names: set[str]) -> str | None:
    """Return which file names a class that no checkpoint contains; the files are not unpickled."""
    from torch.serialization import get_unsafe_globals_in_checkpoint

    for name in sorted(name for name in names if name.endswith(PICKLES)):
        try:
            foreign = {*get_unsafe_globals_in_checkpoint(state / name)}
        except (ValueError, RuntimeError, pickle.UnpicklingError, EOFError, IndexError, KeyError) as error:
            return f"{name} was not written by torch.save ({str(error).splitlines()[0]})"
        if unknown := sorted(foreign - {*DEEPSPEED_CLASSES, *NUMPY_CLASSES}):
            return f"{name} names {name_some(unknown)}, which could run code, and is not read"
    return None


def _trainer_step(checkpoint: Path) -> int | None:
    """Return the optimiser step in the state of the Trainer; None if the file is missing or damaged."""
    try:
        return json.loads((checkpoint / TRAINER_FILE).read_text("utf-8"))["global_step"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _content(checkpoint: Path) -> list[str]:
    """Return the files of a checkpoint but its digests, relative to the state folder."""
    files = (file for file in checkpoint.rglob("*") if file.is_file())
    return [
        str(file.relative_to(checkpoint.parent))
        for file in sorted(files)
        if file != checkpoint / DIGESTS_FILE and not file.name.startswith(".")  # such as those of NFS
    ]


def _beside(state: Path) -> list[str]:
    return sorted(str(file.relative_to(state)) for pattern in BESIDE for file in state.glob(pattern))


def _sha256_on_disk(file: Path) -> str:
    """Return the SHA-256 of a file after forcing it to disk."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
    return file_sha256(file)
