"""``weft score`` and ``weft score-run``: score the answers in generation files, or all answers of a run."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import ExperimentOption, OfflineOption, OutOption, app, offline_folders
from weft.config import Experiment, StoredGenerations, find_experiment, load_experiment
from weft.config.experiment import CUSTOM_SCORING, Scoring
from weft.config.places import find_path
from weft.config.sources import CustomBenchmark
from weft.errors import ConfigError
from weft.layout import ResultLayout
from weft.provenance import file_sha256, write_provenance
from weft.records import ScoredExample

RulesOption = Annotated[Scoring, typer.Option(help="Scoring (docs/scoring.md).")]


@app.command()
def score(
    files: Annotated[list[Path], typer.Argument(help="Generation files: weft's JSONL or d1's JSON.")],
    benchmark: Annotated[
        str, typer.Option(help="sudoku, countdown, gsm8k, math500, or any other name with --custom.")
    ],
    out: OutOption,
    rules: RulesOption = "d1",
    custom: Annotated[
        Path | None,
        typer.Option(help="Python file of a custom benchmark; it is run (docs/custom-benchmarks.md)."),
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Path or name of the experiment, which is recorded in the provenance.")
    ] = None,
) -> None:
    """Score generations in file order, and print a summary."""
    from weft.benchmarks import SCORERS

    if (benchmark in SCORERS) == (custom is not None):
        raise ConfigError(
            f"--benchmark must be one of {list(SCORERS)}, or another name together with --custom FILE, "
            f"got {benchmark!r} {'with' if custom else 'without'} --custom"
        )
    checked = load_experiment(find_experiment(experiment)) if experiment else None
    _score_files(files, benchmark, out, rules=rules, custom=custom, experiment=checked)


@app.command()
def score_run(
    results: Annotated[Path, typer.Argument(help="Folder of the experiment's results.")],
    experiment: ExperimentOption,
    run: Annotated[str, typer.Option(help="Name of the run, as in the folder's names.")],
    rules: RulesOption = "d1",
    offline: OfflineOption = None,
) -> None:
    """Score a run's answers to all benchmarks at all lengths, into the folder of the results."""
    from weft.data.offline import find_generations

    described, layout = load_experiment(find_experiment(experiment)), ResultLayout(results)
    if run not in described.run_ids:
        raise ConfigError(f"--run must be one of {described.run_ids}, got {run!r}")
    for benchmark, length in itertools.product(described.benchmark_names, described.gen_lengths):
        custom = None
        if isinstance(described, StoredGenerations):
            files = find_generations(described.generations, benchmark, length, offline_folders(offline))
        else:
            files = [layout.samples(run, benchmark, length)]
            source = described.benchmarks[benchmark]
            custom = find_path(source.path) if isinstance(source, CustomBenchmark) else None
        out = layout.scores(rules, run, benchmark, length)
        _score_files(files, benchmark, out, rules=rules, custom=custom, experiment=described, run=run)


def _score_files(
    files: Sequence[Path],
    benchmark: str,
    out: Path,
    *,
    rules: Scoring,
    custom: Path | None,
    experiment: Experiment | None,
    run: str | None = None,
) -> None:
    """Score generations in file order, write the scores with their provenance, and print a summary."""
    from tqdm import tqdm

    from weft.benchmarks import find_scorer
    from weft.benchmarks.custom import load_custom_benchmark
    from weft.benchmarks.d1_verdicts import compare_with_d1
    from weft.benchmarks.generations import GenerationFile
    from weft.benchmarks.scoring import Tally, check_output_path, score_generations
    from weft.records.files import write_lines

    read = [*files, *([custom] if custom else [])]
    check_output_path(out, read)
    scorer = load_custom_benchmark(custom).score if custom else find_scorer(benchmark, rules)
    scoring = CUSTOM_SCORING if custom else rules
    answers = [GenerationFile(path, benchmark, scorer=scorer) for path in files]
    # The progress bar is shown in a terminal only and erased at the end.
    progress = tqdm(
        total=sum(map(len, answers)),
        desc=f"{benchmark} ({scoring})",
        unit="answer",
        leave=False,
        disable=None,
    )
    tally = Tally()

    def score_file(generations: GenerationFile) -> Iterator[ScoredExample]:
        scores = score_generations(generations, scorer=scorer, scoring=scoring)
        if scoring == "d1" and generations.path.is_file():  # a pipe cannot be read twice
            sha256 = file_sha256(generations.path)
            scores = compare_with_d1(scores, sha256, num_scores=len(generations))
        for score in tally.watch(scores):
            progress.update()
            yield score

    with progress:
        write_lines(out.resolve(), itertools.chain.from_iterable(map(score_file, answers)))
    write_provenance(
        out.resolve(),
        settings=(
            experiment.model_dump(mode="json") if experiment else {"benchmark": benchmark, "rules": rules}
        ),
        experiment=experiment.name if experiment else "",
        inputs=[path for path in read if path.is_file()],
        notes=None if run is None else {"run": run},
    )
    summary, approximation = tally.summarise(), tally.describe_approximation()
    note = tally.describe_unscorable()
    note += "" if approximation is None else f", approximate sampling: {approximation}"
    typer.echo(
        f"{benchmark} ({scoring}): accuracy {100 * summary.accuracy:.2f} % of {summary.num_examples} "
        f"examples, {summary.num_correct} correct, {summary.num_unscorable} unscorable{note} -> {out}"
    )
