"""Options and steps that several subcommands of the command line share."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import weft
from weft.config import (
    Evaluation,
    Experiment,
    FineTuning,
    Run,
    Sampled,
    StoredGenerations,
    find_experiment,
    load_experiment,
    read_settings,
)
from weft.config.places import find_path
from weft.devices.choice import choose_device
from weft.errors import ConfigError
from weft.provenance import write_provenance
from weft.records import JsonObject, Provenance

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(is_asked: bool) -> bool:
    """Print the version and end, if ``--version`` is given."""
    if is_asked:
        typer.echo(f"weft {weft.__version__}")
        raise typer.Exit
    return is_asked


@app.callback()
def _describe(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Weighted entropy-driven fine-tuning of masked diffusion language models, reproduced."""


ExperimentOption = Annotated[str, typer.Option("--experiment", help="Path or name of an experiment file.")]
BaseOption = Annotated[Path, typer.Option(callback=find_path, help="Checkpoint directory of the base model.")]
AdapterOption = Annotated[
    Path | None,
    typer.Option(help="Result of the training run: a PEFT adapter, or a full checkpoint directory."),
]
OutOption = Annotated[Path, typer.Option("--out", help="File or directory to write.")]
OfflineOption = Annotated[
    list[str] | None, typer.Option("--offline", help="Folder to search before a download.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, or auto.")]
ThreadsOption = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of a model process.")]


def load_fine_tuning(name: str) -> FineTuning:
    """Load an experiment of kind ``fine-tuning`` by its path or name."""
    experiment = load_experiment(find_experiment(name))
    if experiment.kind != "fine-tuning":
        raise ConfigError(
            f"experiment {experiment.name!r} must be of kind 'fine-tuning' for this step, got "
            f"{experiment.kind!r}; choose another experiment"
        )
    return experiment


def show_remarks(name: str) -> None:
    """Print to standard error what may not be meant in an experiment, see `weft.config.remarks`."""
    from weft.config.remarks import list_remarks

    file = find_experiment(name)
    for remark in list_remarks(load_experiment(file), file):
        typer.echo(f"warning: {remark}", err=True)


def load_evaluation(name: str) -> Evaluation:
    """Load an experiment of kind ``evaluation`` by its path or name."""
    experiment = load_experiment(find_experiment(name))
    if not isinstance(experiment, Evaluation):
        raise ConfigError(
            f"experiment {experiment.name!r} must be of kind 'evaluation' for this step, got "
            f"{experiment.kind!r}; choose another experiment"
        )
    return experiment


def load_sampled(name: str) -> Sampled:
    """Load an experiment whose answers are sampled by its path or name."""
    experiment = load_experiment(find_experiment(name))
    if isinstance(experiment, StoredGenerations):
        raise ConfigError(
            f"experiment {experiment.name!r} must be of kind 'fine-tuning' or 'evaluation' for this step, "
            f"got {experiment.kind!r}; choose another experiment"
        )
    return experiment


def require_adapter_of(experiment: Sampled, run: Run, adapter: Path | None) -> None:
    """Check that an adapter is given for a fine-tuned run, and none for the base model."""
    if (adapter is not None) != experiment.is_finetuned(run):
        raise ConfigError(
            f"--adapter must be given for a fine-tuned run and omitted for the base model; "
            f"got run {run.run_id!r} and adapter {adapter}"
        )


def offline_folders(folders: list[str] | None) -> list[str]:
    """Return the given folders, or those of config.yaml if none are given."""
    return folders or read_settings().offline


def show_log() -> None:
    """Print the package's log messages to standard error."""
    logger = logging.getLogger("weft")
    logger.handlers = [logging.StreamHandler()]
    logger.setLevel(logging.INFO)


def load_on_device(base: Path, dtype: str, device: str, threads: int, *, adapter: Path | None = None) -> Any:
    """Load a base model, with the result of its fine-tuning if there is one, onto a device."""
    import torch

    from weft.model import load_finetuned

    torch.set_num_threads(threads)
    chosen = choose_device(device)  # before the model is loaded, because a GPU may have to be waited for
    return load_finetuned(base, adapter, getattr(torch, dtype)).to(chosen)


def load_for_sampling(
    experiment: Sampled, base: Path, device: str, threads: int, *, adapter: Path | None
) -> Any:
    """Load a model in the experiment's sampling dtype; merge its adapter if ``merge_adapters`` is true."""
    from weft.model import merge_adapter

    model = load_on_device(base, experiment.sampling.dtype, device, threads, adapter=adapter)
    return merge_adapter(model) if experiment.sampling.merge_adapters else model


def save_provenance(
    result: Path,
    experiment: Experiment,
    *,
    seed: int | None = None,
    inputs: Sequence[Path] | Mapping[str, str] = (),
    device: str = "cpu",
    notes: JsonObject | None = None,
    files: Sequence[Path] | None = None,
) -> Provenance:
    """Write the provenance of a result of an experiment; see `weft.provenance.write_provenance`."""
    return write_provenance(
        result,
        settings=experiment.model_dump(mode="json"),
        experiment=experiment.name,
        seed=seed,
        inputs=inputs,
        device=device,
        notes=notes,
        files=files,
    )
