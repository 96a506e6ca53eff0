"""``weft pretrain``, ``train``, ``probe``, ``gradients``: what changes or examines parameters."""

import json
import os
import shutil
import sys
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
    choose_device,
    load_fine_tuning,
    load_on_device,
    lock_output,
    make_state_folder,
    save_provenance,
)
from weft.config.sources import ScratchModel
from weft.errors import ConfigError
from weft.provenance import digest, file_sha256
from weft.records.files import atomic_directory, atomic_file

PreparedOption = Annotated[Path, typer.Option(help="Prepared examples.")]

RANK_MARK = "WEFT_TRAINING_KEY"
"""Environment variable by which the launcher tells a rank that it is one, and for which settings."""

PROBE_MARK = "WEFT_PROBE_KEY"
"""Environment variable with the name under which the base model's uncertainties are kept."""


@app.command()
def pretrain(experiment: ExperimentOption, out: OutOption, threads: ThreadsOption = 2) -> None:
    """Train the base model of an experiment from scratch."""
    from weft.training.pretrain import pretrain as run_pretraining

    described = load_fine_tuning(experiment)
    if not isinstance(described.base_model, ScratchModel):
        raise ConfigError(
            f"base_model.source must be 'scratch' to train it, got {described.base_model.source!r}"
        )
    os.environ["OMP_NUM_THREADS"] = str(threads)
    state = make_state_folder(out, digest(described.base_model.recipe.model_dump(mode="json")))
    with lock_output(out), atomic_directory(out) as folder:
        log = run_pretraining(described.base_model.recipe, folder, state=state)
        notes = {"recipe": described.base_model.recipe.model_dump(mode="json"), "log": log}
        (folder / "pretraining.json").write_text(json.dumps(notes, indent=1) + "\n")
    save_provenance(out, described, seed=described.base_model.recipe.seed, notes=notes)
    shutil.rmtree(state)


@app.command()
def train(
    experiment: ExperimentOption,
    run: Annotated[str, typer.Option(help="Which run, for example weft-s1k-seed1.")],
    base: BaseOption,
    prepared: PreparedOption,
    out: OutOption,
    processes: Annotated[int, typer.Option(min=1, help="DeepSpeed ranks on this machine.")] = 1,
    threads: ThreadsOption = 1,
    workers: Annotated[int, typer.Option(min=0, help="Processes that load examples, per rank.")] = 0,
    device: DeviceOption = "auto",
) -> None:
    """Fine-tune one model.  Starts the ranks through DeepSpeed's launcher, unless it is a rank itself."""
    described = load_fine_tuning(experiment)
    chosen = described.find_run(run)
    if RANK_MARK not in os.environ:
        from weft.training.deepspeed import accumulation_steps, launch_command, launch_environment

        try:
            accumulation_steps(described.training, num_processes=processes)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        files = ["--base", str(base), "--prepared", str(prepared), "--out", str(out)]
        arguments = ["train", "--experiment", experiment, "--run", run, "--workers", str(workers), *files]
        command = launch_command(arguments, num_processes=processes)
        environment = launch_environment(device=choose_device(device), threads_per_process=threads)
        # A checkpoint may be resumed only under the settings, inputs and number of ranks that made it.
        method, training = described.methods[chosen.method], described.training
        inputs = [file_sha256(base), file_sha256(prepared)]
        settings = [training.model_dump(mode="json"), method.model_dump(mode="json")]
        environment[RANK_MARK] = digest([*settings, *inputs, processes])
        # The base model's uncertainties depend on less, so that methods and seeds share them.
        asked = {
            name: getattr(method, name) for name in ("rate_source", "padding_probed", "padding_reference")
        }
        environment[PROBE_MARK] = digest([*inputs, training.max_length, training.dtype, asked])
        os.execvpe(command[0], command, environment)  # noqa: S606 - no shell; signals reach the launcher directly
    from weft.training.finetune import FineTuningFiles, finetune

    is_first = os.environ["RANK"] == "0"
    state = make_state_folder(out, os.environ[RANK_MARK], clear=is_first)
    growing = out.with_name(f".{out.name}.new")

    def finish() -> None:
        if out.exists():
            shutil.rmtree(out)
        growing.replace(out)
        save_provenance(out, described, seed=chosen.seed, inputs=[base, prepared], notes={"run": run})

    with lock_output(out, wanted=is_first):
        finetune(
            described,
            chosen,
            FineTuningFiles(
                base=base,
                prepared=prepared,
                out=growing,
                state=state,
                frozen_probe=out.parent / ".probes" / f"{os.environ[PROBE_MARK]}.safetensors",
            ),
            num_workers=workers,
            finish=finish,
        )
        if is_first:
            shutil.rmtree(state, ignore_errors=True)
    # All is written.  Under ZeRO-3 the interpreter's own way out aborts now and then, in the destructor of a
    # thread, and DeepSpeed's launcher would call the training failed.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


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
    frame = probe_table(
        model,
        tokenizer,
        prepared,
        max_length=described.training.max_length,
        batch_size=described.training.micro_batch_size,
    )
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
    """Compare the methods' gradients at the base model: whose they are, and how much they vary."""
    import datasets

    from weft.data.collate import PadToLength, move_to_device
    from weft.model import load_tokenizer
    from weft.training.gradients import study_gradients

    described = load_fine_tuning(experiment)
    study, training = described.gradient_study, described.training
    if study is None:
        raise ConfigError("gradient_study must be in the experiment for this step, it is not there")
    model = load_on_device(base, "float32", device, threads)
    tokenizer = load_tokenizer(base, mask_token_id=model.config.mask_token_id)
    examples = list(datasets.load_from_disk(str(prepared)).take(study.num_examples))
    batch = PadToLength(max_length=training.max_length, pad_token_id=tokenizer.pad_token_id)(examples)
    frame = study_gradients(
        model,
        move_to_device(batch, model.device),
        described.methods,
        study,
        target_modules=None if training.lora is None else training.lora.target_modules,
        t_min=training.t_min,
        mask_token_id=tokenizer.mask_token_id,
    )
    with atomic_file(out) as temporary:
        frame.to_parquet(temporary, index=False)
    save_provenance(out, described, seed=study.seed, inputs=[base, prepared], device=str(model.device))
