"""The jobs of an experiment that compute with a model, with their operations and memory."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from weft.config import Evaluation, Experiment, FineTuning, Sampled
from weft.config.experiment import Run
from weft.config.methods import Method
from weft.config.training import Lora, Training
from weft.costs.answer_lengths import denoised_share
from weft.costs.memory import (
    ADAM_NUMBERS,
    DTYPE_BYTES,
    MemoryParts,
    forward_memory,
    sampling_memory,
    training_memory,
)
from weft.costs.networks import Network, Number
from weft.costs.operations import probe_operations, sampling_operations, training_operations

PROMPT_TOKENS = 200
"""Assumed tokens of a prompt with its instruction: those of d1's four benchmarks have 100 to 300."""
StageName = Literal["probe", "gradients", "train", "sample", "curve", "trace"]


@dataclass(frozen=True)
class Material:
    """What the costs depend on beside the experiment.

    Attributes:
        networks: name of a run -> sizes of its network.
        num_examples: name of a training set -> examples that are trained on, without those held out.
        num_questions: name of a benchmark -> number of questions.
    """

    networks: Mapping[str, Network]
    num_examples: Mapping[str, int] = field(default_factory=dict)
    num_questions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """A job on one or several GPUs.

    Attributes:
        stage: name of its rule.
        name: name of its run, or of its training set.
        operations: operations of the job, over all its processes.
        memory: peak memory of one of its processes on a GPU.
        num_processes: processes, each with a GPU.
        num_steps: optimiser steps, or denoising steps of all its answers.
        num_tokens: tokens of its training examples with padding, or of its answers.
        num_questions: questions that it answers.
        without_stop: operations without early stop, if that is on; None otherwise.
        disk_bytes: size of what it writes and leaves.
    """

    stage: StageName
    name: str
    operations: Number
    memory: MemoryParts
    num_processes: int = 1
    num_steps: int = 0
    num_tokens: int = 0
    num_questions: int = 0
    without_stop: Number | None = None
    disk_bytes: Number = 0


def list_jobs(experiment: Experiment, material: Material, *, num_processes: int) -> list[Job]:
    """List the jobs of an experiment that compute with a model.

    Args:
        experiment: the experiment.
        material: sizes of networks, training sets and benchmarks.
        num_processes: DeepSpeed ranks of a training run.

    Returns:
        The jobs, in the order of the stages; none for an experiment that reads its answers from files.
    """
    jobs: list[Job] = []
    if isinstance(experiment, FineTuning):
        jobs += _list_probes(experiment, material)
        jobs += _list_trainings(experiment, material, num_processes)
    if isinstance(experiment, FineTuning | Evaluation) and experiment.benchmarks:
        jobs += _list_samplings(experiment, material)
    return jobs


def _any_network(experiment: FineTuning, material: Material) -> Network:
    return material.networks[experiment.trained_runs[0].run_id]


def _list_probes(experiment: FineTuning, material: Material) -> Iterator[Job]:
    """Yield the probe passes of the base model over the training sets, and the gradient studies."""
    network, training = _any_network(experiment, material), experiment.training
    for dataset in experiment.dataset_names:
        count = material.num_examples[dataset]
        yield Job(
            "probe",
            dataset,
            operations=count * probe_operations(network, training, has_adapters=False),
            memory=probe_memory(network, training),
            num_tokens=count * training.max_length,
        )
        study = experiment.gradient_study
        if study is None:
            continue
        plain = training.model_copy(update={"lora": None, "gradient_checkpointing": False})
        masks = sum(method.masks_per_example for method in experiment.methods.values())
        yield Job(
            "gradients",
            dataset,
            operations=study.num_examples * study.num_draws * masks * training_operations(network, plain),
            memory=training_memory(
                network, plain.model_copy(update={"dtype": "float32", "zero_stage": 0}), num_processes=1
            ),
            num_tokens=study.num_examples * study.num_draws * masks * training.max_length,
        )


def probe_memory(network: Network, training: Training) -> MemoryParts:
    """Return the peak memory of a probe pass over the training set."""
    tokens = training.micro_batch_size * training.max_length
    return forward_memory(network, dtype=training.dtype, tokens=tokens)


