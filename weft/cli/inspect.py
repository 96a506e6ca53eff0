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
) -> None:
    """Print how many jobs an experiment runs, and which files it downloads."""
    from weft.data.context import check_before_jobs
    from weft.plan import plan_lines

    file, folders = find_experiment(experiment), offline_folders(offline)
    described = load_experiment(file)
    check_before_jobs(
        described,
        num_processes=read_settings().train_processes,
        offline=folders,
        placed=ResultLayout.of(described.name).base,
    )
    for line in plan_lines(described, offline=folders, pins=pins_path(file)):
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
