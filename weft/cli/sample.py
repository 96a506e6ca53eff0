"""``weft sample`` and ``export``: what a trained model is used for."""

import shutil
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from weft.cli.shared import (
    DeviceOption,
    ExperimentOption,
    OutOption,
    ThreadsOption,
    app,
    find_run,
    fine_tuning,
    finished_directory,
    load,
    only_writer,
    record,
)
from weft.config import (
    BASE_RUN,
)
from weft.errors import ConfigError
from weft.provenance import digest, file_sha256, write_sidecar


class Form(StrEnum):
    """What ``weft export`` writes."""

    checkpoint = "checkpoint"
    adapter = "adapter"


@app.command()
def sample(
    experiment: ExperimentOption,
    run: Annotated[str, typer.Option(help="Which run, or 'base'.")],
    questions: Annotated[Path, typer.Option(help="Test questions.")],
    gen_length: Annotated[int, typer.Option(help="Length of the answers, in tokens.")],
    base: Annotated[Path, typer.Option(help="Checkpoint directory of the base model.")],
    out: OutOption,
    adapter: Annotated[
        Path | None,
        typer.Option(help="What the run made: a PEFT adapter, or the directory of a full checkpoint."),
    ] = None,
    threads: ThreadsOption = 1,
    device: DeviceOption = "auto",
) -> None:
    """Answer the questions of one benchmark; an interrupted job goes on where it stopped."""
    from weft.sampling.job import SamplingJob, run_job

    described = fine_tuning(experiment)
    chosen = find_run(described, run)
    if (adapter is None) != (chosen.method == BASE_RUN):
        raise ConfigError(f"--adapter must be given for a fine-tuned run and only then; run is {run!r}")
    model = load(base, described.sampling.dtype, device, threads, adapter=adapter)
    content = [
        described.sampling.model_dump(mode="json"),
        gen_length,
        file_sha256(questions),
        file_sha256(base),
    ]
    job = SamplingJob(
        sampling=described.sampling,
        gen_length=gen_length,
        model_name=f"{described.name}/{run}",
        seed=chosen.seed,
        digest=digest([*content, file_sha256(adapter) if adapter else None]),
    )
    with only_writer(out):
        run_job(job, model, tokenizer_folder=base, questions=questions, out=out)
    inputs = [questions, base] + ([adapter] if adapter else [])
    record(out, described, seed=chosen.seed, inputs=inputs, device=str(model.device))


@app.command()
def export(
    base: Annotated[Path, typer.Option(help="Checkpoint directory of the base model.")],
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
        with finished_directory(out) as folder:
            made = f"adapter of {export_adapter(tuned, folder, family=family)} modules"
    else:
        is_whole = tuned is not None and not (tuned / "adapter_config.json").exists()
        dtype = stored_dtype(tuned if tuned is not None and is_whole else base)
        model = merge_adapter(load_tuned(base, tuned, dtype))
        with finished_directory(out) as folder:
            save_model(model, folder)
            for name in TOKENIZER_FILES:
                if (base / name).exists():
                    shutil.copyfile(base / name, folder / name)
        made = f"checkpoint of {model.num_parameters():,} parameters in {str(dtype).removeprefix('torch.')}"
    write_sidecar(out, settings={"form": form.value}, experiment="", inputs=inputs)
    typer.echo(f"{family}: {made} -> {out}")
