"""``weft plan``, ``doctor`` and ``config``: print information without writing files."""

from typing import Annotated

import typer
import yaml

import weft
from weft.cli.shared import OfflineOption, app, offline_folders, show_remarks
from weft.config import find_experiment, load_experiment, read_settings
from weft.data.pins import pins_path
from weft.layout import ResultLayout

config_app = typer.Typer(help="Print experiments and settings.", no_args_is_help=True)
app.add_typer(config_app, name="config")


@app.command()
def plan(
    experiment: Annotated[str, typer.Argument(help="Path or name of an experiment file.")],
    offline: OfflineOption = None,
    gpu: Annotated[
        str | None,
        typer.Option(help="Kind of GPU: h100, a100-80, a100-40 or 4090; by default H100 and A100."),
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(min=1, help="Number of GPUs; by default train_processes.")
    ] = None,
) -> None:
    """Print what an experiment runs, what it costs in GPU hours, memory and disk, and what it downloads."""
    from weft.data.context import check_before_jobs
    from weft.plan import choose_gpus, plan_lines

    chosen = choose_gpus(gpu)
    file, folders, settings = find_experiment(experiment), offline_folders(offline), read_settings()
    described = load_experiment(file)
    placed = ResultLayout.of(described.name).base
    check_before_jobs(described, num_processes=settings.train_processes, offline=folders, placed=placed)
    lines = plan_lines(
        described,
        offline=folders,
        pins=pins_path(file),
        gpus=chosen,
        num_gpus=gpus or settings.train_processes,
        placed=placed,
    )
    for line in lines:
        typer.echo(line)
    show_remarks(experiment)


@app.command()
def doctor(
    build: Annotated[
        bool, typer.Option("--build", help="Compile the extension that DeepSpeed requires.")
    ] = False,
) -> None:
    """Print the hardware and software of this machine, and where the shipped files of weft are."""
    from weft.config.places import CHECKOUT
    from weft.training.environment import build_extensions, machine_lines

    if build:
        build_extensions()
    typer.echo(f"weft {weft.__version__}, shipped files in {CHECKOUT}")
    for line in machine_lines(read_settings().offline):
        typer.echo(line)


@config_app.command("show")
def config_show(experiment: str) -> None:
    """Print an experiment with every value filled in."""
    content = load_experiment(find_experiment(experiment)).model_dump(mode="json")
    typer.echo(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), nl=False)
