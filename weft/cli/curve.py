"""``weft curve``: measure the learning curve of a run on validation questions."""

import functools
import itertools
from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import (
    BaseOption,
    DeviceOption,
    ExperimentOption,
    OutOption,
    ThreadsOption,
    app,
    load_fine_tuning,
    load_for_sampling,
    save_provenance,
    show_log,
)
from weft.errors import ConfigError
from weft.layout import curve_answers, snapshot_folder
from weft.provenance import stored_digest
from weft.records import CurvePoint, Generation
from weft.records.files import lock_output, read_lines, write_lines


@app.command()
def curve(
    experiment: ExperimentOption,
    run: Annotated[str, typer.Option(help="Name of the run.")],
    questions: Annotated[list[Path], typer.Option(help="Validation questions of each benchmark.")],
    base: BaseOption,
    trained: Annotated[Path, typer.Option(help="Folder of the run, with its snapshots.")],
    out: OutOption,
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Answer validation questions with the adapters of a run during training, and score the answers.

    The answers are kept beside the output, so that a job that is interrupted or run again with other scoring
    rules samples only what is missing.
    """
    from weft.benchmarks import find_scorer
    from weft.benchmarks.scoring import score_generations, summarise
    from weft.sampling.job import SamplingJob, run_job

    show_log()
    described = load_fine_tuning(experiment)
    chosen = described.find_run(run)
    snapshots = sorted(snapshot_folder(trained, "*").parent.glob("*"), key=lambda folder: int(folder.name))
    if not snapshots:
        raise ConfigError(
            f"--trained must be a run with snapshots, got {trained} without any; add learning_curve to the "
            "experiment and train the run again"
        )
    points = []
    with lock_output(out):
        for snapshot in snapshots:
            step = int(snapshot.name)
            load = functools.cache(
                lambda adapter=snapshot: load_for_sampling(described, base, device, threads, adapter=adapter)
            )
            for file, length in itertools.product(questions, described.gen_lengths):
                answers = curve_answers(out, step, file.stem, length)
                job = SamplingJob(
                    sampling=described.sampling,
                    gen_length=length,
                    model_name=f"{described.name}/{run} after {step} steps",
                    seed=chosen.seed,
                    inputs=[stored_digest(path) for path in (file, base, snapshot)],
                )
                run_job(job, load, tokenizer_folder=base, questions=file, out=answers)
                scoring = described.scoring[0]
                scores = score_generations(
                    read_lines(answers, Generation), scorer=find_scorer(file.stem, scoring), scoring=scoring
                )
                summary = summarise(list(scores))
                points.append(
                    CurvePoint(
                        benchmark=file.stem,
                        gen_length=length,
                        optimizer_step=step,
                        accuracy=summary.accuracy,
                        num_questions=summary.num_examples,
                    )
                )
        write_lines(out, points)
        save_provenance(out, described, seed=chosen.seed, inputs=[*questions, base, trained])
    typer.echo(f"{run}: {len(points)} points -> {out}")
