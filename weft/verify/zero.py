"""Training steps of `DiffusionTrainer` under DeepSpeed's ZeRO on all GPUs, for the part ``step``.

`measure_zero` starts a rank for each GPU with ``torch.distributed.run``, which runs this module. Each method
is measured in processes of its own, with the settings, Trainer and DeepSpeed configuration of ``weft train``.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from weft.config.methods import Method
from weft.config.training import Training
from weft.devices.lease import join_lease
from weft.errors import TrainingError, exit_on_error
from weft.records.base import Record
from weft.records.files import read_json, write_json
from weft.training.launch import end_rank, launch_environment
from weft.verify import planned
from weft.verify.planned import Peak
from weft.verify.records import Measurement, Skipped
from weft.verify.sizes import SIZES

NEEDED = ("deepspeed", "datasets")
"""Packages of the Trainer that ``weft verify-gpu`` does without elsewhere."""
LAST_LINES = 5
"""Lines of the output of failed ranks that are reported."""


class ZeroJob(Record):
    """What a rank needs."""

    model_config = ConfigDict(strict=False)  # paths are strings in JSON

    size: str
    """Name of the size."""
    checkpoint: Path | None
    """Checkpoint directory; None for random weights."""
    training: Training
    """Settings of the training."""
    method: Method
    """The method."""
    state: Path
    """Folder of the Trainer, and of the result."""

    @property
    def result(self) -> Path:
        """File that rank 0 writes."""
        return self.state / "result.json"


class ZeroResult(Record):
    """What the ranks measured."""

    seconds: list[float]
    """Time of each optimiser step on rank 0, in seconds."""
    peak_bytes: int | None
    """Largest peak memory of a rank that torch allocated, in bytes; None on a processor."""


def find_missing() -> list[str]:
    """Return the packages that are needed and not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def measure_zero(
    name: str,
    method: Method,
    training: Training,
    config: Any,
    *,
    size: str,
    checkpoint: Path | None,
    num_devices: int,
    device: str,
    threads: int,
    peak: Peak,
) -> Iterator[Measurement | Skipped]:
    """Time the optimiser steps of a method under ZeRO.

    Args:
        name: name of the method.
        method: settings of the method.
        training: settings of the training, with its ZeRO stage.
        config: configuration of the network.
        size: name of the size.
        checkpoint: checkpoint directory; None for random weights.
        num_devices: GPUs to use.
        device: kind of device, cpu or cuda.
        threads: CPU threads of each rank.
        peak: rate of operations for the utilisation.

    Yields:
        Time, speed, utilisation and memory of an optimiser step; or why they were not measured.
    """
    from weft.verify.step import PROMPT_SHARE, describe_speed

    count = training.largest_division(num_devices)
    size_of_step = f"{training.batch_size} x {training.max_length} tokens"
    title = f"{name}, optimiser step of {size_of_step}, ZeRO-{training.zero_stage}, ranks: {count}"
    if missing := find_missing():
        packages = ", ".join(missing)
        yield Skipped(what=title, why=f"{packages} not installed; pip install {' '.join(missing)}")
        return
    with tempfile.TemporaryDirectory() as folder:
        job = ZeroJob(size=size, checkpoint=checkpoint, training=training, method=method, state=Path(folder))
        outcome = run_ranks(job, num_processes=count, device=device, threads=threads)
    if isinstance(outcome, str):
        yield Skipped(what=title, why=f"the ranks failed: {outcome}")
        return
    steps = outcome.seconds[1:]
    length = training.max_length
    operations = planned.step_operations(
        config, training, method, answer_tokens=length - length // PROMPT_SHARE
    )
    yield from describe_speed(
        title,
        sorted(steps)[len(steps) // 2],
        num_tokens=training.batch_size * length,
        operations=training.batch_size / count * operations,
        peak=peak,
    )
    if outcome.peak_bytes is not None:
        expected = planned.step_gib(config, training, num_processes=count)
        yield Measurement(
            subject=title,
            quantity="peak memory",
            value=outcome.peak_bytes / 2**30,
            unit="GiB",
            planned=(expected, expected),
        )


def run_ranks(job: ZeroJob, *, num_processes: int, device: str, threads: int) -> ZeroResult | str:
    """Run the ranks of a job until they end; return the result, or the last lines of what they printed."""
    file = job.state / "job.json"
    write_json(file, job)
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node", str(num_processes), "-m", "weft.verify.zero", str(file)),
    ]
    environment = launch_environment(device=device, threads_per_process=threads)
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode != 0 or not job.result.exists():
        return " / ".join(ended.stderr.strip().splitlines()[-LAST_LINES:])
    return read_json(job.result, ZeroResult)


def train_rank(job: ZeroJob) -> None:
    """Train some optimiser steps on this rank; the first rank writes the result."""
    import torch
    from transformers import IntervalStrategy

    from weft.training.adapters import lora_settings
    from weft.training.callbacks import BufferCallback
    from weft.training.finetune import training_arguments
    from weft.training.trainer import DiffusionTrainer
    from weft.verify.build import build_model
    from weft.verify.step import random_examples

    size, training = SIZES[job.size], job.training
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    arguments = training_arguments(
        training, job.method, job.state, seed=0, num_processes=int(os.environ["WORLD_SIZE"])
    )
    arguments.save_strategy = IntervalStrategy.NO  # nothing resumes, and a checkpoint would take minutes
    model = build_model(size, job.checkpoint, arguments.device)
    config = model.config
    assert training.lora is not None, "the steps are measured with adapters"
    trainer = DiffusionTrainer(
        model=model,
        args=arguments,
        train_dataset=random_examples(
            training.batch_size * size.num_zero_steps, length=training.max_length, config=config
        ),
        processing_class=stand_in_tokenizer(config.mask_token_id, pad_token_id=config.vocab_size - 2),
        method=job.method,
        peft_config=lora_settings(training.lora),
        max_length=training.max_length,
        t_min=training.t_min,
    )
    trainer.add_callback(BufferCallback())
    trainer.train()
    peak_bytes = None
    if arguments.device.type == "cuda":
        peak = torch.tensor(torch.cuda.max_memory_allocated(arguments.device), device=arguments.device)
        peak_bytes = int(trainer.accelerator.gather(peak[None]).max())
    if trainer.is_world_process_zero():
        seconds = [entry["seconds"] for entry in trainer.state.log_history if "seconds" in entry]
        write_json(job.result, ZeroResult(seconds=seconds, peak_bytes=peak_bytes))
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()


def stand_in_tokenizer(mask_token_id: int, *, pad_token_id: int) -> Any:
    """Return a tokenizer with the two tokens that training uses, for examples that are tokenized already."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = {"<mask>": mask_token_id, "<pad>": pad_token_id}
    model = Tokenizer(WordLevel(words, unk_token="<pad>"))  # noqa: S106 - a token of text
    return PreTrainedTokenizerFast(tokenizer_object=model, mask_token="<mask>", pad_token="<pad>")  # noqa: S106


def main() -> None:
    """Read the job file that is given on the command line, and train."""
    join_lease()
    with exit_on_error():
        train_rank(
            read_json(Path(sys.argv[1]), ZeroJob, error=TrainingError, remedy="start the command again")
        )
    end_rank()


if __name__ == "__main__":
    main()
