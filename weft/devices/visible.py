"""The GPUs that this process may see, in the order and by the rules of ``CUDA_VISIBLE_DEVICES``.

Source of the rules: CUDA C++ Programming Guide, "CUDA Environment Variables"; MIG User Guide of NVIDIA,
"CUDA Device Enumeration". The module imports no heavy library and does not start CUDA, because the variable
has no effect on a process in which CUDA runs already.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from weft.errors import ConfigError

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""Environment variable that restricts the GPUs of a process."""
SECONDS_TO_LIST = 120
"""Time, in seconds, after which the list of GPUs is given up; a driver that starts may need a minute."""
GPU_LINE = re.compile(r"GPU (\d+): .*\(UUID: (GPU-[^)]+)\)")
SLICE_LINE = re.compile(r"\s+MIG .*\(UUID: (MIG-[^)]+)\)")


@dataclass(frozen=True)
class Device:
    """A GPU, or an instance of a GPU that MIG divides."""

    name: str
    """Name for ``CUDA_VISIBLE_DEVICES``: a number, or a UUID such as GPU-8932f937-… or MIG-…."""
    identity: str
    """UUID, by which all processes know the device; the name if the UUID is unknown."""

    @property
    def is_slice(self) -> bool:
        """Whether the device is a MIG instance."""
        return self.identity.startswith("MIG-")


def list_visible(environment: Mapping[str, str] | None = None) -> list[Device] | None:
    """Return the GPUs that a process with this environment may use, in CUDA's order.

    Args:
        environment: the environment; None for that of this process.

    Returns:
        The devices. As in CUDA, an invalid name hides the names that follow it, and a name that occurs twice
        hides everything. None if neither nvidia-smi nor the variable names any device.
    """
    given = (os.environ if environment is None else environment).get(VISIBLE)
    machine = _list_machine()
    if given is None:
        return None if machine is None else [device for slices in machine for device in slices]
    names = [name.strip() for name in given.split(",")] if given.strip() else []
    devices: list[Device] = []
    for name in names:
        device = _find(name, machine)
        if device is None:
            break
        devices.append(device)
    return devices if len({device.identity for device in devices}) == len(devices) else []


def require_enough(devices: Sequence[Device], count: int) -> None:
    """Check that each process of a job can have a GPU of its own.

    Args:
        devices: the visible devices.
        count: number of processes.

    Raises:
        ConfigError: there are fewer devices, or the processes of a training would have MIG instances.
    """
    if count > len(devices):
        raise ConfigError(
            f"{count} processes must have a GPU each, but there are {describe_visible(devices)}; start "
            f"fewer processes (train_processes), or let {VISIBLE} name more GPUs"
        )
    if count > 1 and any(device.is_slice for device in devices):
        raise ConfigError(
            "the processes of a training must have whole GPUs, because MIG instances cannot communicate, got "
            f"{describe_visible(devices)}; set train_processes to 1, or use GPUs without MIG"
        )


def describe_visible(devices: Sequence[Device]) -> str:
    """Return the number of visible GPUs for a message, and the variable that restricts them."""
    seen = os.environ.get(VISIBLE)
    number = f"{len(devices)} visible GPU{'' if len(devices) == 1 else 's'}"
    return number if seen is None else f"{number} ({VISIBLE}={seen})"


def _find(name: str, machine: Sequence[Sequence[Device]] | None) -> Device | None:
    """Return the device that a name in ``CUDA_VISIBLE_DEVICES`` means, or None if it means none."""
    is_number = name.isdecimal()
    if not is_number and not name.startswith(("GPU-", "MIG-")):
        return None
    if machine is None:
        return Device(name, name)
    if is_number:
        known = machine[int(name)] if int(name) < len(machine) else ()
        if not known:
            return None
        # The number of a divided GPU means its first instance.
        return known[0] if known[0].is_slice else Device(name, known[0].identity)
    fitting = [device for slices in machine for device in slices if device.identity.startswith(name)]
    return Device(name, fitting[0].identity) if len(fitting) == 1 else None


def _list_machine() -> tuple[tuple[Device, ...], ...] | None:
    """Return for each GPU of the machine the GPU itself, or its MIG instances; None if they are unknown."""
    program = shutil.which("nvidia-smi")
    return None if program is None else _run(program)


@lru_cache
def _run(program: str) -> tuple[tuple[Device, ...], ...] | None:
    try:
        listing = subprocess.run(
            [program, "-L"], capture_output=True, text=True, timeout=SECONDS_TO_LIST, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None  # a machine without GPUs on which the program is installed
    return _parse(listing)


def _parse(listing: str) -> tuple[tuple[Device, ...], ...]:
    gpus: list[list[Device]] = []
    whole: list[Device] = []
    for line in listing.splitlines():
        if parts := GPU_LINE.match(line):
            whole.append(Device(parts[2], parts[2]))
            gpus.append([])
        elif gpus and (parts := SLICE_LINE.match(line)):
            gpus[-1].append(Device(parts[1], parts[1]))
    return tuple(tuple(slices) or (gpu,) for gpu, slices in zip(whole, gpus, strict=True))
