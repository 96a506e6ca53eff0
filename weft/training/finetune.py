"""Fine-tune a base model with the settings of a method, either with adapters or all parameters."""

import os
import shutil
import time
from pathlib import Path

import datasets
import torch
from transformers import TrainingArguments, set_seed

from weft.config.methods import Method
from weft.config.training import Training
from weft.layout import HISTORY_FILE, TIMING_FILE
from weft.model import load_model, load_tokenizer
from weft.model.checkpoint import read_family
from weft.provenance import write_provenance
from weft.records.files import atomic_directory, write_json, write_lines
from weft.sharing.card import write_run_card
from weft.sharing.facts import describe_run
from weft.training.adapters import lora_settings
from weft.training.callbacks import BufferCallback, DigestCallback, history_rows, timing_summary
from weft.training.deepspeed import deepspeed_settings
from weft.training.job import TrainingJob
from weft.training.kept import kept_result, place_result
from weft.training.saving import save_trained
from weft.training.snapshots import SnapshotCallback, copy_snapshots
from weft.training.trackers import add_tracker
from weft.training.trainer import DiffusionTrainer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def finetune(job: TrainingJob) -> None:
    """Train an adapter or a whole model. Every rank calls this function; the first rank writes the result.

    Args:
        job: the job.

    Raises:
        TrainingError: the loss is not finite.
        CheckpointError: the base model cannot be loaded.
    """
    training, run = job.experiment.training, job.run
    method = job.experiment.methods[run.method]
    num_processes = int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    seed = run.seed if run.seed is not None else 0
    set_seed(seed)
    arguments = training_arguments(
        training, method, job.state, seed=seed, num_processes=num_processes, num_workers=job.num_workers
    )
    began = time.perf_counter()
    trainer = build_trainer(job, arguments, seed=seed)
    setup_seconds = time.perf_counter() - began
    trainer.add_callback(BufferCallback())
    add_tracker(trainer, job)
    if (curve := job.experiment.learning_curve) is not None:
        trainer.add_callback(SnapshotCallback(trainer, job.state, curve))
    trainer.add_callback(DigestCallback(trainer.accelerator, job.state))  # after the snapshots
    trainer.train(resume_from_checkpoint=None if job.resume_from is None else str(job.resume_from))
    tensors = trainer.accelerator.get_state_dict(trainer.model_wrapped)  # all ranks gather their parts
    if trainer.is_world_process_zero():
        log = trainer.state.log_history
        timing = timing_summary(
            log, num_processes=num_processes, device=arguments.device.type, setup_seconds=setup_seconds
        )
        result = kept_result(job.out, job.key)
        with atomic_directory(result) as folder:
            _save(trainer, tensors, job.base, folder)
            write_run_card(folder, describe_run(job.experiment, run, job.base), family=read_family(job.base))
            copy_snapshots(job.state, folder)
            write_lines(folder / HISTORY_FILE, history_rows(log))
            write_json(folder / TIMING_FILE, timing)
        write_provenance(
            result,
            settings=job.experiment.model_dump(mode="json"),
            experiment=job.experiment.name,
            seed=run.seed,
            inputs=[job.base, job.prepared],
            device=job.device,
            notes={"run": run.run_id},
        )
        place_result(job.out, job.key)
    # Torch requires that all ranks close their communication together.
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()


def build_trainer(job: TrainingJob, arguments: TrainingArguments, *, seed: int) -> DiffusionTrainer:
    """Load base model and examples, and return the trainer, ready to train."""
    training, method = job.experiment.training, job.experiment.methods[job.run.method]
    assert arguments.data_seed == seed, "the arguments are those of the run"
    model = load_model(job.base, DTYPES[training.dtype])
    return DiffusionTrainer(
        model=model,
        args=arguments,
        train_dataset=datasets.load_from_disk(str(job.prepared)),
        processing_class=load_tokenizer(job.base, mask_token_id=model.config.mask_token_id),
        method=method,
        peft_config=None if training.lora is None else lora_settings(training.lora),
        max_length=training.max_length,
        t_min=training.t_min,
        frozen_probe=job.frozen_probe,
    )


def training_arguments(
    training: Training,
    method: Method,
    state: Path,
    *,
    seed: int,
    num_processes: int,
    num_workers: int = 0,
) -> TrainingArguments:
    """Return the Trainer's arguments for the training settings of an experiment and a method of it."""
    training = method.adapt(training)
    settings = deepspeed_settings(training, num_processes=num_processes)
    return TrainingArguments(
        output_dir=str(state),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.micro_batch_size,
        gradient_accumulation_steps=training.accumulation_steps(num_processes),
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.lr_scheduler,
        warmup_steps=training.warmup_steps,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=settings["bf16"]["enabled"],
        activation_checkpointing=training.gradient_checkpointing,
        deepspeed=settings,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_steps=training.save_every,
        seed=seed,
        data_seed=seed,
        use_cpu=os.environ.get("DS_ACCELERATOR") == "cpu",
        dataloader_num_workers=num_workers,
        remove_unused_columns=False,
        report_to=[],
    )


def _save(trainer: DiffusionTrainer, tensors: dict[str, torch.Tensor], base: Path, out: Path) -> None:
    """Write the adapter, or the model with the other files of its base model."""
    save_trained(trainer, tensors, out)
    if (out / "config.json").exists():
        for file in base.glob("*"):
            if file.is_file() and not (file.name == "config.json" or ".safetensors" in file.name):
                shutil.copyfile(file, out / file.name)
