"""Metrics of a training step, stored as sums that can be added over micro-batches and processes.

Each metric is a ratio of two sums and is described in `weft.records.StepMetrics`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.axes import TokenFloats, TokenMask


@dataclass(frozen=True)
class TrackedMetric:
    """A value that trackers show for every optimiser step.

    Attributes:
        name: name in the tracker, where the Trainer puts ``train/`` before it.
        unit: unit of the value.
        meaning: what the value is.
    """

    name: str
    unit: str
    meaning: str


TRACKED = (
    TrackedMetric("loss", "nats per counted token", "loss of the step; the divisor is that of the method"),
    TrackedMetric("learning_rate", "1", "learning rate of the step"),
    TrackedMetric("grad_norm", "1", "norm of the gradient before clipping; not known under ZeRO stage 0"),
    TrackedMetric("epoch", "epochs", "passes over the training examples that are finished"),
    TrackedMetric("masked_share", "share", "maskable tokens that were masked"),
    TrackedMetric("mean_t", "1", "mean diffusion time of the examples"),
    TrackedMetric("mean_rate", "probability", "mean masking rate of the tokens with a rate of their own"),
    TrackedMetric("mean_uncertainty", "nats", "mean entropy (or NLL) of these tokens in the probe pass"),
    TrackedMetric("bounded_share", "share", "these tokens whose rate was raised to its lower bound"),
    TrackedMetric("seconds_per_step", "s", "wall time of the step, probe included"),
    TrackedMetric(
        "tokens_per_second", "tokens/s", "tokens of the step's examples, padding included, of all processes"
    ),
)
"""The values that trackers show; docs/trackers.md lists them."""

METRICS = ("masked_share", "mean_t", "mean_rate", "mean_uncertainty", "bounded_share")


def metric_sums(
    *,
    is_predicted: Tensor,
    is_predictable: Tensor,
    row_weight: Tensor,
    t: Tensor,
    rate: TokenFloats,
    has_rate: TokenMask,
    uncertainty: TokenFloats | None,
    min_rate: float,
) -> Tensor:
    """Sum the numerators and denominators of `METRICS` over a micro-batch; return float64, metrics x 2.

    ``is_predicted``, ``is_predictable``, ``row_weight`` and ``t`` have a row for each mask of each example.
    ``rate``, the masking rates under the first mask, ``has_rate`` and ``uncertainty`` (nats) have a row for
    each example. ``row_weight`` is 0 for padding rows, else 1.
    """
    counted = has_rate * row_weight[: rate.shape[0], None]

    def over_rates(values: TokenFloats) -> tuple[Tensor, Tensor]:
        return (values * counted).sum(), counted.sum()

    zero, weight = torch.zeros((), device=rate.device), row_weight[:, None]
    ratios = {
        "masked_share": ((is_predicted * weight).sum(), (is_predictable * weight).sum()),
        "mean_t": ((t * row_weight).sum(), row_weight.sum()),
        "mean_rate": over_rates(rate),
        "mean_uncertainty": (zero, zero) if uncertainty is None else over_rates(uncertainty),
        "bounded_share": (zero, zero) if uncertainty is None else over_rates((rate <= min_rate).float()),
    }
    return torch.stack([torch.stack(ratios[name]).double() for name in METRICS])


def metric_means(sums: Tensor) -> dict[str, float | None]:
    """Divide the summed numerators by the denominators, metrics x 2; None where a denominator is 0."""
    ratios = zip(METRICS, sums.tolist(), strict=True)
    return {name: above / below if below else None for name, (above, below) in ratios}


def tracked_values(entry: Mapping[str, Any], *, tokens_per_step: int) -> dict[str, float]:
    """Return the values of `TRACKED` that are defined in an entry of the Trainer's log.

    Args:
        entry: metrics of an optimiser step, with its wall time as ``seconds``.
        tokens_per_step: tokens of the examples of a step, padding included.

    Returns:
        The values by name.
    """
    seconds = entry.get("seconds")
    speed = tokens_per_step / seconds if seconds else None
    values = {**entry, "seconds_per_step": seconds, "tokens_per_second": speed}
    defined = {metric.name: values.get(metric.name) for metric in TRACKED}
    return {name: float(value) for name, value in defined.items() if value is not None}
