"""``weft sample``, ``merge`` and ``export``: what a trained model is used for."""

import os
import shutil
from enum import StrEnum
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
from weft.provenance import merge_provenance, stored_digest, write_provenance
from weft.records.files import atomic_directory, lock_output

QuestionsOption = Annotated[Path, typer.Option(help="Test questions.")]


class Form(StrEnum):
    """What ``weft export`` writes."""

    checkpoint = "checkpoint"
    adapter = "adapter"


@app.command()
def sample(
    experiment: ExperimentOption,
    run: Annotated[str, typer.Option(help="Which run, or 'base'.")],
    questions: QuestionsOption,
    gen_length: Annotated[int, typer.Option(help="Length of the answers, in tokens.")],
    base: BaseOption,
    out: Annotated[
        Path, typer.Option(help="What to write; {shard} and {shards} in it stand for the numbers of --shard.")
    ],
    adapter: AdapterOption = None,
    shard: Annotated[
        str,
        typer.Option(
            help="K/N: every Nth question from the Kth on, for weft merge; auto: by the rank that torchrun "
            "or Slurm gave this process."
        ),
    ] = "1/1",
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Answer the questions of one benchmark; an interrupted job goes on where it stopped."""
    from weft.model import tuned_digest
    from weft.sampling.job import SamplingJob, run_job
    from weft.sampling.shards import find_rank, parse_shard

    show_log()
    described = load_fine_tuning(experiment)
    chosen = described.find_run(run)
    require_adapter_of(chosen, adapter)
    share = parse_shard(shard, os.environ)
    target = share.fill_in(out)
    if target.is_dir():
        raise ConfigError(f"--out must be a file to write, got the directory {target}")
    rank = find_rank(os.environ)
    if rank is not None and shard == "auto" and target == out:
        raise ConfigError(f"--out must contain {{shard}} for --shard auto, one file per rank, got {out}")
    if rank is not None and share.count == 1:
        typer.echo(f"rank {rank} answers all questions; --shard auto would share them out", err=True)
    inputs = [questions, base, *([adapter] if adapter else [])]
    for path in inputs:
        if not path.exists():
            raise ConfigError(f"questions, base model and adapter must be there, found nothing at {path}")
    job = SamplingJob(
        sampling=described.sampling,
        gen_length=gen_length,
        model_name=f"{described.name}/{run}",
        seed=chosen.seed,
        inputs=[
            *(stored_digest(path) for path in (questions, base)),
            *([tuned_digest(adapter)] if adapter else []),
        ],
        shard=share,
    )
    where = choose_device_of_rank(device, os.environ) if shard == "auto" else device
    model = load_for_sampling(described, base, where, threads, adapter=adapter)
    with lock_output(target):
        run_job(job, model, tokenizer_folder=base, questions=questions, out=target)
        notes = {"shard": str(share)} if share.count > 1 else None
        save_provenance(
            target, described, seed=chosen.seed, inputs=inputs, device=str(model.device), notes=notes
        )


@app.command()
def merge(
    shards: Annotated[list[Path], typer.Argument(help="Records of all shards, in any order.")],
    questions: QuestionsOption,
    out: OutOption,
) -> None:
    """Put the records of several shards together, to the file that one job would have written."""
    from weft.sampling.shards import merge_shards

    count = merge_shards(questions, shards, out)
    merge_provenance(shards, out)
    typer.echo(f"{count} records of {len(shards)} shards -> {out}")


@app.command()
def export(
    base: BaseOption,
    out: OutOption,
    tuned: Annotated[
        Path | None, typer.Option(help="What fine-tuning made: an adapter or a full checkpoint.")
    ] = None,
    form: Annotated[
        Form, typer.Option(help="A whole model, adapter merged, or the adapter under published names.")
    ] = Form.checkpoint,
) -> None:
    """Write a model or an adapter in its published form, for other tools.

    They bring code of their own for the network, or take it from the published repository: Python files
    named in config.json's auto_map must then be put beside the result.
    """
    from weft.model import export_adapter, load_tuned, merge_adapter, save_model
    from weft.model.checkpoint import read_family, stored_dtype
    from weft.model.tokenizer import TOKENIZER_FILES

    inputs = [base, *([tuned] if tuned else [])]
    for source in inputs:
        if out.resolve() in (source.resolve(), *source.resolve().parents):
            raise ConfigError(f"--out must be another directory than what is read, got {out} for {source}")
    family = read_family(base)
    if form is Form.adapter:
        if tuned is None:
            raise ConfigError("--tuned must name the adapter for --form adapter")
        with atomic_directory(out) as folder:
            made = f"adapter of {export_adapter(tuned, folder, family=family)} modules"
    else:
        is_whole = tuned is not None and not (tuned / "adapter_config.json").exists()
        dtype = stored_dtype(tuned if tuned is not None and is_whole else base)
        model = merge_adapter(load_tuned(base, tuned, dtype))
        with atomic_directory(out) as folder:
            save_model(model, folder)
            for name in TOKENIZER_FILES:
                if (base / name).exists():
                    shutil.copyfile(base / name, folder / name)
        made = f"checkpoint of {model.num_parameters():,} parameters in {str(dtype).removeprefix('torch.')}"
    write_provenance(out, settings={"form": form.value}, experiment="", inputs=inputs)
    typer.echo(f"{family}: {made} -> {out}")
