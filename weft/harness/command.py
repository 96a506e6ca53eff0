"""Run the command line of lm-evaluation-harness with weft's model registered."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Sequence

from weft.errors import ConfigError

MODEL_NAME = "weft"
MODEL_CLASS = "weft.harness.lm_eval_model:WeftLM"
OPTIONS = {"--model": "-M", "--batch_size": "-b", "--config": "-C"}
"""Options of the harness's ``run`` -> their short forms."""
WRONG_TASKS = re.compile(r"Tasks not found: *(.*)|No tasks specified")
"""Beginning of the harness's error about the names of tasks."""
SUBCOMMANDS = ("run", "ls", "validate")


def run_harness(arguments: Sequence[str]) -> None:
    """Run the harness's command line.

    Args:
        arguments: its arguments.

    Raises:
        ConfigError: the harness is not installed, or there is no task, or none of a name.
    """
    register()
    from lm_eval.__main__ import cli_evaluate

    before = sys.argv
    sys.argv = ["weft lm-eval", *with_defaults(arguments)]  # the only way to give it arguments
    try:
        cli_evaluate()
    except ValueError as error:
        wrong = WRONG_TASKS.match(str(error))
        if wrong is None:
            raise
        raise ConfigError(
            "--tasks must name tasks of the harness or of the folder --include_path, got "
            f"{wrong[1] or 'nothing'}; weft lm-eval ls tasks lists them"
        ) from error
    finally:
        sys.argv = before


def register() -> None:
    """Register the model in the harness; its module is imported when the model is used."""
    if importlib.util.find_spec("lm_eval") is None:
        raise ConfigError(
            'lm-evaluation-harness must be installed for this command; run pip install "weft-dllm[eval]"'
        )
    from lm_eval.api.registry import model_registry

    importlib.import_module("lm_eval.models")  # registers the harness's own models

    if MODEL_NAME not in model_registry:  # a later version of the harness reads the entry point
        model_registry.register(MODEL_NAME, target=MODEL_CLASS)


def with_defaults(arguments: Sequence[str]) -> list[str]:
    """Add ``--model weft`` and ``--batch_size auto`` to the arguments of a run that names neither.

    Args:
        arguments: arguments of the harness.

    Returns:
        The arguments; unchanged for other subcommands, for help, and for a run with a file of settings.
    """
    given = list(arguments)
    command = given[:1] if given[:1] and given[0] in SUBCOMMANDS else []
    rest = given[len(command) :]
    names = {argument.split("=")[0] for argument in rest}
    is_run = command in ([], ["run"]) and rest and not names & {"-h", "--help", "--config", "-C"}
    if not is_run:
        return given
    added = []
    for name, value in (("--model", MODEL_NAME), ("--batch_size", "auto")):
        if not {name, OPTIONS[name]} & names:
            added += [name, value]
    return ["run", *added, *rest]
