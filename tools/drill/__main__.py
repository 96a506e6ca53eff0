"""The command line of the drill: ``python -m tools.drill results/drill --faults 50 --seed 1``."""

import signal
from pathlib import Path
from typing import Annotated, get_args

import typer

from tools.commands import brief_errors
from tools.drill.conduct import Drill
from tools.drill.damage import TARGETS
from tools.drill.faults import Kind, draw_faults
from tools.drill.records import format_table, is_faultless, read_faults, read_runs
from tools.drill.session import DrillError, Setup
from weft.config import find_experiment, load_experiment
from weft.errors import find_by_name


def main(
    folder: Annotated[Path, typer.Argument(help="Folder of the drill; one that exists is continued.")],
    faults: Annotated[int, typer.Option(min=1, help="Number of interruptions.")] = 50,
    seed: Annotated[int, typer.Option(help="Seed of kinds, moments and damages.")] = 1,
    experiment: Annotated[
        str, typer.Option(help="Path or name of the experiment.")
    ] = "tests/workflow/micro.yaml",
    damage: Annotated[
        str, typer.Option(help="Kinds of file to damage, with commas between them; empty for none.")
    ] = ",".join(TARGETS),
) -> None:
    """Interrupt a small experiment at random, and compare it with an undisturbed run."""
    # A shell's background job ignores SIGINT, and so would all its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with brief_errors():
        file = find_experiment(experiment).absolute()
        kinds = [find_by_name("--damage", name, {key: key for key in TARGETS}) for name in _split(damage)]
        setup = Setup(folder=folder.absolute(), experiment=file, name=load_experiment(file).name)
    try:
        Drill(setup, kinds, report=_print).conduct(draw_faults(faults, seed))
    except DrillError as error:
        raise SystemExit(f"error: {error}") from None
    done, runs = read_faults(setup.folder), read_runs(setup.folder)
    print(format_table(get_args(Kind), done, runs))
    if not is_faultless(runs, done):
        raise SystemExit(1)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _print(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    typer.run(main)
