"""A fine-tuning job, which is passed from ``weft train`` to the ranks in a file.

``weft train`` calls `launch_training`, which checks the job, writes it to a file in its state folder and
runs PyTorch's launcher in its own process. The launcher starts the ranks as ``python -m
weft.training.rank JOB``, which read the file. The state folder also contains the checkpoints from which an
interrupted training resumes.
"""

import importlib.util
import logging
import os
from contextlib import nullcontext
from pathlib import Path

from pydantic import ConfigDict

from weft import layout
from weft.config.experiment import FineTuning, Run
from weft.config.methods import Method
from weft.config.settings import Tracker
from weft.errors import ConfigError
from weft.provenance import digest, stored_digest
from weft.records import Record
from weft.records.files import write_json
from weft.training.checkpoints import take_sound_checkpoint
from weft.training.kept import has_finished, lock_training, place_finished, training_key
from weft.training.launch import ONE_NODE, Nodes, launch_environment, launch_ranks
from weft.training.resume import JOB_FILE, Division, Software, make_state_folder, require_same_origin

LOG = logging.getLogger(__name__)
PACKAGES: dict[Tracker, str] = {
    "trackio": "trackio",
    "tensorboard": "tensorboard",
    "wandb": "wandb",
    "mlflow": "mlflow",
}
"""Tracker -> package that it needs."""


class TrainingJob(Record):
    """Everything that the ranks of a training need; the content of ``job.json``."""

    model_config = ConfigDict(strict=False)  # paths are strings in JSON

    experiment: FineTuning
    """The whole checked experiment."""
    run_id: str
    """Name of the run: method, data set and seed."""
    base: Path
    """Checkpoint directory of the base model."""
    prepared: Path
    """Tokenised examples, an Arrow data set."""
    out: Path
    """Directory of the adapter or checkpoint, its history and timing."""
    state: Path
    """Directory of the checkpoints for resuming, with this file. It is not below ``out``, because Snakemake
    deletes the outputs of an interrupted job."""
    key: str
    """Digest of everything that determines the result, under which it is kept (`weft.training.kept`)."""
    frozen_probe: Path
    """File with the base model's uncertainties, shared by all runs whose probes have the same inputs."""
    num_workers: int
    """Number of processes per rank that load examples."""
    device: str
    """Device of the ranks: cpu or cuda."""
    division: Division
    """How the work of an optimiser step is divided."""
    software: Software
    """The code that trains."""
    resume_from: Path | None
    """Checkpoint in the state folder from which the training goes on; None begins it."""
    report_to: Tracker = "none"
    """Tracker that shows the progress; it changes no result."""

    @property
    def run(self) -> Run:
        """The run."""
        return self.experiment.find_run(self.run_id)


def launch_training(
    experiment: FineTuning,
    run: Run,
    *,
    base: Path,
    prepared: Path,
    out: Path,
    num_processes: int,
    num_workers: int,
    threads: int,
    device: str,
    report_to: Tracker = "none",
    nodes: Nodes = ONE_NODE,
) -> None:
    """Train a run on several ranks that PyTorch's launcher starts, and wait for their end.

    On several machines, each one calls this function with the same arguments except for ``nodes.rank``, and
    all paths are on a file system that they share. Machine 0 alone writes the job; the ranks of the others
    read it once all machines have met.

    If another process trains the same output, it is waited for first. If the same training has been finished
    before, its result is used, and nothing is trained.

    Args:
        experiment: the checked experiment.
        run: method, data set and seed.
        base: checkpoint directory of the base model.
        prepared: tokenised examples.
        out: directory of the result.
        num_processes: ranks on each machine.
        num_workers: processes per rank that load examples.
        threads: CPU threads of each rank.
        device: cpu or cuda.
        report_to: tracker that shows the progress.
        nodes: the machines.

    Raises:
        ConfigError: the batch size is not a multiple of micro-batch size times ranks.
        TrainingError: the run was interrupted, and began with another division of the work or with
            other code.
    """
    total = num_processes * nodes.count
    experiment.training.accumulation_steps(total)
    method, training = experiment.methods[run.method], experiment.training
    inputs = [stored_digest(base), stored_digest(prepared)]
    # A training may resume only with the settings and inputs that wrote the checkpoint. The settings that
    # divide the work are compared one by one, so that a change of them does not delete the checkpoint.
    adapted = method.adapt(training).model_dump(mode="json", exclude={*Division.model_fields, "save_every"})
    settings = [adapted, method.model_dump(mode="json")]
    if experiment.learning_curve is not None:
        settings.append(experiment.learning_curve.snapshot_settings())
    name, division = digest([*settings, *inputs]), Division.of(training, num_processes=total)
    key = training_key(experiment, run, inputs)
    software = Software.current()
    # Runs share the base model's uncertainties, which do not depend on seeds and most settings.
    origin = [software.code, software.versions]
    probe = digest([*inputs, training.max_length, training.dtype, _probe_settings(method), *origin])
    state = layout.state_folder(out, name)
    is_first = nodes.rank == 0
    with lock_training(out) if is_first else nullcontext():
        if (place_finished if is_first else has_finished)(out, key):
            LOG.info("%s: this training was finished before; its result is used", out)
            return
        job_file = (state / JOB_FILE).absolute()
        if is_first:
            require_same_origin(state, division, software)
            make_state_folder(out, name)
            job = TrainingJob.model_validate(
                {
                    "experiment": experiment.model_dump(mode="json"),
                    "run_id": run.run_id,
                    "base": base,
                    "prepared": prepared,
                    "out": out,
                    "state": state,
                    "key": key,
                    "frozen_probe": layout.frozen_probe(out, probe),
                    "num_workers": num_workers,
                    "device": device,
                    "division": division.as_object(),
                    "software": software.as_object(),
                    "resume_from": take_sound_checkpoint(state),
                    "report_to": report_to,
                }
            )
            write_json(job_file, job)
        os.environ.update(launch_environment(device=device, threads_per_process=threads))
        launch_ranks(["-m", "weft.training.rank", str(job_file)], num_processes=num_processes, nodes=nodes)


def require_tracker(name: Tracker) -> None:
    """Check that the package of a tracker is installed, before a training is prepared.

    Args:
        name: name of the tracker, or ``none``.

    Raises:
        ConfigError: the package is not installed.
    """
    package = PACKAGES.get(name)
    if package is not None and importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"report_to: {name} requires the package {package}, which is not installed; install it (pip "
            f"install {package}), or set report_to: none"
        )


def _probe_settings(method: Method) -> dict[str, str | bool | None]:
    names = ("rate_source", "padding_probed", "padding_reference")
    return {name: getattr(method, name) for name in names}
