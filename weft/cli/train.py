"""``weft pretrain``, ``train``, ``probe`` and ``gradients``: train models and examine their gradients."""

import os
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
    load_on_device,
    save_provenance,
    show_log,
)
from weft.config.settings import Tracker
from weft.devices.choice import choose_device
from weft.errors import ConfigError
from weft.records.files import atomic_file

PreparedOption = Annotated[Path, typer.Option(help="Prepared examples.")]


@app.command()
def pretrain(
    experiment: ExperimentOption, out: OutOption, threads: ThreadsOption = 2, device: DeviceOption = "auto"
) -> None:
    """Train the base model of an experiment from scratch."""
    from weft.training.pretrain import pretrain_base

    pretrain_base(load_fine_tuning(experiment), out, threads=threads, device=choose_device(device))


@app.command()
def train(
    experiment: ExperimentOption,
    run: Annotated[str, typer.Option(help="Name of the run, for example weft-s1k-seed1.")],
    base: BaseOption,
    prepared: PreparedOption,
    out: OutOption,
    processes: Annotated[int, typer.Option(min=1, help="DeepSpeed ranks on each machine.")] = 1,
    threads: ThreadsOption = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that load examples, per rank.")] = 0,
    report_to: Annotated[Tracker, typer.Option(help="Tracker that shows the progress.")] = "none",
    device: DeviceOption = "auto",
    nodes: Annotated[int, typer.Option(min=1, help="Machines; run the command once on each.")] = 1,
    node_rank: Annotated[
        int, typer.Option(envvar="SLURM_NODEID", help="Number of this machine, from 0.")
    ] = 0,
    rendezvous: Annotated[str, typer.Option(help="HOST:PORT of machine 0; under Slurm it is found.")] = "",
) -> None:
    """Fine-tune a model on ranks that are started by PyTorch's launcher, on one or several machines."""
    from weft.data.context import read_context, require_lengths_within
    from weft.training.job import launch_training, require_tracker
    from weft.training.launch import Nodes, find_slurm_rendezvous

    show_log()
    if nodes > 1:
        machines = Nodes(nodes, node_rank, rendezvous or find_slurm_rendezvous(os.environ))
    else:
        machines = Nodes()
    require_tracker(report_to)
    described = load_fine_tuning(experiment)
    context = read_context(base)
    if context is not None:
        require_lengths_within(described, context, source=base)
    launch_training(
        described,
        described.find_run(run),
        base=base,
        prepared=prepared,
        out=out,
        num_processes=processes,
        num_workers=workers,
        threads=threads,
        device=choose_device(device, count=processes),
        report_to=report_to,
        nodes=machines,
    )


@app.command()
def probe(
    experiment: ExperimentOption,
    base: BaseOption,
    prepared: PreparedOption,
    out: OutOption,
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Write the entropy of every answer token of a training set under the base model."""
    from weft.model import load_tokenizer
    from weft.training.probe_table import probe_table

    described = load_fine_tuning(experiment)
    model = load_on_device(base, described.training.dtype, device, threads)
    tokenizer = load_tokenizer(base, mask_token_id=model.config.mask_token_id)
    frame = probe_table(model, tokenizer, prepared, described.training)
    with atomic_file(out) as temporary:
        frame.to_parquet(temporary, index=False)
    save_provenance(out, described, inputs=[base, prepared], device=str(model.device))


@app.command()
def gradients(
    experiment: ExperimentOption,
    base: BaseOption,
    prepared: PreparedOption,
    out: OutOption,
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Compare the methods' gradients at the base model: shares by token uncertainty, and variance."""
    import datasets

    from weft.data.collate import PadToLength, move_to_device
    from weft.model import load_tokenizer
    from weft.training.gradients import study_gradients

    described = load_fine_tuning(experiment)
    study, training = described.gradient_study, described.training
    if study is None:
        raise ConfigError("gradient_study must be set in the experiment for this step, got null")
    model = load_on_device(base, "float32", device, threads)
    tokenizer = load_tokenizer(base, mask_token_id=model.config.mask_token_id)
    examples = list(datasets.load_from_disk(str(prepared)).take(study.num_examples))
    batch = PadToLength(max_length=training.max_length, pad_token_id=tokenizer.pad_token_id)(examples)
    batch = move_to_device(batch, model.device)
    mask_token_id = tokenizer.mask_token_id
    frame = study_gradients(model, batch, described.methods, study, training, mask_token_id=mask_token_id)
    with atomic_file(out) as temporary:
        frame.to_parquet(temporary, index=False)
    save_provenance(out, described, seed=study.seed, inputs=[base, prepared], device=str(model.device))
