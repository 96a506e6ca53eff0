"""``weft plan``, ``doctor``, ``bench``, ``config``: commands that only tell."""

from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import (
    DeviceOption,
    OfflineOption,
    ThreadsOption,
    app,
    device_of,
    fine_tuning,
    offline_folders,
)
from weft.config import find_experiment, load_experiment, read_settings
from weft.config.pins import pins_path
from weft.errors import ConfigError

config_app = typer.Typer(help="Look at experiment files.", no_args_is_help=True)
app.add_typer(config_app, name="config")
bench_app = typer.Typer(help="Measure speed and memory as ratios, each in one run.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")


@app.command()
def plan(
    experiment: Annotated[str, typer.Argument(help="Experiment file, or its name.")],
    offline: OfflineOption = None,
) -> None:
    """Say what an experiment will do, and what it needs from outside."""
    from weft.config.plan import plan_lines

    file = find_experiment(experiment)
    for line in plan_lines(load_experiment(file), offline=offline_folders(offline), pins=pins_path(file)):
        typer.echo(line)


@app.command()
def doctor(
    build: Annotated[
        bool, typer.Option("--build", help="Compile what DeepSpeed needs on this machine.")
    ] = False,
) -> None:
    """Say what this machine offers."""
    from weft.training.environment import build_extensions, machine_lines

    if build:
        build_extensions()
    for line in machine_lines(read_settings(Path("config.yaml")).offline):
        typer.echo(line)


@bench_app.command("training")
def bench_training_steps(threads: ThreadsOption = 2) -> None:
    """Compare training steps with plain transcriptions of the published ones."""
    from weft.bench.training import bench_training

    for line in bench_training(threads=threads):
        typer.echo(line)


@bench_app.command("sampler")
def bench_sampling(
    experiment: Annotated[
        str, typer.Option("--experiment", help="Whose shipped base model answers questions.")
    ] = "tiny",
    threads: ThreadsOption = 2,
    device: DeviceOption = "auto",
    quick: Annotated[
        bool, typer.Option("--quick", help="Very small, to see that it works; the ratios mean nothing.")
    ] = False,
) -> None:
    """Compare the sampler with the published loop; what is exact must give its tokens."""
    from weft.bench.sampler import bench_sampler
    from weft.bench.trained import bench_trained, require_suitable

    described = fine_tuning(experiment)
    shipped = getattr(described.base_model, "shipped", None)
    if shipped is None:
        raise ConfigError(
            f"--experiment must name an experiment with a shipped base model, got {experiment!r}"
        )
    require_suitable(described, Path(shipped))  # before the long first part
    where = device_of(device)
    for line in bench_sampler(threads=threads, device=where, quick=quick):
        typer.echo(line)
    num_examples = 2 if quick else 64
    for line in bench_trained(
        described, Path(shipped), threads=threads, device=where, num_examples=num_examples
    ):
        typer.echo(line)


@config_app.command("show")
def config_show(experiment: str) -> None:
    """Print an experiment with every value filled in."""
    import yaml

    described = load_experiment(find_experiment(experiment))
    typer.echo(
        yaml.safe_dump(described.model_dump(mode="json"), sort_keys=False, allow_unicode=True), nl=False
    )


@config_app.command("docs")
def config_docs() -> None:
    """Print docs/config.md, made from the descriptions of the settings."""
    from weft.config.document import document

    typer.echo(document(), nl=False)
