"""Lines of text about the costs of an experiment: hours, memory, disk space, early stop."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from weft.config import Experiment, FineTuning, StoredGenerations
from weft.costs.gpus import GIB, GPUS, UTILIZATION, Gpu, GpuName, gpu_hours
from weft.costs.memory import DTYPE_BYTES, MemoryParts, offloaded_memory
from weft.costs.networks import Number
from weft.costs.stages import PROMPT_TOKENS, Job, checkpoint_bytes, list_jobs
from weft.errors import find_by_name
from weft.plan.material import DescribedMaterial

DEFAULT_GPUS: tuple[GpuName, ...] = ("h100", "a100-80")
"""GPUs for which the plan prints hours if none is named."""
TIGHT = 0.9
"""Share of a GPU's memory above which a job that fits is called tight: the estimate is not more exact."""
STAGE_TITLES = {
    "probe": "probe of the data",
    "gradients": "gradient study",
    "train": "training",
    "sample": "sampling",
    "curve": "learning curves",
    "trace": "pages with steps",
}
Hours = tuple[float, float]


def choose_gpus(name: str | None) -> dict[str, Gpu]:
    """Return the GPUs of the plan.

    Args:
        name: name of a GPU on the command line; None for those of `DEFAULT_GPUS`.

    Returns:
        GPUs by their names.

    Raises:
        ConfigError: no GPU has this name; the message lists the names.
    """
    if name is None:
        return {chosen: GPUS[chosen] for chosen in DEFAULT_GPUS}
    return {name: find_by_name("--gpu", name, {str(known): gpu for known, gpu in GPUS.items()})}


def cost_lines(
    experiment: Experiment, described: DescribedMaterial, gpus: Mapping[str, Gpu], *, num_gpus: int
) -> Iterator[str]:
    """Describe the hours, the memory and the disk space of an experiment.

    Args:
        experiment: the experiment.
        described: sizes of its models, training sets and benchmarks.
        gpus: the GPUs by name.
        num_gpus: number of GPUs at hand.

    Yields:
        Lines of text; none for an experiment that computes with no model.
    """
    ranks = num_ranks(experiment, num_gpus)
    jobs = list_jobs(experiment, described.material, num_processes=ranks)
    if not jobs:
        return
    best, worst = (f"{share:.0%}".rstrip("%") for share in UTILIZATION)
    yield f"  costs, if {best} to {worst} % of the peak performance in bfloat16 are reached:"
    stages = _by_stage(jobs)
    for stage, group in stages:
        yield from _describe_stage(STAGE_TITLES[stage], group, gpus)
    yield f"    all: {_list_hours(_sum_operations(jobs), gpus)}"
    if num_gpus > 1:
        is_trained = isinstance(experiment, FineTuning)
        shared = f", {ranks} for a training (train_processes={ranks})" if is_trained else ""
        for gpu in gpus.values():
            hours = wall_hours([group for _, group in stages], gpu, num_gpus)
            yield f"    with {num_gpus} {gpu.title}: {_format_hours(hours)} hours{shared}"
    yield from _describe_early_stop(jobs, gpus)
    yield from _describe_memory(stages, gpus, ranks)
    yield from _describe_disk(experiment, described, jobs)
    assumed = [f"a prompt has {PROMPT_TOKENS} tokens", *described.assumptions]
    sampling = None if isinstance(experiment, StoredGenerations) else experiment.sampling
    if experiment.benchmarks and sampling is not None and sampling.tokens_per_step is None:
        assumed.append("a sampling step reveals one token, which is the most that it can cost")
    yield f"    assumed: {'; '.join(assumed)}"


def num_ranks(experiment: Experiment, num_gpus: int) -> int:
    """Return the largest number of DeepSpeed ranks, up to ``num_gpus``, that divides the batch."""
    if not isinstance(experiment, FineTuning):
        return 1
    return experiment.training.largest_division(num_gpus)


