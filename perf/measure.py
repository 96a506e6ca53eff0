"""Time and memory of things that are run side by side.

Times are only compared with times of the same run, since a machine is never alone for long; they are taken
in turns for the same reason.
"""

import itertools
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import torch

Run = Callable[[int], object]
"""What is measured; it is given the number of the round, from 0."""


def time_in_turns(
    runs: Mapping[str, Run],
    *,
    rounds: int,
    num_warm_up: int = 0,
    afterwards: Callable[[], object] | None = None,
    of_rounds: Callable[[Sequence[float]], float] = statistics.median,
) -> dict[str, float]:
    """Time several things, one after the other, round by round.

    Args:
        runs: what to time, by name.
        rounds: how often, warm-up included.
        num_warm_up: rounds at the beginning that do not count.
        afterwards: called after each run, outside the time.
        of_rounds: what is taken of the rounds that count; the minimum where they are few and long.

    Returns:
        The time of each, in seconds.
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
    """Measure how much memory a run takes at most, beyond what is taken when it begins.

    On a CPU it is added up what the allocator gave and took back; on a GPU the allocator knows.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler tells of every start and stop
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        run()
    events = profile.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    return max(itertools.accumulate((size for _, size in changes), initial=0))


def _wait_for_devices() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
