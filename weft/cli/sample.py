"""``weft sample`` and ``weft merge``: answer test questions, and merge the answers of several jobs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import (
    AdapterOption,
    BaseOption,
    DeviceOption,
    ExperimentOption,
    OutOption,
    ThreadsOption,
    app,
    choose_device_of_rank,
    load_fine_tuning,
    load_for_sampling,
    require_adapter_of,
    save_provenance,
    show_log,
)
from weft.errors import ConfigError
from weft.provenance import merge_provenance, stored_digest
from weft.records.files import lock_output

QuestionsOption = Annotated[Path, typer.Option(help="Test questions.")]


@app.command()
def sample(
    experiment: ExperimentOption,
    run: Annotated[str, typer.Option(help="Name of the run, or 'base'.")],
    questions: QuestionsOption,
    gen_length: Annotated[int, typer.Option(help="Length of the answers, in tokens.")],
    base: BaseOption,
    out: Annotated[
        Path, typer.Option(help="File to write; {shard} and {shards} are replaced by the numbers of --shard.")
    ],
    adapter: AdapterOption = None,
    shard: Annotated[
        str,
        typer.Option(
            help="K/N: answer every Nth question from the Kth on, for weft merge; auto: use the rank of this "
            "process under torchrun or Slurm."
        ),
    ] = "1/1",
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Answer the questions of a benchmark. An interrupted job continues where it stopped."""
    from weft.model import finetuned_digest
    from weft.sampling.job import SamplingJob, run_job
    from weft.sampling.shards import find_rank, parse_shard

    show_log()
    described = load_fine_tuning(experiment)
    chosen = described.find_run(run)
    require_adapter_of(chosen, adapter)
    part = parse_shard(shard, os.environ)
    target = part.fill_in(out)
    if target.is_dir():
        raise ConfigError(f"--out must be a file, got the directory {target}")
    rank = find_rank(os.environ)
    if rank is not None and shard == "auto" and target == out:
        raise ConfigError(f"--out must contain {{shard}} with --shard auto, for a file per rank, got {out}")
    if rank is not None and part.count == 1:
        typer.echo(f"rank {rank} answers all questions; --shard auto would divide them among ranks", err=True)
    inputs = [questions, base, *([adapter] if adapter else [])]
    for path in inputs:
        if not path.exists():
            raise ConfigError(f"questions, base model and adapter must exist, got {path}; check the path")
    digests = [stored_digest(questions), stored_digest(base), *map(finetuned_digest, inputs[2:])]
    job = SamplingJob(
        sampling=described.sampling,
        gen_length=gen_length,
        model_name=f"{described.name}/{run}",
        seed=chosen.seed,
        inputs=digests,
        shard=part,
    )
    if shard == "auto":
        device = choose_device_of_rank(device, os.environ)
    model = load_for_sampling(described, base, device, threads, adapter=adapter)
    with lock_output(target):
        run_job(job, model, tokenizer_folder=base, questions=questions, out=target)
        notes = {"shard": str(part)} if part.count > 1 else None
        save_provenance(
            target, described, seed=chosen.seed, inputs=inputs, device=str(model.device), notes=notes
        )


@app.command()
def merge(
    shards: Annotated[list[Path], typer.Argument(help="Answer files of all shards, in any order.")],
    questions: QuestionsOption,
    out: OutOption,
) -> None:
    """Merge the answers of several shards into the file that a single job would have written."""
    from weft.sampling.shards import merge_shards

    count = merge_shards(questions, shards, out)
    merge_provenance(shards, out)
    typer.echo(f"{count} answers of {len(shards)} shards -> {out}")
