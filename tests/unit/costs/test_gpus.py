import pytest

from weft.costs import GPUS, gpu_hours
from weft.costs.gpus import UTILIZATION


def test_hours_are_a_range_of_the_assumed_utilisation():
    best, worst = gpu_hours(989e12 * 3600, GPUS["h100"])
    assert best == pytest.approx(1 / 0.40)
    assert worst == pytest.approx(1 / 0.25)
    assert UTILIZATION == (0.40, 0.25)


@pytest.mark.parametrize("gpu", GPUS.values())
def test_every_gpu_has_a_source(gpu):
    assert "NVIDIA" in gpu.source
    assert 20 < gpu.memory_gib < 80
