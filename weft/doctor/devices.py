"""Checks of the GPUs: how many are visible and free, whether torch can use them, and their memory."""

import os
from collections.abc import Iterator

from weft.config import Experiment
from weft.config.settings import Settings
from weft.costs.gpus import GIB, Gpu
from weft.devices.lease import find_holders
from weft.devices.visible import describe_visible, list_visible, require_enough
from weft.doctor.finding import Finding, ok, problem, warning
from weft.errors import WeftError
from weft.plan import warn_of_memory
from weft.plan.material import DescribedMaterial


def check_devices(settings: Settings) -> Iterator[Finding]:
    """Compare the GPUs that the settings ask for with those that are visible and free.

    Args:
        settings: the run settings.

    Yields:
        Findings about the number of GPUs, torch, and other jobs that hold them.
    """
    import torch

    asked = f"device={settings.device}, train_processes={settings.train_processes}"
    if settings.device == "cpu":
        yield ok("devices", f"{asked}: everything runs on the CPU")
        yield from _compare_cores(settings)
        return
    visible = list_visible() or []
    is_built = torch.backends.cuda.is_built()  # type: ignore[no-untyped-call]
    if visible and not is_built:
        text = f"{describe_visible(visible)}, but torch {torch.__version__} is built without CUDA"
        remedy = "install the CUDA build of torch, or set device=cpu"
        yield (problem if settings.device == "cuda" else warning)("devices", text, remedy)
        return
    num_usable = torch.cuda.device_count() if is_built else 0
    if num_usable == 0 and settings.device == "auto":
        yield ok("devices", f"{asked}: no GPU is visible, and everything runs on the CPU")
        yield from _compare_cores(settings)
        return
    try:
        if num_usable == 0 or visible:
            require_enough(visible, settings.train_processes)
        yield ok("devices", f"{asked}: {max(num_usable, len(visible))} visible GPUs")
        holders = find_holders(visible)
    except WeftError as error:
        yield problem("devices", str(error), "correct config.yaml or --config")
        return
    if holders:
        pids = ", ".join(sorted(set(holders.values())))
        yield warning(
            "devices",
            f"{len(holders)} of {len(visible)} GPUs are in use by other jobs of this user (process {pids})",
            "a run waits for them; end these processes if they are not wanted",
        )


def _compare_cores(settings: Settings) -> Iterator[Finding]:
    """Compare the processes and threads of a training on CPUs with the cores of the machine."""
    cores = len(os.sched_getaffinity(0))
    wanted = settings.train_processes * settings.threads_per_process
    if wanted > cores:
        yield warning(
            "cores",
            f"a training uses {wanted} threads on {cores} cores",
            "lower train_processes or threads_per_process",
        )


def check_gpu_memory(
    experiment: Experiment, described: DescribedMaterial, settings: Settings
) -> Iterator[Finding]:
    """Compare the memory of the visible GPUs with what the plan expects of each stage.

    Args:
        experiment: the experiment.
        described: sizes of networks, training sets and benchmarks.
        settings: the run settings.

    Yields:
        A finding; none if nothing runs on GPUs.
    """
    import torch

    if settings.device == "cpu" or not torch.cuda.is_available():
        return
    devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    smallest = min(devices, key=lambda device: device.total_memory)
    gpu = Gpu(smallest.name, 0.0, round(smallest.total_memory / GIB, 1), "this machine")
    sentences = list(
        warn_of_memory(experiment, described, {"NAME": gpu}, num_processes=settings.train_processes)
    )
    for sentence in sentences:
        text, _, remedy = sentence.partition("; ")
        yield problem("GPU memory", text, remedy)
    if not sentences:
        yield ok("GPU memory", f"all stages fit into the {gpu.memory_gib:g} GiB of {gpu.title}, by the plan")
