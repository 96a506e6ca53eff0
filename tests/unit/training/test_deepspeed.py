"""DeepSpeed's settings, and what its ranks leave behind."""

import subprocess
import sys

import pytest

from tests.support.ports import free_port
from weft.config import load_experiment
from weft.training.deepspeed import deepspeed_settings, unlink_shared_buffer
from weft.training.launch import launch_environment


@pytest.fixture
def training():
    """Settings whose batch is two micro-batches."""
    training = load_experiment("experiments/tiny.yaml").training
    return training.model_copy(update={"batch_size": 2 * training.micro_batch_size})


@pytest.mark.parametrize(("processes", "steps"), [(1, 2), (2, 1)])
def test_the_global_batch_does_not_depend_on_the_processes(training, processes, steps):
    settings = deepspeed_settings(training, num_processes=processes)
    assert settings["gradient_accumulation_steps"] == steps
    assert settings["train_batch_size"] == training.batch_size
    assert settings["zero_optimization"]["stage"] == 2


RANK = """
import os
import deepspeed
import torch
from pathlib import Path
from weft.training.deepspeed import unlink_shared_buffer

def buffers():
    return list(Path("/dev/shm").glob(f"deepspeed_allreduce_buffer_*_{os.environ['MASTER_PORT']}_*"))

deepspeed.init_distributed("gloo")
torch.distributed.barrier()
before = len(buffers())
torch.distributed.barrier()
unlink_shared_buffer()
torch.distributed.barrier()
total = torch.full((1000,), 1.0 + int(os.environ["RANK"]))
deepspeed.comm.inference_all_reduce(total)  # through the buffers
print("SEEN", before, len(buffers()), total.unique().tolist())
torch.distributed.barrier()
torch.distributed.destroy_process_group()
"""


def test_the_buffers_of_ranks_lose_their_names_and_go_on_working():
    common = launch_environment(device="cpu", threads_per_process=1)
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": "2"}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_SIZE": "2"},
        )
        for rank in range(2)
    ]  # fmt: skip
    for out, errors in [rank.communicate(timeout=900) for rank in ranks]:
        assert "SEEN 2 0 [3.0]" in out, out + errors


def test_unlinking_the_buffer_outside_a_rank_does_nothing(monkeypatch):
    monkeypatch.delenv("MASTER_PORT", raising=False)
    unlink_shared_buffer()
