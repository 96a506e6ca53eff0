"""``weft plan``, ``doctor`` and ``config``: print information without writing files."""

from pathlib import Path
from typing import Annotated

import typer
import yaml

from weft.cli.shared import OfflineOption, app, offline_folders
from weft.config import find_experiment, load_experiment, read_settings
from weft.data.pins import pins_path

config_app = typer.Typer(help="Print experiments and settings.", no_args_is_help=True)
app.add_typer(config_app, name="config")


@app.command()
def plan(
    experiment: Annotated[str, typer.Argument(help="Path or name of an experiment file.")],
    offline: OfflineOption = None,
) -> None:
    """Print how many jobs an experiment runs, and which files it downloads."""
    from weft.plan import plan_lines

    file = find_experiment(experiment)
    for line in plan_lines(load_experiment(file), offline=offline_folders(offline), pins=pins_path(file)):
        typer.echo(line)


@app.command()
def doctor(
    build: Annotated[
        bool, typer.Option("--build", help="Compile the extension that DeepSpeed requires.")
    ] = False,
) -> None:
    """Print the hardware and software of this machine."""
    from weft.training.environment import build_extensions, machine_lines

    if build:
        build_extensions()
    for line in machine_lines(read_settings(Path("config.yaml")).offline):
        typer.echo(line)


@config_app.command("show")
def config_show(experiment: str) -> None:
    """Print an experiment with every value filled in."""
    content = load_experiment(find_experiment(experiment)).model_dump(mode="json")
    typer.echo(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), nl=False)
