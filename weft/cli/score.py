"""``weft score``: from generations to verdicts."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import OutOption, app
from weft.errors import ConfigError


class Rules(StrEnum):
    """Rule sets of ``weft score``."""

    d1 = "d1"
    strict = "strict"


@app.command()
def score(
    files: Annotated[list[Path], typer.Argument(help="Generations: our JSONL or d1's JSON.")],
    benchmark: Annotated[
        str, typer.Option(help="Whose rules: sudoku, countdown, gsm8k, math500, or any name with --own.")
    ],
    out: OutOption,
    rules: Annotated[Rules, typer.Option(help="Rule set.")] = Rules.d1,
    own: Annotated[
        Path | None, typer.Option(help="Python file of an own benchmark; it is run (docs/own-benchmarks.md).")
    ] = None,
) -> None:
    """Judge generations, in file order, and print one summary line."""
    from tqdm import tqdm

    from weft.benchmarks import SCORERS, find_scorer
    from weft.benchmarks.own import load_own_file
    from weft.benchmarks.scoring import (
        describe_approximation,
        read_files,
        require_harmless,
        score_generations,
        summarise,
        write_scores,
    )

    if (benchmark in SCORERS) == (own is not None):
        raise ConfigError(
            f"--benchmark must be one of {list(SCORERS)}, or another name together with --own FILE, "
            f"got {benchmark!r} {'with' if own else 'without'} --own"
        )
    require_harmless(out, [*files, *([own] if own else [])])
    scorer = load_own_file(own).score if own else find_scorer(benchmark, rules.value)
    generations = read_files(files, benchmark)
    # shown in a terminal only, and gone at the end
    progress = tqdm(
        generations, desc=f"{benchmark} ({rules.value})", unit="answer", leave=False, disable=None
    )
    records = list(score_generations(progress, scorer=scorer, rules=rules.value))
    write_scores(records, out)
    summary = summarise(records)
    approximation = describe_approximation(records)
    label = "" if approximation is None else f", approximate sampling: {approximation}"
    typer.echo(
        f"{benchmark} ({rules.value}): accuracy {100 * summary['accuracy']:.2f} % of {summary['n']} "
        "examples, "
        f"{summary['num_correct']} correct, {summary['num_unscorable']} unscorable{label} -> {out}"
    )
