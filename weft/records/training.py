"""Metrics of training runs, and wall times."""

from pydantic import ConfigDict, Field

from weft.records.base import Count, Record


class StepMetrics(Record):
    """Metrics of an optimiser step. A value that is not defined, such as a rate without a probe, is None.

    Training stops at a loss that is not finite; logs of other programs may contain one.
    """

    model_config = ConfigDict(allow_inf_nan=True)

    optimizer_step: Count
    """Number of the step, from 1."""
    epoch: float
    """Epochs finished, as a fraction."""
    loss: float
    """Loss in nats per counted token."""
    learning_rate: float
    """Learning rate of the step."""
    grad_norm: float | None = None
    """Norm of the gradient before clipping; DeepSpeed reports none under ZeRO stage 0."""
    masked_share: float | None = None
    """Share of the maskable tokens that were masked."""
    mean_t: float | None = None
    """Mean diffusion time of the examples."""
    mean_rate: float | None = None
    """Mean masking rate of the tokens that have an individual rate."""
    mean_uncertainty: float | None = None
    """Mean uncertainty of these tokens, in nats."""
    bounded_share: float | None = None
    """Share of these tokens whose rate was raised to its lower bound."""


class JobTime(Record):
    """The wall time of a job, as Snakemake writes it."""

    s: float
    """Wall time of the job, in seconds."""


class Timing(Record):
    """Wall times of a training run."""

    seconds_per_step: float = Field(gt=0)
    """Median time of an optimiser step, in seconds."""
    num_steps: Count
    """Optimiser steps that were timed."""
    train_seconds: float = Field(gt=0)
    """Total time of the optimiser steps, in seconds."""
    num_processes: Count
    """Number of processes (ranks)."""
    device: str
    """Kind of device: cpu or cuda."""
    setup_seconds: float | None = None
    """Time to load the model and the data, in seconds."""
