"""``weft score``: score the answers in generation files."""

from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import OutOption, app
from weft.config import find_experiment, load_experiment
from weft.config.experiment import Scoring
from weft.errors import ConfigError
from weft.provenance import write_provenance


@app.command()
def score(
    files: Annotated[list[Path], typer.Argument(help="Generation files: weft's JSONL or d1's JSON.")],
    benchmark: Annotated[
        str, typer.Option(help="sudoku, countdown, gsm8k, math500, or any other name with --custom.")
    ],
    out: OutOption,
    rules: Annotated[Scoring, typer.Option(help="Scoring (docs/scoring.md).")] = "d1",
    custom: Annotated[
        Path | None,
        typer.Option(help="Python file of a custom benchmark; it is run (docs/custom-benchmarks.md)."),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Path or name of the experiment, which is recorded in the provenance.")
    ] = None,
) -> None:
    """Score generations in file order, and print a summary."""
    from tqdm import tqdm

    from weft.benchmarks import SCORERS, find_scorer
    from weft.benchmarks.custom import load_custom_benchmark
    from weft.benchmarks.generations import read_generations
    from weft.benchmarks.scoring import (
        check_output_path,
        describe_approximation,
        score_generations,
        summarise,
    )
    from weft.records.files import write_lines

    if (benchmark in SCORERS) == (custom is not None):
        raise ConfigError(
            f"--benchmark must be one of {list(SCORERS)}, or another name together with --custom FILE, "
            f"got {benchmark!r} {'with' if custom else 'without'} --custom"
        )
    checked = load_experiment(find_experiment(experiment)) if experiment else None
    read = [*files, *([custom] if custom else [])]
    check_output_path(out, read)
    scorer = load_custom_benchmark(custom).score if custom else find_scorer(benchmark, rules)
    generations = [generation for path in files for generation in read_generations(path, benchmark)]
    # The progress bar is shown in a terminal only and erased at the end.
    progress = tqdm(generations, desc=f"{benchmark} ({rules})", unit="answer", leave=False, disable=None)
    scores = list(score_generations(progress, scorer=scorer, scoring=rules))
    write_lines(out.resolve(), scores)
    write_provenance(
        out.resolve(),
        settings=checked.model_dump(mode="json") if checked else {"benchmark": benchmark, "rules": rules},
        experiment=checked.name if checked else "",
        inputs=[path for path in read if path.is_file()],  # a pipe cannot be read twice
    )
    summary = summarise(scores)
    approximation = describe_approximation(scores)
    note = "" if approximation is None else f", approximate sampling: {approximation}"
    typer.echo(
        f"{benchmark} ({rules}): accuracy {100 * summary.accuracy:.2f} % of {summary.num_examples} "
        f"examples, {summary.num_correct} correct, {summary.num_unscorable} unscorable{note} -> {out}"
    )
