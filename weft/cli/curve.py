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
from weft.config import BASE_RUN
from weft.config.experiment import Run
from weft.devices.choice import device_kind
from weft.errors import ConfigError
from weft.layout import curve_answers, snapshot_folder
from weft.provenance import input_digests, stored_digest
from weft.records import CurvePoint, Generation
from weft.records.files import lock_output, read_lines, write_lines


@app.command()
def curve(
    experiment: ExperimentOption,
    run: Annotated[str, typer.Option(help="Name of the run.")],
    questions: Annotated[list[Path], typer.Option(help="Validation questions of each benchmark.")],
    base: BaseOption,
    out: OutOption,
    trained: Annotated[
        Path | None,
        typer.Option(help="Folder of a trained run, with its snapshots; none for the base model."),
    ] = None,
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Answer validation questions with the adapters of a run during training, and score the answers.

    The base model has a single point, after 0 steps, which is where the curves of all runs begin.
    The answers are kept beside the output, so that a job that is interrupted or run again with other scoring
    rules samples only what is missing.
    """
    from weft.benchmarks import find_scorer
    from weft.benchmarks.scoring import score_generations, summarise
    from weft.sampling.files import prompts_digest
    from weft.sampling.job import SamplingJob, run_job

    show_log()
    described = load_fine_tuning(experiment)
    chosen = described.find_run(run)
    snapshots = _list_snapshots(chosen, trained)
    points, files = [], []
    with lock_output(out):
        for step, snapshot in snapshots.items():
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
                    inputs=[
                        prompts_digest(file, attend_padding=described.sampling.attend_padding),
                        *(stored_digest(path) for path in [base, *([snapshot] if snapshot else [])]),
                    ],
                    special_tokens=described.special_tokens,
                )
                run_job(job, load, tokenizer_folder=base, questions=file, out=answers)
                files.append(answers)
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
        inputs = input_digests([*questions, base, *([trained] if trained else [])])
        notes, used = {"run": run}, device_kind(device)
        folder = out.with_suffix("")
        kept = save_provenance(
            folder, described, seed=chosen.seed, inputs=inputs, device=used, notes=notes, files=files
        )
        inputs |= {str(folder): kept.sha256}
        save_provenance(out, described, seed=chosen.seed, inputs=inputs, device=used, notes=notes)
    typer.echo(f"{run}: {len(points)} points -> {out}")


def _list_snapshots(run: Run, trained: Path | None) -> dict[int, Path | None]:
    """Return the adapter of each snapshot of a run by its optimiser step; None after 0 steps."""
    if run.run_id == BASE_RUN:
        if trained is not None:
            raise ConfigError(f"--run {BASE_RUN} must not be given with --trained, got {trained}; omit it")
        return {0: None}
    if trained is None:
        raise ConfigError(f"--run {run.run_id} requires --trained, the folder of the trained run, got none")
    folders = snapshot_folder(trained, "*").parent.glob("*")
    snapshots = {int(folder.name): folder for folder in folders}
    if not snapshots:
        raise ConfigError(
            f"--trained must be a run with snapshots, got {trained} without any; add learning_curve to the "
            "experiment and train the run again"
        )
    return dict(sorted(snapshots.items()))
