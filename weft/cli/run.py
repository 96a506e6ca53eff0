"""``weft run``: run an experiment with Snakemake and the shipped workflow."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import app
from weft.config import find_experiment
from weft.config.places import CHECKOUT, find_path

DIRECTORY_OPTIONS = ("--directory", "-d")
PROFILE_OPTION = "--workflow-profile"
OPTIONS_WITH_JOBS = ("--cores", "-c", "--jobs", "-j", "--executor", "-e", "--profile", PROFILE_OPTION)
"""Options of Snakemake that say how many jobs run at once, or that name a profile which may say so."""


@app.command("run", context_settings={"ignore_unknown_options": True}, options_metavar="")
def run_workflow(
    experiment: Annotated[str, typer.Argument(help="Path or name of an experiment file.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGUMENTS", help="Targets and options of Snakemake.")
    ] = None,
) -> None:
    """Run an experiment with Snakemake, on all cores unless an option says otherwise.

    What follows the experiment is handed to Snakemake, such as the target "figures" or "--cores 4". Results
    are written below the working directory.
    """
    if experiment.startswith("-"):
        raise typer.BadParameter(f"the experiment comes before the options of Snakemake, got {experiment!r}")
    given = arguments or []
    if not _has_option(given, DIRECTORY_OPTIONS):
        find_experiment(experiment)
    from snakemake import cli

    # The rules call ``python``, which has to be the one that runs this command.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    sys.argv = ["snakemake", *snakemake_arguments(experiment, given)]
    cli.main()


def snakemake_arguments(experiment: str, given: Sequence[str]) -> list[str]:
    """Return the arguments of Snakemake that run an experiment.

    Args:
        experiment: path or name of the experiment.
        given: further arguments, as Snakemake takes them.

    Returns:
        The arguments. A profile that the working directory lacks is one of the shipped profiles.
    """
    arguments = list(given)
    if "--config" in arguments:  # a second --config would replace the first one
        arguments.insert(arguments.index("--config") + 1, f"experiment={experiment}")
    else:
        arguments += ["--config", f"experiment={experiment}"]
    if PROFILE_OPTION in arguments[:-1]:
        place = arguments.index(PROFILE_OPTION) + 1
        arguments[place] = str(find_path(arguments[place]))
    cores = [] if _has_option(given, OPTIONS_WITH_JOBS) else ["--cores", "all"]
    return ["--snakefile", str(CHECKOUT / "Snakefile"), *cores, *arguments]


def _has_option(arguments: Sequence[str], names: Sequence[str]) -> bool:
    """Return True if one of the options is given, with its value after a space or after ``=``.

    The value of a short option may also follow without either, as in ``-c4``.
    """
    return any(
        argument.partition("=")[0] == name
        or (not name.startswith("--") and not argument.startswith("--") and argument.startswith(name))
        for argument in arguments
        for name in names
    )