def _list_trainings(experiment: FineTuning, material: Material, num_processes: int) -> Iterator[Job]:
    for run in experiment.trained_runs:
        method, network = experiment.methods[run.method], material.networks[run.run_id]
        count = material.num_examples[run.dataset or ""]
        training = method.adapt(experiment.training)
        yield Job(
            "train",
            run.run_id,
            operations=_run_operations(network, training, method, count),
            memory=training_memory(network, training, num_processes=num_processes),
            num_processes=num_processes,
            num_steps=training.epochs * math.ceil(count / training.batch_size),
            num_tokens=training.epochs * count * training.max_length,
            disk_bytes=trained_bytes(network, training),
        )


def _run_operations(network: Network, training: Training, method: Method, count: int) -> Number:
    """Return the operations of a training run, with the passes of a refreshed probe."""
    total = training.epochs * count * training_operations(network, training, method)
    if method.has_probe and method.probe_model == "refreshed":
        probes = math.ceil(training.epochs / method.refresh_epochs)
        total += probes * count * probe_operations(network, training, has_adapters=True)
    return total


def trained_bytes(network: Network, training: Training) -> Number:
    """Return the size of the result of a training: the adapter in float32, or the whole model."""
    if training.lora is not None:
        return 4 * network.adapter_parameters(training.lora)
    return DTYPE_BYTES[training.dtype] * network.num_parameters


def checkpoint_bytes(network: Network, training: Training) -> Number:
    """Return the size of a checkpoint from which a training resumes.

    It has the trained parameters twice, as transformers and as DeepSpeed write them, AdamW's states in
    float32, and with ZeRO a copy of the parameters in float32.
    """
    trained = network.trained_parameters(training.lora)
    numbers = ADAM_NUMBERS + (1 if training.zero_stage > 0 else 0)
    return 2 * trained_bytes(network, training) + DTYPE_BYTES["float32"] * numbers * trained


def _list_samplings(experiment: Sampled, material: Material) -> Iterator[Job]:
    """Yield the jobs that sample: answers of all runs, learning curves, and pages with steps."""
    for run in experiment.runs:
        cells = [
            (name, length, material.num_questions[name])
            for name in experiment.benchmark_names
            for length in experiment.gen_lengths
        ]
        yield _sampling_job(experiment, material, "sample", run, cells)
    if isinstance(experiment, FineTuning) and (curve := experiment.learning_curve) is not None:
        for run in experiment.runs:
            points = curve.num_points if experiment.is_finetuned(run) else 1
            cells = [
                (name, length, points * curve.num_examples)
                for name in experiment.curve_benchmarks
                for length in experiment.gen_lengths
            ]
            yield _sampling_job(experiment, material, "curve", run, cells)
    for run in experiment.traced_runs:
        cells = [(name, min(experiment.gen_lengths), 1) for name in experiment.benchmark_names]
        yield _sampling_job(experiment, material, "trace", run, cells)


def _sampling_job(
    experiment: Sampled, material: Material, stage: StageName, run: Run, cells: list[tuple[str, int, int]]
) -> Job:
    """Return the job that answers numbers of questions, given as (benchmark, length, number)."""
    sampling, network = experiment.sampling, material.networks[run.run_id]
    lora = _adapters_of(experiment, run)
    full: Number = 0
    stopped: Number = 0
    for benchmark, gen_length, count in cells:
        operations = sampling_operations(
            network, sampling, prompt_length=PROMPT_TOKENS, gen_length=gen_length, lora=lora
        )
        share = denoised_share(benchmark, gen_length) if sampling.early_stop else None
        full += count * operations
        stopped += count * operations * (1 if share is None else share)
    return Job(
        stage,
        run.run_id,
        operations=stopped,
        memory=sampling_memory(network, sampling, prompt_length=PROMPT_TOKENS, lora=lora),
        num_steps=sum(count * sampling.diffusion_steps(length) for _, length, count in cells),
        num_tokens=sum(count * length for _, length, count in cells),
        num_questions=sum(count for _, _, count in cells),
        without_stop=full if sampling.early_stop else None,
    )


def _adapters_of(experiment: Sampled, run: Run) -> Lora | None:
    """Return the adapters with which a run is sampled; those of an evaluation are not known in advance."""
    if not isinstance(experiment, FineTuning) or not experiment.is_finetuned(run):
        return None
    return None if experiment.sampling.merge_adapters else experiment.training.lora