def warn_of_memory(
    experiment: Experiment, described: DescribedMaterial, gpus: Mapping[str, Gpu], *, num_processes: int
) -> Iterator[str]:
    """Describe the stages that do not fit into the memory of a GPU, by the plan.

    Args:
        experiment: the experiment.
        described: sizes of its models, training sets and benchmarks.
        gpus: the GPUs by name.
        num_processes: DeepSpeed ranks of a training run.

    Yields:
        A sentence for each stage and GPU.
    """
    jobs = list_jobs(experiment, described.material, num_processes=num_processes)
    for stage, group in _by_stage(jobs):
        memory = _largest_memory(group)
        for name, gpu in gpus.items():
            if memory.total > gpu.memory_gib * GIB:
                shared = f" on each of {num_processes} GPUs" if stage == "train" and num_processes > 1 else ""
                yield (
                    f"{STAGE_TITLES[stage]} needs about {memory.total / GIB:.0f} GiB{shared}, and an "
                    f"{gpu.title} has {gpu.memory_gib:g} GiB; {_remedy(stage)}, "
                    f"and compare with weft plan --gpu {name}"
                )


def _remedy(stage: str) -> str:
    if stage == "train":
        return "use more GPUs (train_processes), gradient_checkpointing, zero_stage 3 or offload_optimizer"
    if stage == "gradients":  # which has one process in float32, without checkpointing
        return "study a smaller model, or lower max_length"
    return "lower the batch size, or use a GPU with more memory"


