import os

import pytest

from tests.support import gpus
from weft.config.settings import read_settings
from weft.doctor.devices import check_devices


@pytest.fixture
def settings():
    def make(**changes):
        return read_settings().model_copy(update=changes)

    return make


def test_a_run_on_the_processor_needs_no_gpu(settings):
    (finding,) = check_devices(settings(device="cpu"))
    assert finding.level == "ok"


def test_more_threads_than_cores(settings):
    cores = len(os.sched_getaffinity(0))
    *_, finding = check_devices(settings(device="cpu", train_processes=cores + 1))
    assert finding.level == "warning"
    assert f"{cores + 1} threads on {cores} cores" in finding.text


@pytest.mark.parametrize(("device", "level"), [("cuda", "problem"), ("auto", "warning")])
def test_gpus_that_torch_cannot_use(settings, tmp_path, monkeypatch, device, level):
    import torch

    if torch.backends.cuda.is_built():
        pytest.skip("this torch is built for GPUs")
    monkeypatch.setenv("PATH", gpus.simulate_gpus(tmp_path, count=2))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (finding,) = check_devices(settings(device=device))
    assert finding.level == level
    assert "2 visible GPUs, but torch" in finding.text


def test_a_gpu_that_is_not_there(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", gpus.simulate_gpus(tmp_path, count=0))
    (finding,) = check_devices(settings(device="cuda", train_processes=2))
    assert finding.level == "problem"
    assert "2 processes must have a GPU each, but there are 0 visible GPUs" in finding.text
