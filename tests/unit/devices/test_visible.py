"""Which GPUs a process may see."""

import pytest

from tests.support.gpus import simulate_gpus
from weft.devices.visible import list_visible


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Four GPUs, of which MIG divides the first into two instances."""
    monkeypatch.setenv("PATH", simulate_gpus(tmp_path, count=4, slices=[2]))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


SLICES = ["MIG-00e5f6", "MIG-01e5f6"]


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("given", "identities"),
    [
        (None, [*SLICES, "GPU-1a1b2c3d", "GPU-2a1b2c3d", "GPU-3a1b2c3d"]),
        ("", []),
        ("-1", []),
        ("3,1", ["GPU-3a1b2c3d", "GPU-1a1b2c3d"]),
        (" 3 , 1 ", ["GPU-3a1b2c3d", "GPU-1a1b2c3d"]),
        ("0", SLICES[:1]),
        ("1,7,2", ["GPU-1a1b2c3d"]),
        ("1,-1,2", ["GPU-1a1b2c3d"]),
        ("GPU-2,GPU-3a1b", ["GPU-2a1b2c3d", "GPU-3a1b2c3d"]),
        ("GPU-", []),
        ("GPU-9,GPU-2", []),
        ("MIG-01e5f6", SLICES[1:]),
        ("1,1", []),
        ("GPU-1,1", []),
    ],
)
def test_the_variable_is_read_as_cuda_reads_it(monkeypatch, given, identities):
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert [device.identity for device in list_visible()] == identities


@pytest.mark.usefixtures("machine")
def test_devices_keep_the_names_that_were_given():
    names = [device.name for device in list_visible({"CUDA_VISIBLE_DEVICES": "2,GPU-1"})]
    assert names == ["2", "GPU-1"]


@pytest.mark.usefixtures("machine")
def test_mig_instances_are_told_from_whole_gpus():
    assert [device.is_slice for device in list_visible({"CUDA_VISIBLE_DEVICES": "MIG-00,3"})] == [True, False]


@pytest.mark.parametrize("program", [None, "exit 9"], ids=["missing", "failing"])
def test_without_a_list_of_the_machine_the_names_are_taken_as_they_are(tmp_path, monkeypatch, program):
    monkeypatch.setenv("PATH", str(tmp_path))
    if program is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    assert list_visible({}) is None
    assert [device.name for device in list_visible({"CUDA_VISIBLE_DEVICES": "1,MIG-7,x"})] == ["1", "MIG-7"]
