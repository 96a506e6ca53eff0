"""``weft plan``, ``doctor`` and ``config``: print information without writing files."""

import json
from typing import Annotated

import typer
import yaml

import weft
from weft.cli.shared import OfflineOption, app, offline_folders, show_remarks
from weft.config import find_experiment, load_experiment, read_settings
from weft.config.section import validate
from weft.config.settings import Settings
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
    experiment: Annotated[
        str | None, typer.Argument(help="Path or name of an experiment file that is to be run.")
    ] = None,
    build: Annotated[
        bool,
        typer.Option("--build", help="Compile the extension that DeepSpeed requires, and check nothing."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as a JSON list.")] = False,
    offline: OfflineOption = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu or cuda; by default device of config.yaml.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Ranks of a training; by default train_processes.")
    ] = None,
) -> None:
    """Print what this machine has, and what would stop a run in this folder; exit with 1 if anything would.

    With an experiment, its need of disk space, memory, devices and files is compared with what is there.
    """
    from weft.config.places import CHECKOUT
    from weft.training.environment import build_extensions, machine_lines

    given = {"device": device, "train_processes": processes}
    content = read_settings().model_dump() | {key: value for key, value in given.items() if value is not None}
    settings = validate(Settings, content, origin="--device and --processes", remedy="Correct the options")
    folders = offline_folders(offline)
    if build:
        build_extensions()
    if not as_json:
        typer.echo(f"weft {weft.__version__}, shipped files in {CHECKOUT}")
        for line in machine_lines(folders):
            typer.echo(line)
    if build:
        return
    from weft.doctor.examine import examine

    file = None if experiment is None else find_experiment(experiment)
    described = None if file is None else load_experiment(file)
    findings = []
    for finding in examine(described, file, settings, folders):
        findings.append(finding)
        if not as_json:
            typer.echo(finding.as_text())
    if as_json:
        typer.echo(json.dumps([finding.as_object() for finding in findings], indent=1))
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)


@config_app.command("show")
def config_show(experiment: str) -> None:
    """Print an experiment with every value filled in."""
    content = load_experiment(find_experiment(experiment)).model_dump(mode="json")
    typer.echo(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), nl=False)
