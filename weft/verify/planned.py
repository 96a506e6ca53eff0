"""What ``weft plan`` expects for the work that is measured: the only module that joins the two."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from weft.config.methods import Method
from weft.config.sampling import Sampling
from weft.config.training import Training
from weft.costs import GPUS, Gpu, Network, Pass, sampling_operations, training_memory, training_operations
from weft.costs.gpus import UTILIZATION
from weft.model import DreamConfig
from weft.verify.records import Machine


@dataclass(frozen=True)
class Peak:
    """The rate of operations to which a measured one is compared.

    Attributes:
        flops: operations per second.
        unit: unit of a share of it, in words.
        range: shares of it that ``weft plan`` assumes, lowest first; None if it does not know the device.
    """

    flops: float
    unit: str
    range: tuple[float, float] | None

    def seconds(self, operations: float) -> tuple[float, float] | None:
        """Return the time that ``weft plan`` expects for some operations, shortest first."""
        if self.range is None:
            return None
        low, high = self.range
        return operations / (self.flops * high), operations / (self.flops * low)


def find_peak(machine: Machine) -> Peak:
    """Return the peak rate of the device: by the data sheet if it is known, else as it was measured."""
    gpu = find_gpu(machine)
    if gpu is None:
        return Peak(machine.matrix_tflops * 1e12, "of a large matrix product's rate", None)
    return Peak(gpu.peak_flops, f"of {gpu.title}'s peak", (min(UTILIZATION), max(UTILIZATION)))


def find_gpu(machine: Machine) -> Gpu | None:
    """Return the GPU of the plan whose name and memory the device has; None if there is none."""
    for gpu in GPUS.values():
        (model,) = re.findall(r"[A-Z]?\d{3,}", gpu.title)
        has_memory = machine.memory_gib is not None and abs(machine.memory_gib - gpu.memory_gib) < 5
        if model in machine.device and has_memory and "PCIe" not in machine.device:
            return gpu
    return None


def network_of(config: Any) -> Network:
    """Return the sizes of a network from the configuration of a mask predictor."""
    return Network(
        num_layers=config.num_hidden_layers,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_heads=config.num_attention_heads,
        num_key_value_heads=config.num_key_value_heads,
        vocab_size=config.vocab_size,
        has_biases=isinstance(config, DreamConfig),
    )


def step_operations(config: Any, training: Training, method: Method, *, answer_tokens: int) -> float:
    """Return the operations of the training on one example."""
    return float(training_operations(network_of(config), training, method, answer_tokens=answer_tokens))


def step_gib(config: Any, training: Training, *, num_processes: int) -> float:
    """Return the peak memory of a process that trains, in GiB, without the context of CUDA."""
    parts = training_memory(network_of(config), training, num_processes=num_processes)
    return (parts.total - parts.context) / 2**30  # torch counts what it allocates, not the context


def plain_operations(config: Any, prompt_lengths: Sequence[int], *, gen_length: int, num_steps: int) -> float:
    """Return the operations of the plain loop, which computes all logits of a padded batch in every step."""
    canvas = max(prompt_lengths) + gen_length
    return float(len(prompt_lengths) * num_steps * Pass(network_of(config), canvas).forward(canvas))


def answer_operations(
    config: Any,
    sampling: Sampling,
    prompt_lengths: Sequence[int],
    *,
    gen_length: int,
    share_of_blocks: float = 1.0,
) -> float:
    """Return the operations of the sampler for a batch of prompts, padding not counted."""
    one_answer = functools.partial(
        sampling_operations,
        network_of(config),
        sampling,
        gen_length=gen_length,
        share_of_blocks=share_of_blocks,
    )
    return float(sum(one_answer(prompt_length=length) for length in prompt_lengths))
