"""The configuration, the launch command and the environment of DeepSpeed."""

import base64
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import distributed

from weft.config.training import Training
from weft.training.environment import extensions_folder


def deepspeed_settings(training: Training, *, num_processes: int) -> dict[str, Any]:
    """Return the configuration of DeepSpeed as JSON; no value is ``auto``."""
    zero: dict[str, Any] = {"stage": training.zero_stage}
    if training.zero_stage > 0:
        zero["offload_optimizer"] = {"device": "cpu" if training.offload_optimizer else "none"}
    if training.zero_stage == 3:
        zero["stage3_gather_16bit_weights_on_model_save"] = True  # otherwise only shards are saved
        zero["offload_param"] = {"device": "cpu" if training.offload_parameters else "none"}
    return {
        "train_batch_size": training.batch_size,
        "train_micro_batch_size_per_gpu": training.micro_batch_size,
        "gradient_accumulation_steps": training.accumulation_steps(num_processes),
        "gradient_clipping": training.max_grad_norm,
        # With this option DeepSpeed would round adapters to bf16; without it they stay in fp32. If all
        # parameters are trained, the option is safe, because DeepSpeed keeps copies of them in fp32.
        "bf16": {"enabled": training.dtype == "bfloat16" and training.lora is None},
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,  # torch's AdamW, as in d1
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 2**31,
    }


def launch_arguments(job_file: Path, *, num_processes: int) -> list[str]:
    """Return the launcher's arguments that run `weft.training.rank` with a job file on several ranks."""
    machines = json.dumps({"localhost": _devices(num_processes)}).encode()
    return [
        "--world_info", base64.urlsafe_b64encode(machines).decode(),
        "--master_addr", "127.0.0.1",
        "--master_port", str(free_port()),
        "--no_local_rank",
        "--module", "weft.training.rank",
        str(job_file),
    ]  # fmt: skip


def _devices(num_processes: int) -> list[int]:
    """Return the numbers of the GPUs of the ranks, which are the first visible ones."""
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    visible = [int(name) for name in names if name.strip().isdigit()]
    return visible[:num_processes] if len(visible) >= num_processes else list(range(num_processes))


def run_launcher(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run DeepSpeed's launcher for one machine in this process, until all ranks have ended.

    A signal to this process therefore reaches the launcher, which ends the ranks. If a rank fails, the
    process exits with its code.
    """
    os.environ.update(environment)  # before DeepSpeed is imported: it reads DS_ACCELERATOR
    from deepspeed.launcher import launch

    sys.argv = ["deepspeed", *arguments]
    launch.main()


def launch_environment(*, device: str, threads_per_process: int) -> dict[str, str]:
    """Return the environment of the ranks: that of this process with variables for DeepSpeed and torch."""
    settings = {"OMP_NUM_THREADS": str(threads_per_process), "TOKENIZERS_PARALLELISM": "false"}
    if device == "cpu":
        settings |= {"DS_ACCELERATOR": "cpu", "TORCH_EXTENSIONS_DIR": str(extensions_folder())}
        # DeepSpeed imports an optimiser, Muon, which would load torch's compiler for its kernels.
        settings["TORCHDYNAMO_DISABLE"] = "1"
    return os.environ | settings


def unlink_shared_buffer() -> None:
    """Remove the name of this rank's communication buffer, if it has one, once all ranks have opened it.

    DeepSpeed's communication between CPU ranks creates a file of 66 MB per rank in ``/dev/shm`` and never
    removes it (deepspeedai/DeepSpeed#4115). Once the name is removed, the system frees the memory when the
    last process that uses it ends, even after ``kill -9``.
    """
    if not distributed.is_initialized():
        return
    distributed.barrier()  # before it, another rank may not have opened the buffer yet
    rank, address, port = (os.environ[name] for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"))
    # The name is built by shm_initialize() in csrc/cpu/comm/shm.cpp of DeepSpeed 0.19.
    name = f"deepspeed_allreduce_buffer_{os.getuid()}_{address}_{port}_{rank}"
    (Path("/dev/shm") / name).unlink(missing_ok=True)  # noqa: S108 - where shm_open() keeps its files


def free_port() -> int:
    """Return an unused port, so that several trainings can run on one machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
