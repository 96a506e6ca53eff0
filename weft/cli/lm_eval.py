"""``weft lm-eval``: evaluate a model with lm-evaluation-harness."""

import typer

from weft.cli.shared import app, show_log


@app.command(
    "lm-eval",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def lm_eval(context: typer.Context) -> None:
    """Run lm-evaluation-harness with the model weft; all arguments are the harness's (docs/lm-eval.md)."""
    from weft.harness.command import run_harness

    show_log()
    run_harness(context.args)
