"""Measure the accuracy of the runs of an experiment by the number of tokens that are revealed in a step.

    python -m tools.tokens_per_step --experiment tiny --figure docs/images/tokens_per_step.png

The runs must be finished. The questions are validation problems; all settings but the number of tokens are
those of the experiment.
"""

import itertools
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from matplotlib.figure import Figure

from tools.commands import brief_errors, load_fine_tuning
from tools.small_world import draw_validation_problems, measure_accuracy
from weft.config import FineTuning
from weft.data.tasks import TASKS
from weft.layout import ResultLayout
from weft.model import load_finetuned, load_tokenizer, merge_adapter
from weft.report.drawing import method_colour
from weft.report.labels import benchmark_name, method_label

TOKENS_PER_STEP = (1, 2, 4, 8)
"""Numbers of tokens that are compared; each divides the length of a block of the small experiments."""


def measure(experiment: FineTuning, num_questions: int) -> pd.DataFrame:
    """Return the accuracy, in percent, of each training run, benchmark and number of tokens per step."""
    layout = ResultLayout.of(experiment.name)
    problems = {benchmark: draw_validation_problems(benchmark, num_questions) for benchmark in TASKS}
    rows = []
    for run in experiment.trained_runs:
        model = merge_adapter(load_finetuned(layout.base, layout.run(run.run_id)))
        tokenizer = load_tokenizer(layout.base, mask_token_id=model.config.mask_token_id)
        for benchmark, tokens in itertools.product(TASKS, TOKENS_PER_STEP):
            accuracy = measure_accuracy(
                model, tokenizer, experiment, problems[benchmark], tokens_per_step=tokens
            )
            rows.append((run.method, run.seed, benchmark, tokens, accuracy))
    return pd.DataFrame(rows, columns=["method", "seed", "benchmark", "tokens_per_step", "accuracy"])


def draw(experiment: FineTuning, table: pd.DataFrame) -> Figure:
    """Draw the mean accuracy of each method over the seeds, a panel per benchmark."""
    means = table.groupby(["benchmark", "method", "tokens_per_step"])["accuracy"].mean()
    lowest = 10 * (means.min() // 10)
    fig = Figure(figsize=(3 * len(TASKS), 2.8), layout="constrained")
    for ax, benchmark in zip(fig.subplots(1, len(TASKS), sharey=True), TASKS, strict=True):
        for method in experiment.methods:
            line = means[benchmark, method]
            colour = method_colour(experiment, method)
            ax.plot(line.index, line, "o-", color=colour, label=method_label(method))
        ax.set_xscale("log", base=2)
        ax.set_xticks(TOKENS_PER_STEP, labels=map(str, TOKENS_PER_STEP))
        ax.set(title=benchmark_name(experiment, benchmark), xlabel="tokens per step", ylim=(lowest, 101))
    fig.axes[0].set_ylabel("accuracy, %")
    fig.axes[0].legend()
    return fig


def main(
    experiment: Annotated[str, typer.Option(help="Experiment whose runs are measured.")] = "tiny",
    questions: Annotated[int, typer.Option(help="Questions of each benchmark.")] = 100,
    figure: Annotated[Path | None, typer.Option(help="Image to write.")] = None,
) -> None:
    """Print a table in Markdown with means and standard deviations over the seeds, and draw the means."""
    described = load_fine_tuning(experiment)
    table = measure(described, questions)
    groups = table.groupby(["method", "benchmark", "tokens_per_step"])["accuracy"]
    typer.echo("| method | benchmark | tokens per step | accuracy, % | standard deviation |")
    typer.echo("| --- | --- | ---: | ---: | ---: |")
    for (method, benchmark, count), values in groups:
        typer.echo(f"| {method} | {benchmark} | {count} | {values.mean():.1f} | {values.std():.1f} |")
    if figure is not None:
        draw(described, table).savefig(figure, dpi=150)


if __name__ == "__main__":
    with brief_errors():
        typer.run(main)
