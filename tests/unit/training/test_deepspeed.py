"""DeepSpeed's settings and launch, and what its ranks leave behind."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from weft.config import load_experiment
from weft.training.deepspeed import (
    deepspeed_settings,
    free_port,
    launch_arguments,
    launch_environment,
    unlink_shared_buffer,
)


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


def devices(arguments):
    return json.loads(base64.urlsafe_b64decode(arguments[arguments.index("--world_info") + 1]))


def test_the_launcher_starts_the_ranks_of_a_job(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    arguments = launch_arguments(Path("state/job.json"), num_processes=2)
    assert arguments[-3:] == ["--module", "weft.training.rank", "state/job.json"]
    assert devices(arguments) == {"localhost": [0, 1]}


@pytest.mark.parametrize(("visible", "used"), [("2,3", [2]), ("7", [7]), ("", [0]), ("MIG-1", [0])])
def test_only_visible_devices_are_used(monkeypatch, visible, used):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices(launch_arguments(Path("job.json"), num_processes=1)) == {"localhost": used}


ENDING_RANK = """
import os, sys
print("rank", os.environ["RANK"], os.environ["WORLD_SIZE"])
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize("code", [0, 3])
def test_the_launcher_runs_in_this_process_and_passes_on_a_failure(tmp_path, code):
    (tmp_path / "ending_rank.py").write_text(ENDING_RANK)
    arguments = [*launch_arguments(Path("job.json"), num_processes=1)[:-2], "ending_rank", str(code)]
    process = (
        "from weft.training.deepspeed import launch_environment, run_launcher\n"
        f"run_launcher({arguments}, launch_environment(device='cpu', threads_per_process=1))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    run = subprocess.run(
        [sys.executable, "-c", process], env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == code
    assert "rank 0 1" in run.stdout


def test_cpu_ranks_get_the_cpu_accelerator():
    environment = launch_environment(device="cpu", threads_per_process=3)
    assert environment["DS_ACCELERATOR"] == "cpu"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert "DS_ACCELERATOR" not in launch_environment(device="cuda", threads_per_process=1)


def test_a_free_port_is_not_a_privileged_one():
    assert free_port() > 1023


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
