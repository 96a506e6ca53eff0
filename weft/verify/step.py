"""Part ``step``: training steps of SFT and WeFT with adapters and gradient checkpointing, on one device.

The steps are those of `DiffusionTrainer` without a framework around them: the objective of one micro-batch,
backward, and AdamW on the adapters. `weft.verify.zero` measures the steps of the Trainer under DeepSpeed.
"""

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from weft.config.methods import Method
from weft.config.training import Training
from weft.data.collate import PadToLength, PreparedExample
from weft.records.ids import text_sha256
from weft.training.adapters import add_adapters, lora_settings
from weft.training.batch_objective import objective
from weft.verify import planned
from weft.verify.build import num_usual_ids
from weft.verify.measure import time_in_turns, total_peak_bytes
from weft.verify.planned import Peak
from weft.verify.records import Measurement

PROMPT_SHARE = 8
"""The prompt of a random example has one token in so many."""
NUM_WARM_UP = 2
TIME = "time"
"""Quantity of the measurement of a time."""
WEFT_GOAL = 1.30
"""Largest time of a step of WeFT, whose probe is one forward pass more, relative to SFT's."""


def random_examples(count: int, *, length: int, config: Any) -> list[PreparedExample]:
    """Return training examples of random tokens.

    Args:
        count: number of examples.
        length: tokens of each, an eighth of them in the prompt.
        config: configuration of the network.

    Returns:
        The examples.
    """
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, num_usual_ids(config), (count, length), generator=generator).tolist()
    start = length // PROMPT_SHARE
    return [
        PreparedExample(
            example_id=text_sha256(f"random example {number}")[:16],
            prompt_ids=row[:start],
            answer_ids=row[start:],
        )
        for number, row in enumerate(ids)
    ]


def adapt(model: Any, training: Training) -> Any:
    """Put adapters on a model and prepare it for training with gradient checkpointing, in place."""
    assert training.lora is not None, "the steps are measured with adapters"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT reads an attribute that transformers renames
        model = add_adapters(model, lora_settings(training.lora))
        if training.gradient_checkpointing:
            model.enable_input_require_grads()
            model.activation_checkpointing_enable()
    return model.train()


def measure_steps(
    model: Any, training: Training, methods: Mapping[str, Method], *, num_steps: int, peak: Peak
) -> Iterator[Measurement]:
    """Time the steps of two methods in turns on the device of a model, and measure their memory.

    Args:
        model: a mask predictor without adapters; it is changed.
        training: settings; the adapters, the length and the size of a micro-batch are used.
        methods: the control and the method, by name.
        num_steps: timed steps of each method.
        peak: rate of operations for the utilisation.

    Yields:
        For each method the time of a step, tokens per second, utilisation, peak memory and the number of
        adapters without a finite gradient; then the ratio of the two times.
    """
    config = model.config
    model = adapt(model, training)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=training.learning_rate)
    length = training.max_length
    examples = random_examples(training.micro_batch_size, length=length, config=config)
    batch = PadToLength(max_length=length, pad_token_id=config.vocab_size - 2)(examples)

    def step_of(method: Method) -> Callable[[int], None]:
        def run(number: int) -> None:
            objective(model, batch, method, seed=0, epoch=number).loss.backward()
            optimizer.step()

        return run

    runs = {name: step_of(method) for name, method in methods.items()}
    seconds = time_in_turns(
        runs, rounds=num_steps + NUM_WARM_UP, num_warm_up=NUM_WARM_UP, afterwards=optimizer.zero_grad
    )
    for name, method in methods.items():
        operations = planned.step_operations(
            config, training, method, answer_tokens=length - length // PROMPT_SHARE
        )
        subject = f"{name}, one micro-batch of {len(examples)} x {length} tokens"
        yield from describe_speed(
            subject,
            seconds[name],
            num_tokens=training.micro_batch_size * length,
            operations=training.micro_batch_size * operations,
            peak=peak,
        )
        resident = [*model.parameters(), *model.buffers(), *optimizer_tensors(optimizer)]
        expected = planned.step_gib(config, training.model_copy(update={"zero_stage": 0}), num_processes=1)
        yield Measurement(
            subject=subject,
            quantity="peak memory",
            value=total_peak_bytes(functools.partial(runs[name], 0), model.device, resident) / 2**30,
            unit="GiB",
            planned=(expected, expected),
        )
        yield Measurement(
            subject=subject,
            quantity="adapters whose gradient is not finite",
            value=sum(not has_finite_gradient(parameter) for parameter in trained),
            unit="tensors",
            limit=0,
        )
        optimizer.zero_grad()
    yield compare_methods(seconds)


def describe_speed(
    subject: str, seconds: float, *, num_tokens: int, operations: float, peak: Peak
) -> Iterator[Measurement]:
    """Describe the time of some work, its tokens per second and its utilisation.

    Args:
        subject: the work.
        seconds: measured time.
        num_tokens: tokens that were trained or sampled.
        operations: operations of the work by the formulas of the plan.
        peak: rate with which the rate of the operations is compared.

    Yields:
        The three measurements, with what the plan expects.
    """
    expected = peak.seconds(operations)
    yield Measurement(subject=subject, quantity=TIME, value=seconds, unit="s", planned=expected)
    yield Measurement(
        subject=subject,
        quantity="speed",
        value=num_tokens / seconds,
        unit="tokens/s",
        planned=None if expected is None else (num_tokens / expected[1], num_tokens / expected[0]),
    )
    yield Measurement(
        subject=subject,
        quantity="utilisation",
        value=operations / seconds / peak.flops,
        unit=peak.unit,
        planned=peak.range,
    )


def compare_methods(seconds: Mapping[str, float], *, subject: str = "one micro-batch") -> Measurement:
    """Return the ratio of the time of a step of the second method to that of the first, beside its goal."""
    (control, of_control), (method, of_method) = seconds.items()
    return Measurement(
        subject=subject,
        quantity=f"time, {method} / {control}",
        value=of_method / of_control,
        unit="ratio",
        goal=WEFT_GOAL,
    )


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    """Yield the tensors in the state of an optimiser."""
    for state in optimizer.state.values():
        yield from (value for value in state.values() if isinstance(value, Tensor))


def has_finite_gradient(parameter: Tensor) -> bool:
    """Return True if a parameter has a gradient and all its entries are finite."""
    return parameter.grad is not None and bool(torch.isfinite(parameter.grad).all())
