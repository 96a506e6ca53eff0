"""What the subcommands share: options, the experiment, models, files that are whole or not there."""

import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from weft.config import (
    BASE_RUN,
    FineTuning,
    Run,
    StoredGenerations,
    find_experiment,
    load_experiment,
    read_settings,
)
from weft.errors import ConfigError
from weft.provenance import write_sidecar

app = typer.Typer(
    help="Weighted entropy-driven fine-tuning of masked diffusion language models, reproduced.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

ExperimentOption = Annotated[str, typer.Option("--experiment", help="Experiment file, or its name.")]
BaseOption = Annotated[Path, typer.Option(help="Checkpoint directory of the base model.")]
AdapterOption = Annotated[
    Path | None,
    typer.Option(help="What the run made: a PEFT adapter, or the directory of a full checkpoint."),
]
OutOption = Annotated[Path, typer.Option("--out", help="What to write.")]
OfflineOption = Annotated[
    list[str] | None, typer.Option("--offline", help="Folder to search before a download.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, or auto.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of a model process.")]


def fine_tuning(experiment: str) -> FineTuning:
    """Load an experiment that trains; refuse others."""
    described = load_experiment(find_experiment(experiment))
    if isinstance(described, StoredGenerations):
        raise ConfigError(
            f"experiment {described.name!r} must be of kind fine-tuning for this step, got generations"
        )
    return described


def find_run(experiment: FineTuning, run_id: str) -> Run:
    """Find a run by its name."""
    runs = {run.run_id: run for run in experiment.runs}
    if run_id not in runs:
        raise ConfigError(f"run must be one of {sorted(runs)}, got {run_id!r}")
    return runs[run_id]


def require_adapter_of(run: Run, adapter: Path | None) -> None:
    """Make sure that a fine-tuned run comes with its adapter or checkpoint, and the base model with none."""
    if (adapter is None) != (run.method == BASE_RUN):
        raise ConfigError(
            f"--adapter must be given for a fine-tuned run and only then; run is {run.run_id!r}"
        )


def offline_folders(folders: list[str] | None) -> list[str]:
    """Take the folders that were given, or those of config.yaml."""
    return folders or read_settings(Path("config.yaml")).offline


def device_of(name: str) -> str:
    """Choose the device that ``auto`` stands for, and refuse one that is not there."""
    if name == "cpu":
        return name
    import torch

    has_gpu = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if has_gpu else "cpu"
    if not re.fullmatch(r"cuda(:[0-9]+)?", name):
        raise ConfigError(f"--device must be cpu, cuda or auto, got {name!r}")
    if not has_gpu:
        raise ConfigError(f"--device {name} needs a GPU that torch can use, got none; use cpu or auto")
    return name


def show_log() -> None:
    """Show what the package has to say while it works, a line each, on the standard error stream."""
    logger = logging.getLogger("weft")
    logger.handlers = [logging.StreamHandler()]
    logger.setLevel(logging.INFO)


def device_of_rank(name: str, environment: Mapping[str, str]) -> str:
    """Choose a GPU for one of several processes on a machine, by torchrun's or Slurm's local rank."""
    device = device_of(name)
    local_rank = environment.get("LOCAL_RANK", environment.get("SLURM_LOCALID", ""))
    if device != "cuda" or not local_rank.isdigit():
        return device
    import torch

    return f"cuda:{int(local_rank) % max(1, torch.cuda.device_count())}"


def load(base: Path, dtype: str, device: str, threads: int, *, adapter: Path | None = None) -> Any:
    """Load a base model, with what fine-tuning made of it, onto a device."""
    import torch

    from weft.model import load_tuned

    torch.set_num_threads(threads)
    return load_tuned(base, adapter, getattr(torch, dtype)).to(device_of(device))


def load_to_sample(
    experiment: FineTuning, base: Path, device: str, threads: int, *, adapter: Path | None
) -> Any:
    """Load a model as the experiment samples it: in its type, the adapter merged or apart."""
    from weft.model import merge_adapter

    model = load(base, experiment.sampling.dtype, device, threads, adapter=adapter)
    return merge_adapter(model) if experiment.sampling.merge_adapters else model


def record(
    result: Path,
    experiment: FineTuning | StoredGenerations,
    *,
    seed: int | None = None,
    inputs: list[Path] | None = None,
    device: str = "cpu",
    notes: dict[str, Any] | None = None,
) -> None:
    """Write the provenance of a result of an experiment."""
    write_sidecar(
        result,
        settings=experiment.model_dump(mode="json"),
        experiment=experiment.name,
        seed=seed,
        inputs=inputs or [],
        device=device,
        notes=notes,
    )


def state_folder(out: Path, key: str, *, clear: bool = True) -> Path:
    """Where a job keeps what it needs to resume: beside the output, unknown to Snakemake.

    The key stands for everything that the result depends on; what other keys left behind is removed.
    """
    folder = out.with_name(f".{out.name}.{key[:12]}.state")
    for other in out.parent.glob(f".{out.name}.*.state") if clear else ():
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def finished_directory(out: Path) -> Iterator[Path]:
    """Give a folder that gets its final name only when everything in it has been written."""
    growing = out.with_name(f".{out.name}.new")
    shutil.rmtree(growing, ignore_errors=True)
    growing.mkdir(parents=True)
    yield growing
    shutil.rmtree(out, ignore_errors=True)
    growing.replace(out)


@contextmanager
def only_writer(out: Path, *, wanted: bool = True) -> Iterator[None]:
    """Wait until no other process works on the same output; a killed workflow may leave one running."""
    from filelock import FileLock, Timeout

    if not wanted:
        yield
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out.with_name(f".{out.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        typer.echo(f"waiting for another process that works on {out}", err=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write_parquet(frame: Any, out: Path) -> None:
    """Write a table through a temporary file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    growing = out.with_name(f".{out.name}.new")
    frame.to_parquet(growing, index=False)
    growing.replace(out)