def wall_hours(stages: Sequence[Sequence[Job]], gpu: Gpu, num_gpus: int) -> Hours:
    """Return the hours of stages that run one after another, each with all its jobs side by side.

    Args:
        stages: jobs of each stage.
        gpu: kind of GPU.
        num_gpus: number of GPUs.

    Returns:
        Hours in the best and in the worst case. Free GPUs take the jobs of a stage, the longest first.
    """
    best = worst = 0.0
    for jobs in stages:
        free = [0.0] * max(1, min(len(jobs), num_gpus // max(job.num_processes for job in jobs)))
        for job in sorted(jobs, key=lambda job: -job.operations):
            earliest = free.index(min(free))
            free[earliest] += job.operations / job.num_processes
        stage_best, stage_worst = gpu_hours(max(free), gpu)
        best, worst = best + stage_best, worst + stage_worst
    return best, worst


def _by_stage(jobs: Sequence[Job]) -> list[tuple[str, list[Job]]]:
    """Return each stage with its jobs, in the order in which the stages run."""
    order = list(STAGE_TITLES)
    in_order = sorted(jobs, key=lambda job: order.index(job.stage))
    return [(stage, list(group)) for stage, group in groupby(in_order, key=lambda job: job.stage)]


def _largest_memory(jobs: Sequence[Job]) -> MemoryParts:
    """Return the memory of the job that needs most."""
    return max((job.memory for job in jobs), key=lambda parts: parts.total)


def _sum_operations(jobs: Sequence[Job]) -> Number:
    return sum(job.operations for job in jobs)


def _describe_stage(title: str, jobs: Sequence[Job], gpus: Mapping[str, Gpu]) -> Iterator[str]:
    counts = [_plural(len(jobs), "job")]
    if steps := sum(job.num_steps for job in jobs):
        counts.append(_plural(steps, "step"))
    if questions := sum(job.num_questions for job in jobs):
        counts.append(_plural(questions, "answer"))
    counts.append(f"{_format_count(sum(job.num_tokens for job in jobs))} tokens")
    yield f"    {title}: {', '.join(counts)}; {_list_hours(_sum_operations(jobs), gpus)}"


def _list_hours(operations: Number, gpus: Mapping[str, Gpu]) -> str:
    return ", ".join(
        f"{_format_hours(gpu_hours(operations, gpu))} {gpu.title} hours" for gpu in gpus.values()
    )


def _describe_early_stop(jobs: Sequence[Job], gpus: Mapping[str, Gpu]) -> Iterator[str]:
    stopped = [job for job in jobs if job.without_stop is not None]
    full = sum(job.without_stop or 0 for job in stopped)
    saved = full - _sum_operations(stopped)
    if not saved:
        return
    yield (
        f"    early stop saves {saved / full:.0%} of the sampling, {_list_hours(saved, gpus)} (contained "
        "above), if answers are as long as those of LLaDA-8B-Instruct that d1 published"
    ).replace("%", " %")


def _describe_memory(
    stages: Sequence[tuple[str, Sequence[Job]]], gpus: Mapping[str, Gpu], ranks: int
) -> Iterator[str]:
    is_trained = any(stage == "train" for stage, _ in stages)
    shared = f", with {_plural(ranks, 'GPU')} for a training" if is_trained else ""
    yield f"    peak memory of a GPU in GiB{shared}:"
    for stage, jobs in stages:
        memory = _largest_memory(jobs)
        parts = ", ".join(
            f"{name} {size / GIB:.1f}" for name, size in memory.by_part().items() if size >= 0.05 * GIB
        )
        fits = ", ".join(f"{_fit(memory, gpu)} {gpu.title} ({gpu.memory_gib:g})" for gpu in gpus.values())
        yield f"      {STAGE_TITLES[stage]}: {memory.total / GIB:.1f} ({parts}): {fits}"


def _fit(memory: MemoryParts, gpu: Gpu) -> str:
    share = memory.total / (gpu.memory_gib * GIB)
    if share > 1:
        return "DOES NOT FIT"
    return "tight on" if share > TIGHT else "fits"


@dataclass(frozen=True)
class DiskNeed:
    """Disk space of an experiment, in bytes.

    Attributes:
        models: the base models.
        results: what the jobs write and leave.
        states: the checkpoints of a training while it runs.
    """

    models: Number
    results: Number
    states: Number


def disk_need(experiment: Experiment, described: DescribedMaterial, jobs: Sequence[Job]) -> DiskNeed:
    """Return the disk space of an experiment.

    Args:
        experiment: the experiment.
        described: sizes of its models, training sets and benchmarks.
        jobs: its jobs, from `list_jobs`.

    Returns:
        The space. A training keeps two checkpoints; the older one is deleted before the next one is written.
    """
    networks = described.base_networks
    states: list[Number] = []
    if isinstance(experiment, FineTuning):
        states = [checkpoint_bytes(network, experiment.training) for network in networks]
    return DiskNeed(
        models=sum(DTYPE_BYTES["bfloat16"] * network.num_parameters for network in networks),
        results=sum(job.disk_bytes for job in jobs),
        states=2 * max(states, default=0),
    )


def _describe_disk(
    experiment: Experiment, described: DescribedMaterial, jobs: Sequence[Job]
) -> Iterator[str]:
    need = disk_need(experiment, described, jobs)
    text = f"    disk: {need.models / 1e9:.1f} GB of base models"
    if isinstance(experiment, FineTuning):
        text += f", {need.results / 1e9:.1f} GB of results"
        text += f", {need.states / 1e9:.1f} GB for each training that runs"
        networks = described.base_networks
        offloaded = max(offloaded_memory(network, experiment.training) for network in networks)
        if offloaded:
            yield f"    CPU memory for offloaded states: {offloaded / GIB:.0f} GiB"
    yield text


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _format_count(count: int) -> str:
    """Return a number with three significant digits and a unit."""
    for size, unit in ((1e9, " billion"), (1e6, " million"), (1e3, " thousand")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)


def _format_hours(hours: Hours) -> str:
    """Return a range of hours with two significant digits."""
    best, worst = (_round(value) for value in hours)
    return best if best == worst else f"{best} to {worst}"


def _round(hours: float) -> str:
    if hours < 0.01:
        return "under 0.01"
    digits = max(0, 1 - math.floor(math.log10(hours)))
    return f"{round(hours, digits):.{digits}f}"
