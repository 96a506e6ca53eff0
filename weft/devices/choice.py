"""Choice of the device of a command, with a lease if it is a GPU."""

import os
import re
from collections.abc import Sequence

from weft.devices.lease import HELD, Lease, lease
from weft.devices.visible import VISIBLE, Device, describe_visible, list_visible, require_enough
from weft.errors import ConfigError

_TAKEN: list[Lease] = []
"""The lease of this process, once it has one."""


def choose_device(name: str, *, count: int = 1) -> str:
    """Choose the device of this process; take GPUs that no other job of this user has, and wait for them.

    The GPUs are the process's own until it ends. ``CUDA_VISIBLE_DEVICES`` names them and no other
    afterwards, so that torch and child processes see them only. Call the function before CUDA starts.

    Args:
        name: ``cpu``; ``cuda`` for any visible GPU; ``cuda:N`` for one of them; ``auto`` for a GPU if torch
            can use one.
        count: number of GPUs, one for each process of a training.

    Returns:
        ``cpu`` or ``cuda``.

    Raises:
        ConfigError: the name is unknown, torch cannot use a GPU, or too few GPUs are visible.
    """
    if _TAKEN:
        return "cuda" if name != "cpu" else "cpu"
    candidates = _list_candidates(name)
    if not candidates:
        return "cpu"
    require_enough(candidates, count)
    taken = lease(candidates, count)
    seen = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = ",".join(device.name for device in taken.devices)
    import torch

    if not torch.cuda.is_available():
        taken.release()
        os.environ.pop(VISIBLE) if seen is None else os.environ.update({VISIBLE: seen})
        return _refuse_or_use_cpu(name)
    os.environ[HELD] = ":".join(map(str, taken.files))
    _TAKEN.append(taken)
    return "cuda"


def device_kind(name: str) -> str:
    """Return ``cpu`` or ``cuda`` for the name of a device, without taking a GPU; see `choose_device`."""
    return "cuda" if _TAKEN or _list_candidates(name) else "cpu"


def _list_candidates(name: str) -> Sequence[Device]:
    """Return the GPUs that a name allows; none if the CPU is meant."""
    if name == "cpu":
        return ()
    if not re.fullmatch(r"auto|cuda(:[0-9]+)?", name):
        raise ConfigError(f"--device must be cpu, cuda or auto, got {name!r}")
    visible = _list_usable()
    if not visible:
        _refuse_or_use_cpu(name)
        return ()
    _, _, number = name.partition(":")
    if not number:
        return visible
    if int(number) >= len(visible):
        raise ConfigError(f"--device {name} must name one of the {describe_visible(visible)}")
    return (visible[int(number)],)


def _list_usable() -> Sequence[Device]:
    """Return the visible GPUs, in CUDA's order, if torch is built for GPUs."""
    import torch

    if not torch.backends.cuda.is_built():  # type: ignore[no-untyped-call]
        return ()
    visible = list_visible()
    if visible is None:  # no nvidia-smi: torch counts the devices without starting CUDA, if it can
        return [Device(str(index), f"number-{index}") for index in range(torch.cuda.device_count())]
    return visible


def _refuse_or_use_cpu(name: str) -> str:
    if name != "auto":
        seen = os.environ.get(VISIBLE)
        detail = "" if seen is None else f" with {VISIBLE}={seen}"
        raise ConfigError(
            f"--device {name} requires a GPU that torch can use, found none{detail}; use cpu or auto"
        )
    return "cpu"
