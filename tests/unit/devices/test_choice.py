"""The device of a command, on a machine with simulated GPUs."""

import os

import pytest
import torch

from tests.support.gpus import simulate_gpus
from weft.devices import choice
from weft.devices.choice import choose_device, device_kind
from weft.devices.lease import FOLDER, HELD, find_holders
from weft.devices.visible import list_visible
from weft.errors import ConfigError


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that simulates a machine on which torch can use GPUs."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "leases"))
    monkeypatch.setattr(choice, "_TAKEN", [])
    for name in ("CUDA_VISIBLE_DEVICES", HELD):
        monkeypatch.delenv(name, raising=False)

    def call(visible=None, *, can_use=True, **gpus):
        monkeypatch.setattr(os, "environ", os.environ.copy())
        os.environ["PATH"] = simulate_gpus(tmp_path, **gpus)
        if visible is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = visible
        monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: can_use)

    yield call
    for taken in choice._TAKEN:
        taken.release()


@pytest.mark.parametrize(
    ("visible", "name", "count", "left"),
    [
        (None, "auto", 1, "GPU-0a1b2c3d"),
        (None, "cuda", 3, "GPU-0a1b2c3d,GPU-1a1b2c3d,GPU-2a1b2c3d"),
        (None, "cuda:2", 1, "GPU-2a1b2c3d"),
        ("3,2,1", "cuda", 2, "3,2"),
        ("3,2,1", "cuda:2", 1, "1"),
        ("GPU-2", "cuda", 1, "GPU-2"),
    ],
)
def test_a_process_sees_the_gpus_that_it_has_taken(machine, visible, name, count, left):
    machine(visible)
    everything = list_visible({})
    assert choose_device(name, count=count) == "cuda"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == left
    assert len(find_holders(everything)) == count
    assert choose_device(name, count=count) == "cuda", "the second call takes nothing"
    assert len(find_holders(everything)) == count


def test_a_mig_instance_is_taken_by_its_name(machine):
    machine(count=2, slices=[2, 2])
    assert choose_device("auto") == "cuda"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-00e5f6"


@pytest.mark.parametrize(
    ("visible", "name", "count", "message"),
    [
        ("3", "cuda", 2, r"2 processes must have a GPU each, but there are 1 visible GPU "
         r"\(CUDA_VISIBLE_DEVICES=3\)"),
        ("3", "auto", 2, "2 processes must have a GPU each"),
        ("GPU-9", "cuda", 1, "found none with CUDA_VISIBLE_DEVICES=GPU-9; use cpu or auto"),
        ("", "cuda", 1, "found none with CUDA_VISIBLE_DEVICES=; use cpu or auto"),
        ("3", "cuda:1", 1, r"--device cuda:1 must name one of the 1 visible GPU "),
        ("MIG-00,MIG-01", "cuda", 2, "must have whole GPUs, because MIG instances cannot communicate"),
        ("3", "tpu", 1, "--device must be cpu, cuda or auto, got 'tpu'"),
    ],
)  # fmt: skip
def test_too_few_gpus_are_an_error_and_never_those_of_others(machine, visible, name, count, message):
    machine(visible, slices=[2])
    with pytest.raises(ConfigError, match=message):
        choose_device(name, count=count)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == visible
    assert not find_holders(list_visible({}))


@pytest.mark.parametrize("visible", ["1", None])
def test_gpus_that_torch_cannot_use_are_given_back(machine, visible):
    machine(visible, can_use=False)
    assert choose_device("auto") == "cpu"
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == visible
    assert not find_holders(list_visible({}))
    with pytest.raises(ConfigError, match="--device cuda requires a GPU that torch can use, found none"):
        choose_device("cuda")


def test_auto_without_visible_gpus_is_the_cpu(machine):
    machine("")
    assert choose_device("auto", count=4) == device_kind("auto") == "cpu"


def test_the_cpu_leaves_the_variable_alone(machine):
    machine("0,1")
    assert choose_device("cpu", count=2) == device_kind("cpu") == "cpu"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"


def test_the_kind_of_a_device_is_told_without_taking_it(machine):
    machine()
    assert device_kind("auto") == device_kind("cuda:3") == "cuda"
    assert not find_holders(list_visible({}))


def test_without_a_list_torch_counts_the_gpus(machine, tmp_path, monkeypatch):
    machine()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    os.environ["PATH"] = str(tmp_path / "empty")
    assert choose_device("cuda") == "cuda"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"


def test_a_number_beyond_those_that_torch_counts_is_refused(machine, tmp_path, monkeypatch):
    machine()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    os.environ["PATH"] = str(tmp_path / "empty")
    with pytest.raises(ConfigError, match="--device cuda:2 must name one of the 2 visible GPUs"):
        choose_device("cuda:2")
