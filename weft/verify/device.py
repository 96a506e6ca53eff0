"""The machine on which weft is verified: device, rate of matrix products, and packages."""

import importlib.metadata
import platform
from collections.abc import Iterable

import torch

from weft.verify.measure import time_in_turns
from weft.verify.records import Machine

PACKAGES = ("torch", "transformers", "peft", "tokenizers", "safetensors", "pydantic", "typer", "deepspeed")
"""Packages whose versions are recorded. Only the last may be missing."""
NUM_PRODUCTS = 10


def describe_machine(device: torch.device, dtype: torch.dtype) -> Machine:
    """Describe a device and the installed packages, and measure the rate of a matrix product.

    Args:
        device: a GPU or the processor.
        dtype: type in which the networks are computed.

    Returns:
        The description.
    """
    is_gpu = device.type == "cuda"
    return Machine(
        device=torch.cuda.get_device_name(device) if is_gpu else platform.machine(),
        num_devices=torch.cuda.device_count() if is_gpu else 1,
        memory_gib=torch.cuda.get_device_properties(device).total_memory / 2**30 if is_gpu else None,
        matrix_tflops=measure_matrix_rate(device, dtype, size=8192 if is_gpu else 256) / 1e12,
        driver=torch.version.cuda or "" if is_gpu else "",
        versions={"python": platform.python_version()} | _installed(PACKAGES),
    )


def measure_matrix_rate(device: torch.device, dtype: torch.dtype, *, size: int) -> float:
    """Measure the operations per second of a product of two square matrices of random numbers.

    Args:
        device: the device.
        dtype: type of the matrices.
        size: rows and columns of each matrix.

    Returns:
        Operations per second, with 2 size^3 operations for a product.
    """
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))

    def multiply(_: int) -> None:
        for _ in range(NUM_PRODUCTS):
            torch.matmul(left, right)

    seconds = time_in_turns({"product": multiply}, rounds=4, num_warm_up=1)["product"]
    return NUM_PRODUCTS * 2 * size**3 / seconds


def _installed(packages: Iterable[str]) -> dict[str, str]:
    versions = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
