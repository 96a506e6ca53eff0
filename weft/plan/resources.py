"""Resources that the rules request for their jobs: memory, time, and GPUs.

They follow from the costs of the experiment, so that no profile repeats a number. A request is meant to
suffice, and is therefore above what is expected.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from weft.config import Experiment
from weft.config.settings import Settings
from weft.costs.gpus import GPUS, GpuName, gpu_hours
from weft.costs.memory import CONTEXT_BYTES, DTYPE_BYTES, offloaded_memory
from weft.costs.networks import Number
from weft.costs.stages import Job, Material, StageName, list_jobs
from weft.plan.cost_lines import choose_gpus, warn_of_memory
from weft.plan.material import DescribedMaterial

LARGEST_GPU: GpuName = "h100"
"""GPU with whose memory the needs of the jobs are compared."""
SLOWEST_GPU = GPUS["a100-80"]
"""GPU for which the time is requested."""
CPU_FLOPS = 2e9
"""Assumed operations per second of a CPU thread: small networks are slowed down by everything else."""
SAFETY = 1.5
"""Factor between the expected and the requested time."""
MIN_MINUTES = 120
"""Smallest time that is requested, in minutes, for the start of a job and for slow file systems."""
BASE_MB = 4000
"""Memory of a process without its model: Python, torch, DeepSpeed, data."""
LOADING = 1.25
"""Memory for loading a model relative to its weights: the weights and one file of them."""


def list_memory_warnings(
    experiment: Experiment, described: DescribedMaterial, settings: Settings
) -> Iterator[str]:
    """Describe the stages that need more memory than the largest GPU of the plan has.

    Args:
        experiment: the experiment.
        described: sizes of networks, training sets and benchmarks.
        settings: the run settings.

    Yields:
        A sentence for each such stage; none if the jobs do not run on GPUs.
    """
    if settings.gpus(1) == 0:
        return
    for warning in warn_of_memory(
        experiment, described, choose_gpus(LARGEST_GPU), num_processes=settings.train_processes
    ):
        yield f"experiment {experiment.name}: {warning}"


@dataclass(frozen=True)
class JobMemory:
    """Memory of the largest job of an experiment, in MB of the machine for all its processes.

    Attributes:
        job: stage and name of the job.
        model_mb: what models, states and activations take, without Python and its libraries.
        request_mb: what the rule requests.
    """

    job: str
    model_mb: int
    request_mb: int


class JobResources:
    """Resources of the jobs of an experiment.

    Args:
        experiment: the experiment.
        material: sizes of networks, training sets and benchmarks.
        settings: the run settings; they tell whether jobs run on GPUs.
    """

    def __init__(self, experiment: Experiment, material: Material, settings: Settings) -> None:
        self._settings = settings
        self._uses_gpu = settings.gpus(1) > 0
        self._experiment = experiment
        jobs = list_jobs(experiment, material, num_processes=settings.train_processes)
        self._jobs = {(job.stage, job.name): job for job in jobs}
        self._networks = material.networks

    def mem_mb(self, stage: StageName, name: str, *, attempt: int = 1) -> int:
        """Return the memory of a job in MB; a repeated attempt requests more.

        Args:
            stage: name of the rule.
            name: name of the run or of the training set.
            attempt: number of the attempt, from 1.

        Returns:
            The memory of the machine for all processes of the job.
        """
        job = self._find(stage, name)
        if self._uses_gpu:  # each process loads the whole model before it moves its part to its GPU
            total = job.num_processes * (BASE_MB * 1e6 + LOADING * self._loaded(job)) + self._offloaded(job)
        else:  # the buckets are allocated, but only the part that is used takes memory
            used = job.memory.total - CONTEXT_BYTES - job.memory.buckets
            total = job.num_processes * (BASE_MB * 1e6 + used)
        return attempt * math.ceil(total / 1e6)

    def largest_memory(self) -> JobMemory | None:
        """Return the memory of the job that requests most; None if no job computes with a model."""
        if not self._jobs:
            return None
        job = max(self._jobs.values(), key=lambda job: self.mem_mb(job.stage, job.name))
        request = self.mem_mb(job.stage, job.name)
        return JobMemory(f"{job.stage} {job.name}", request - job.num_processes * BASE_MB, request)

    def weights_mb(self) -> int:
        """Return the memory in MB of a job that reads and writes a whole checkpoint without computing."""
        sizes = [network.num_parameters for network in self._networks.values()]
        return BASE_MB + math.ceil(LOADING * 4 * max(sizes, default=0) / 1e6)

    def runtime(self, stage: StageName, name: str) -> int:
        """Return the time of a job, in minutes.

        Args:
            stage: name of the rule.
            name: name of the run or of the training set.

        Returns:
            The minutes.
        """
        job = self._find(stage, name)
        expected, longest = (
            self._hours(count) for count in (job.operations, job.without_stop or job.operations)
        )
        shared = job.num_processes * (self._settings.sample_shards if stage == "sample" else 1)
        return max(MIN_MINUTES, math.ceil(60 * max(SAFETY * expected, longest) / shared))

    def _hours(self, operations: Number) -> float:
        """Return the hours of one GPU or CPU process for a number of operations, in the worst case."""
        if self._uses_gpu:
            return gpu_hours(operations, SLOWEST_GPU)[1]
        return operations / (CPU_FLOPS * self._settings.threads_per_process) / 3600

    def _loaded(self, job: Job) -> Number:
        """Return the size of the model that a process loads; ZeRO-3 divides it afterwards."""
        training = getattr(self._experiment, "training", None)
        if job.stage != "train" or training is None:
            return job.memory.weights
        whole = DTYPE_BYTES[training.dtype] * self._networks[job.name].num_parameters
        return max(job.memory.weights, whole)

    def _offloaded(self, job: Job) -> Number:
        training = getattr(self._experiment, "training", None)
        if job.stage != "train" or training is None:
            return 0
        return offloaded_memory(self._networks[job.name], training)

    def _find(self, stage: StageName, name: str) -> Job:
        """Return a job, or the largest of its stage for a target that only the command line names."""
        job = self._jobs.get((stage, name))
        if job is not None:
            return job
        alike = [job for job in self._jobs.values() if job.stage == stage] or [*self._jobs.values()]
        return max(alike, key=lambda job: job.operations)
