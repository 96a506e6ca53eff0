"""The command line of the measurements: ``python -m perf startup``, ``training``, ``sampler`` and others."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import DeviceOption, ThreadsOption, load_fine_tuning
from weft.devices.choice import choose_device
from weft.errors import ConfigError, WeftError

NUM_EXAMPLES = 64
NUM_EXAMPLES_QUICK = 2

app = typer.Typer(
    help="Measure the start of commands, the report, and speed and memory against the published code.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command("startup")
def measure_startup() -> None:
    """Measure the processor time that each command needs before its work begins."""
    from perf.startup import bench_startup

    for line in bench_startup():
        typer.echo(line)


@app.command("training")
def measure_training(threads: ThreadsOption = 2) -> None:
    """Compare training steps with plain transcriptions of the published steps."""
    from perf.training import bench_training

    for line in bench_training(threads=threads):
        typer.echo(line)


@app.command("sampler")
def measure_sampler(
    experiment: Annotated[
        str, typer.Option("--experiment", help="Experiment whose shipped base model answers questions.")
    ] = "tiny",
    threads: ThreadsOption = 2,
    device: DeviceOption = "auto",
    quick: Annotated[
        bool, typer.Option("--quick", help="Use a very small network as a smoke test; ignore the ratios.")
    ] = False,
) -> None:
    """Compare the sampler with the published loop; stop if exact sampling gives other tokens."""
    from perf.sampler import bench_sampler
    from perf.trained import bench_trained, require_suitable

    described = load_fine_tuning(experiment)
    shipped = getattr(described.base_model, "shipped", None)
    if shipped is None:
        raise ConfigError(
            f"--experiment must name an experiment with a shipped base model, got {experiment!r}"
        )
    require_suitable(described, Path(shipped))  # checked before the first part, which takes long
    torch_device = choose_device(device)
    for line in bench_sampler(threads=threads, device=torch_device, quick=quick):
        typer.echo(line)
    for line in bench_trained(
        described,
        Path(shipped),
        threads=threads,
        device=torch_device,
        num_examples=NUM_EXAMPLES_QUICK if quick else NUM_EXAMPLES,
    ):
        typer.echo(line)


@app.command("report")
def measure_report(
    num_seeds: Annotated[int, typer.Option(help="Training seeds of the two methods.", min=2)] = 50,
    num_questions: Annotated[int, typer.Option(help="Questions of each benchmark.", min=10)] = 1319,
) -> None:
    """Measure the report of a large experiment with made-up results against pandas reading the scores."""
    from perf.report import bench_report

    for line in bench_report(num_seeds=num_seeds, num_questions=num_questions):
        typer.echo(line)


@app.command("verdicts")
def measure_verdicts(
    folder: Annotated[Path, typer.Argument(help="Folder with MATH-500 generations that d1 published.")],
    num_busy: Annotated[int, typer.Option(help="Busy processes beside the scoring.", min=1)] = 16,
    passes: Annotated[int, typer.Option(help="Passes at the same time beside them.", min=1)] = 3,
) -> None:
    """Score stored answers alone and on a busy machine; stop if a verdict differs."""
    from perf.scoring import bench_verdicts

    for line in bench_verdicts(folder, num_busy=num_busy, passes=passes):
        typer.echo(line)


@app.command("score")
def measure_score(
    counts: Annotated[
        list[int] | None, typer.Option("--count", help="Number of answers; repeat in ascending order.")
    ] = None,
) -> None:
    """Measure how the memory of ``weft score`` grows with the number of answers."""
    from perf.scoring import bench_memory

    for line in bench_memory(**({"counts": counts} if counts else {})):
        typer.echo(line)


def main() -> None:
    """Run the command line; print an expected error as a single message and exit with code 2."""
    try:
        app()
    except (WeftError, OSError) as error:
        print(f"perf: error: {error}", file=sys.stderr)  # noqa: T201 - this is the command line
        sys.exit(2)


if __name__ == "__main__":
    main()
