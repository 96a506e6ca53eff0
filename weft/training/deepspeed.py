"""The configuration of DeepSpeed, and what its ranks need and leave behind."""

import os
from pathlib import Path
from typing import Any

from torch import distributed

from weft.config.training import Training


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


def pickle_stage_by_value() -> None:
    """Let DeepSpeed's checkpoints name the stage of ZeRO by its number.

    Python 3.11.0 to 3.11.3 pickle a member of an enumeration as a call of `getattr`, which
    `weft.training.checkpoints` refuses in a checkpoint, because with `getattr` a file could run code. Later
    versions of Python pickle it in the way that is set here.
    """
    from deepspeed.runtime.zero.config import ZeroStageEnum

    def reduce(member: Any, _protocol: int) -> tuple[type, tuple[int]]:
        return type(member), (member.value,)

    ZeroStageEnum.__reduce_ex__ = reduce
