"""Fine-tune a base model with LoRA under a method's settings: what one rank does."""

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import torch
from peft import LoraConfig, get_peft_model
from transformers import TrainingArguments, set_seed

from weft.config.experiment import FineTuning, Run, Training
from weft.config.methods import Method
from weft.data.collate import PadToLength
from weft.model import load_model, load_tokenizer
from weft.training.callbacks import HistoryCallback, history_rows, timing_summary
from weft.training.deepspeed import accumulation_steps, deepspeed_settings
from weft.training.resume import latest_checkpoint
from weft.training.trainer import DiffusionTrainer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, kw_only=True)
class FineTuningFiles:
    """Where a training run reads and writes.

    Attributes:
        base: checkpoint directory of the base model.
        prepared: prepared examples, an Arrow data set.
        out: directory of the adapter, its history and timing.
        state: directory of the checkpoints for resuming; kept apart from ``out``, since Snakemake
            deletes the outputs of an interrupted job.
    """

    base: Path
    prepared: Path
    out: Path
    state: Path


def finetune(experiment: FineTuning, run: Run, files: FineTuningFiles, *, finish: Callable[[], None]) -> None:
    """Train one adapter; called on every rank.

    Args:
        experiment: the checked experiment.
        run: method, data set and seed.
        files: where to read and write.
        finish: called by the first rank once adapter, history and timing are written.

    Raises:
        TrainingError: the loss is not finite.
        CheckpointError: the base model cannot be loaded.
    """
    training = experiment.training
    num_processes = int(os.environ.get("WORLD_SIZE", "1"))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    seed = run.seed if run.seed is not None else 0
    set_seed(seed)
    arguments = training_arguments(training, files.state, seed=seed, num_processes=num_processes)
    trainer = build_trainer(experiment.methods[run.method], training, files, arguments, seed=seed)
    history = HistoryCallback()
    history.trainer = trainer
    trainer.add_callback(history)
    trainer.train(resume_from_checkpoint=latest_checkpoint(files.state))
    if trainer.is_world_process_zero():
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(files.out, safe_serialization=True)
        log = trainer.state.log_history
        timing = timing_summary(log, num_processes=num_processes, device=arguments.device.type)
        _write_lines(files.out / "history.jsonl", history_rows(log))
        (files.out / "timing.json").write_text(json.dumps(timing, indent=1) + "\n")
        finish()


def build_trainer(
    method: Method,
    training: Training,
    files: FineTuningFiles,
    arguments: TrainingArguments,
    *,
    seed: int,
) -> DiffusionTrainer:
    """Put base model, adapters and data into the trainer."""
    model = load_model(files.base, DTYPES[training.dtype])
    tokenizer = load_tokenizer(files.base, mask_token_id=model.config.mask_token_id)
    lora = LoraConfig(
        r=training.lora.rank,
        lora_alpha=training.lora.alpha,
        lora_dropout=training.lora.dropout,
        target_modules=list(training.lora.target_modules),
        bias="none",
    )
    with warnings.catch_warnings():
        # PEFT looks for a public name of the base model; ours is a directory.
        warnings.simplefilter("ignore", UserWarning)
        adapted = get_peft_model(model, lora)
    if training.gradient_checkpointing:
        adapted.enable_input_require_grads()
    return DiffusionTrainer(
        model=adapted,
        args=arguments,
        train_dataset=datasets.load_from_disk(str(files.prepared)),
        data_collator=PadToLength(max_length=training.max_length, pad_token_id=tokenizer.pad_token_id),
        method=method,
        t_min=training.t_min,
        mask_token_id=tokenizer.mask_token_id,
        corruption_seed=seed,
    )


def training_arguments(
    training: Training, state: Path, *, seed: int, num_processes: int
) -> TrainingArguments:
    """Translate the training section to the Trainer's arguments."""
    return TrainingArguments(
        output_dir=str(state),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.micro_batch_size,
        gradient_accumulation_steps=accumulation_steps(training, num_processes=num_processes),
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.lr_scheduler,
        warmup_steps=training.warmup_steps,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=training.dtype == "bfloat16",
        activation_checkpointing=training.gradient_checkpointing,
        deepspeed=deepspeed_settings(training, num_processes=num_processes),
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_steps=training.save_every,
        save_total_limit=1,
        seed=seed,
        data_seed=seed,
        use_cpu=os.environ.get("DS_ACCELERATOR") == "cpu",
        remove_unused_columns=False,
        report_to=[],
    )


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
