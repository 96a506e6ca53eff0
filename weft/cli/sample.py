"""``weft sample`` and ``weft merge``: answer test questions, and merge the answers of several jobs."""

import functools
import itertools
import os
import re
from collections.abc import Sequence
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
    load_for_sampling,
    load_sampled,
    require_adapter_of,
    save_provenance,
    show_log,
)
from weft.devices.choice import device_kind
from weft.errors import ConfigError
from weft.provenance import has_provenance, merge_provenance, require_same_answers, stored_digest
from weft.records.files import lock_output


@app.command()
def sample(
    experiment: ExperimentOption,
    run: Annotated[str, typer.Option(help="Name of the run, or 'base'.")],
    questions: Annotated[
        list[Path], typer.Option(help="Test questions; may be given several times, for several benchmarks.")
    ],
    gen_length: Annotated[
        list[int], typer.Option(help="Length of the answers, in tokens; may be given several times.")
    ],
    base: BaseOption,
    out: Annotated[
        Path,
        typer.Option(
            help="File to write. {benchmark} is replaced by the name of the file of questions, {gen_length} "
            "by the length, {shard} and {shards} by the numbers of --shard."
        ),
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
    """Answer the questions of one or more benchmarks. An interrupted job continues where it stopped."""
    from weft.model import finetuned_digest
    from weft.sampling.files import prompts_digest
    from weft.sampling.job import SamplingJob, require_room, run_job
    from weft.sampling.shards import find_rank, parse_shard

    show_log()
    described = load_sampled(experiment)
    chosen = described.find_run(run)
    require_adapter_of(described, chosen, adapter)
    part = parse_shard(shard, os.environ)
    rank = find_rank(os.environ)
    if rank is not None and shard == "auto" and part.fill_in(out) == out:
        raise ConfigError(f"--out must contain {{shard}} with --shard auto, for a file per rank, got {out}")
    if rank is not None and part.count == 1:
        typer.echo(f"rank {rank} answers all questions; --shard auto would divide them among ranks", err=True)
    model_files = [base, *([adapter] if adapter else [])]
    for path in [*questions, *model_files]:
        if not path.exists():
            raise ConfigError(f"questions, base model and adapter must exist, got {path}; check the path")
    padded = described.sampling.attend_padding
    forms = {file: prompts_digest(file, attend_padding=padded) for file in questions}  # checks all questions
    targets = _name_outputs(part.fill_in(out), questions, gen_length)
    model_digests = [stored_digest(base), *map(finetuned_digest, model_files[1:])]
    jobs = {
        target: SamplingJob(
            sampling=described.sampling,
            gen_length=length,
            model_name=f"{described.name}/{run}",
            seed=chosen.seed,
            inputs=[forms[file], *model_digests],
            shard=part,
            special_tokens=described.special_tokens,
        )
        for target, (file, length) in targets.items()
    }
    require_room({target: (job, targets[target][0]) for target, job in jobs.items()}, base)
    load = functools.cache(lambda: load_for_sampling(described, base, device, threads, adapter=adapter))
    notes = {"run": run, **({"shard": str(part)} if part.count > 1 else {})}
    for target, job in jobs.items():
        file = targets[target][0]
        inputs = [file, *model_files]
        with lock_output(target):
            run_job(job, load, tokenizer_folder=base, questions=file, out=target)
            if not has_provenance(target, inputs=inputs):
                is_loaded = bool(load.cache_info().currsize)
                if not is_loaded:
                    require_same_answers(target, described.model_dump(mode="json"), inputs=inputs)
                used = str(load().device) if is_loaded else device_kind(device)
                save_provenance(target, described, seed=chosen.seed, inputs=inputs, device=used, notes=notes)


def _name_outputs(
    out: Path, questions: Sequence[Path], gen_lengths: Sequence[int]
) -> dict[Path, tuple[Path, int]]:
    """Return the file of questions and the length of each output, by the name of the output."""
    if len(set(gen_lengths)) < len(gen_lengths):
        raise ConfigError(f"every --gen-length must be given once, got {' '.join(map(str, gen_lengths))}")
    targets: dict[Path, tuple[Path, int]] = {}
    for file, length in itertools.product(questions, gen_lengths):
        target = Path(str(out).replace("{benchmark}", file.stem).replace("{gen_length}", str(length)))
        if unknown := re.search(r"\{\w*\}", target.name):
            raise ConfigError(
                "--out may contain the fields {benchmark}, {gen_length}, {shard} and {shards}, "
                f"got {unknown[0]} in {out}"
            )
        if target in targets:
            raise ConfigError(
                "--out must contain {benchmark} for several files of questions, whose names must differ, and "
                f"{{gen_length}} for several lengths, got {out}, which gives {target} twice"
            )
        if target.is_dir():
            raise ConfigError(f"--out must be a file, got the directory {target}")
        if target.exists() and any(target.samefile(read) for read in questions):
            raise ConfigError(f"--out must not be a file of questions, got {target}; choose another path")
        targets[target] = file, length
    return targets


@app.command()
def merge(
    shards: Annotated[list[Path], typer.Argument(help="Answer files of all shards, in any order.")],
    questions: Annotated[Path, typer.Option(help="Test questions.")],
    out: OutOption,
) -> None:
    """Merge the answers of several shards into the file that a single job would have written."""
    from weft.sampling.shards import merge_shards

    count = merge_shards(questions, shards, out)
    merge_provenance(shards, out)
    typer.echo(f"{count} answers of {len(shards)} shards -> {out}")
