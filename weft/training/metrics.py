"""Metrics of a training step, kept as sums so that micro-batches and processes can be added up.

Each metric is a ratio of two sums; the names are those of `weft.records.StepMetrics`:

* ``masked_share``: share of the maskable tokens that are masked;
* ``mean_t``: mean diffusion time of the examples;
* ``mean_rate``: mean masking rate of the tokens that have their own rate;
* ``mean_uncertainty``: mean uncertainty of these tokens, in nats; undefined without a probe;
* ``bounded_share``: share of these tokens whose rate was raised to its lower bound; undefined likewise.
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
    """Sum up the numerators and denominators of `METRICS` over a micro-batch.

    With several masks per example a row is an example under one of the masks.

    Args:
        is_predicted: True where a token is masked and predicted, rows x length.
        is_predictable: True where a token may be masked and predicted, rows x length.
        row_weight: 1 for each row, 0 for padding rows.
        t: diffusion time of each row.
        rate: masking rate of each token under the first mask.
        has_rate: True where a token has its own masking rate.
        uncertainty: uncertainty in nats; None without a probe.
        min_rate: lower bound of the masking rate.

    Returns:
        Numerator and denominator of each metric, float64, metrics x 2.
    """
    counted = has_rate * row_weight[: rate.shape[0], None]

    def over_rates(values: TokenFloats) -> tuple[Tensor, Tensor]:
        return (values * counted).sum(), counted.sum()

    zero = torch.zeros((), device=rate.device)
    ratios = {
        "masked_share": (
            (is_predicted * row_weight[:, None]).sum(),
            (is_predictable * row_weight[:, None]).sum(),
        ),
        "mean_t": ((t * row_weight).sum(), row_weight.sum()),
        "mean_rate": over_rates(rate),
        "mean_uncertainty": (zero, zero) if uncertainty is None else over_rates(uncertainty),
        "bounded_share": (zero, zero) if uncertainty is None else over_rates((rate <= min_rate).float()),
    }
    return torch.stack([torch.stack(ratios[name]).double() for name in METRICS])


def metric_means(sums: Tensor) -> dict[str, float | None]:
    """Divide numerators by denominators.

    Args:
        sums: added-up results of `metric_sums`, metrics x 2.

    Returns:
        Each metric by name; None where the denominator is 0.
    """
    ratios = zip(METRICS, sums.tolist(), strict=True)
    return {name: above / below if below else None for name, (above, below) in ratios}
