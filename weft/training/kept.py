"""Finished trainings, kept where Snakemake does not delete them.

Snakemake deletes the output of a job before it runs the job again, for example after it was killed while the
job went on elsewhere. A training therefore writes its result to a hidden folder beside its output,
``.NAME.KEY.done``, and the output consists of hard links to these files. The key stands for everything that
determines the result. A training that finds the result of its key checks the digest in its provenance and
ends at once.
"""

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from weft import layout
from weft.config.experiment import FineTuning, Run
from weft.errors import WeftError
from weft.provenance import digest, file_sha256, installed_versions, source_digest
from weft.records import Provenance
from weft.records.files import link_or_copy, link_tree, lock_output, read_json

LOG = logging.getLogger(__name__)
CODE = ("training", "diffusion", "model", "data")
"""Packages of weft whose code determines the result of a training."""
PRETRAINING_CODE = ("data/pretraining", "data/tasks", "data/tokenizer", "training/muon", "training/pretrain")
"""Packages and modules of weft whose code determines a base model that is trained from scratch."""
LIBRARIES = ("torch", "transformers", "deepspeed", "peft", "accelerate")
"""Packages whose versions determine the result of a training."""


def training_key(experiment: FineTuning, run: Run, inputs: Sequence[str]) -> str:
    """Return a digest of everything that determines the result of a training.

    The device, the number of processes and the interval between checkpoints are left out: a change of them
    trains no finished run again.

    Args:
        experiment: the experiment.
        run: method, data set and seed.
        inputs: digests of base model and prepared examples.

    Returns:
        64 hexadecimal digits.
    """
    method, curve = experiment.methods[run.method], experiment.learning_curve
    versions = installed_versions()
    return digest(
        {
            "training": method.adapt(experiment.training).model_dump(mode="json", exclude={"save_every"}),
            "method": method.model_dump(mode="json"),
            "seed": run.seed,
            "snapshots": None if curve is None else curve.snapshot_settings(),
            "inputs": [*inputs],
            "code": source_digest(*CODE),
            "versions": {name: versions.get(name) for name in LIBRARIES},
        }
    )


def kept_result(out: Path, key: str) -> Path:
    """Return the path of the kept result of a training, given its output and its key."""
    return layout.kept_folder(out, key) / out.name


@contextmanager
def lock_training(out: Path) -> Iterator[None]:
    """Let no other process train the same output during the block, after waiting for those that do.

    The ranks of a launcher that was killed may still be running; the first of them has locked the output.
    """
    with lock_output(layout.launched(out)):
        with lock_output(out):
            pass
        yield


def has_finished(out: Path, key: str) -> bool:
    """Return whether a complete and unchanged result of a training is kept.

    Args:
        out: directory of the output.
        key: key of the training, see `training_key`.

    Returns:
        True if it is; False if nothing is kept, or if a file of the result was changed.
    """
    result = kept_result(out, key)
    try:
        recorded = read_json(layout.provenance_file(result), Provenance)
    except WeftError:  # nothing is kept, or the process was killed before the result was complete
        return False
    if file_sha256(result) != recorded.sha256:
        LOG.warning(
            "%s is not the result that was stored there: a file in it or in %s was changed; the run is "
            "trained again",
            result,
            out,
        )
        return False
    return True


def place_finished(out: Path, key: str) -> bool:
    """Create the output of a training from the kept result of its key, if it is complete and unchanged.

    The provenance of the result is that of the process that trained it.

    Args:
        out: directory of the output, which is replaced.
        key: key of the training, see `training_key`.

    Returns:
        True if the output was created.
    """
    if not has_finished(out, key):
        return False
    place_result(out, key)
    return True


def place_result(out: Path, key: str) -> None:
    """Create the output of a training from the kept result of its key, and remove the results of other keys.

    The result is not read: it was checked, or this process has written it.

    Args:
        out: directory of the output, which is replaced.
        key: key of the training, see `training_key`.
    """
    result = kept_result(out, key)
    link_tree(result, out)
    for name in (layout.provenance_file, layout.digests_file):
        name(out).unlink(missing_ok=True)
        link_or_copy(name(result), name(out))
    for folder in out.parent.glob(layout.kept_folder(out, "*").name):
        if folder != result.parent:
            shutil.rmtree(folder, ignore_errors=True)
