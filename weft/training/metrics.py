"""Metrics of a training step, stored as sums that can be added over micro-batches and processes.

Each metric is a ratio of two sums and is described in `weft.records.StepMetrics`.
"""

import torch
from torch import Tensor

from weft.axes import TokenFloats, TokenMask

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
