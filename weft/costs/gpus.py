"""GPUs: peak performance, memory, and the hours that a number of operations takes on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

GpuName = Literal["h100", "a100-80", "a100-40", "4090"]
GIB = 2**30
"""Bytes in a GiB."""
UTILIZATION = (0.40, 0.25)
"""Assumed share of the peak performance, best and worst case.

Published runs: 28 to 36 % for the denoising of LLaDA-8B on an H100 (NVIDIA-NeMo/RL, pull request 3550), 17 to
28 % for its full fine-tuning on eight A100 without padding (ZHZisZZ/dllm, issue 102), both by our arithmetic.
"""


@dataclass(frozen=True)
class Gpu:
    """A kind of GPU.

    Attributes:
        title: name for people.
        peak_flops: operations per second, dense, in bfloat16 with sums in float32, by the data sheet.
        memory_gib: memory that a process can allocate at most, in GiB, as torch reports it.
        source: where the numbers are from.
    """

    title: str
    peak_flops: float
    memory_gib: float
    source: str


GPUS: Mapping[GpuName, Gpu] = {
    "h100": Gpu("H100", 989e12, 79.1, "NVIDIA H100 data sheet, SXM, without sparsity"),
    "a100-80": Gpu("A100 80 GB", 312e12, 79.1, "NVIDIA A100 data sheet, without sparsity"),
    "a100-40": Gpu("A100 40 GB", 312e12, 39.4, "NVIDIA A100 data sheet, without sparsity"),
    "4090": Gpu("RTX 4090", 165.2e12, 23.6, "NVIDIA Ada GPU architecture, sums in float32, without sparsity"),
}
"""Name on the command line -> GPU."""


def gpu_hours(operations: int | float, gpu: Gpu) -> tuple[float, float]:
    """Return the hours of one GPU for a number of operations: best and worst case of `UTILIZATION`."""
    best, worst = (operations / (gpu.peak_flops * share) / 3600 for share in UTILIZATION)
    return best, worst
