import pytest

from weft.config import load_experiment
from weft.training.deepspeed import (
    accumulation_steps,
    deepspeed_settings,
    free_port,
    launch_command,
    launch_environment,
)


@pytest.fixture
def training():
    return load_experiment("experiments/tiny.yaml").training


@pytest.mark.parametrize(("processes", "steps"), [(1, 2), (2, 1)])
def test_the_global_batch_does_not_depend_on_the_processes(training, processes, steps):
    settings = deepspeed_settings(training, num_processes=processes)
    assert settings["gradient_accumulation_steps"] == steps
    assert settings["train_batch_size"] == training.batch_size
    assert settings["zero_optimization"]["stage"] == 2


def test_a_batch_that_cannot_be_divided_is_refused(training):
    with pytest.raises(ValueError, match="multiple of micro_batch_size x processes"):
        accumulation_steps(training, num_processes=3)


def test_the_command_starts_weft_on_all_ranks(monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    command = launch_command(["train", "--run", "x"], num_processes=2)
    assert command[-4:] == ["weft", "train", "--run", "x"]
    assert command[command.index("--num_gpus") + 1] == "2"


def test_only_visible_devices_are_used(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    command = launch_command(["train"], num_processes=1)
    assert command[command.index("--include") + 1] == "localhost:2"


def test_cpu_ranks_are_told_so():
    environment = launch_environment(device="cpu", threads_per_process=3)
    assert environment["DS_ACCELERATOR"] == "cpu"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert "DS_ACCELERATOR" not in launch_environment(device="cuda", threads_per_process=1)


def test_a_free_port_is_not_a_privileged_one():
    assert free_port() > 1023
