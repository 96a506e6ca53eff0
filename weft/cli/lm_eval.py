"""``weft lm-eval``: evaluate a model with lm-evaluation-harness."""

from typing import Annotated

import typer

from weft.cli.shared import app, show_log


@app.command("lm-eval", context_settings={"ignore_unknown_options": True}, add_help_option=False)
def lm_eval(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGS...", help="Arguments of the harness.")
    ] = None,
) -> None:
    """Run lm-evaluation-harness with the model weft; all arguments are the harness's (docs/lm-eval.md)."""
    from weft.harness.command import run_harness

    show_log()
    run_harness(arguments or [])
