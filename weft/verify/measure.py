"""Measure time and memory of functions that are compared with each other.

The load of a machine changes, so times are compared only within a run, in which the functions alternate.
"""

import itertools
import os
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor

Run = Callable[[int], object]
"""A function to measure; its argument is the number of the round, from 0."""


def time_in_turns(
    runs: Mapping[str, Run],
    *,
    rounds: int,
    num_warm_up: int = 0,
    afterwards: Callable[[], object] | None = None,
    of_rounds: Callable[[Sequence[float]], float] = statistics.median,
) -> dict[str, float]:
    """Time several functions alternately, round by round.

    Args:
        runs: functions to time, by name.
        rounds: number of rounds, including warm-up.
        num_warm_up: number of rounds at the beginning that are not counted.
        afterwards: function that is called after each run and is not timed.
        of_rounds: statistic over the counted rounds, such as the minimum of a few long rounds.

    Returns:
        The time of each function, in seconds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for number, (name, run) in itertools.product(range(rounds), runs.items()):
        _wait_for_devices()
        began = time.perf_counter()
        run(number)
        _wait_for_devices()
        seconds[name].append(time.perf_counter() - began)
        if afterwards is not None:
            afterwards()
    return {name: of_rounds(taken[num_warm_up:]) for name, taken in seconds.items()}


def peak_bytes(run: Callable[[], object], device: torch.device) -> int:
    """Measure the peak memory of a run, beyond the memory in use when it begins.

    Args:
        run: the function.
        device: device whose memory is measured.

    Returns:
        The peak in bytes, on a CPU from the profiler's record of allocations, on a GPU from the allocator.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # otherwise the profiler logs every start and stop
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        run()
    events = profile.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return max(itertools.accumulate((size for _, size in changes), initial=0))


def total_peak_bytes(run: Callable[[], object], device: torch.device, resident: Iterable[Tensor]) -> int:
    """Measure the peak memory of a run, with the memory in use when it begins.

    Args:
        run: the function.
        device: device whose memory is measured.
        resident: all tensors that exist when the run begins; used on a CPU, whose memory in use is not known.

    Returns:
        The peak in bytes, without the context of CUDA.
    """
    if device.type == "cuda":
        in_use = torch.cuda.memory_allocated(device)
    else:
        in_use = sum(tensor.numel() * tensor.element_size() for tensor in resident)
    return in_use + peak_bytes(run, device)


def _wait_for_devices() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
