"""One objective for all methods: probe, rates, masks, losses, as the settings say.

The steps of the paper's method, in its order; for SFT the first two fall away.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.axes import Scalar, TokenFloats, TokenIds, TokenMask
from weft.config.methods import Method
from weft.diffusion import (
    inverse_rate,
    mask_tokens,
    masked_loss,
    relative_rate,
    require_maskable,
    time_from_uniform,
    token_entropy,
    token_masking_rate,
)

Predictor = Callable[..., Any]
"""Anything that answers ``predictor(input_ids=…, at=…).logits`` like the models of weft.model."""


@dataclass(frozen=True)
class StepRecord:
    """What a training step tells besides the loss, all as floats."""

    masked_share: float
    mean_t: float
    mean_entropy: float | None


def diffusion_loss(
    predictor: Predictor,
    batch: dict[str, Tensor],
    draws: tuple[Tensor, Tensor],
    *,
    method: Method,
    t_min: float,
    mask_token_id: int,
) -> tuple[Scalar, StepRecord]:
    """Compute the loss of one micro-batch under a method.

    Args:
        predictor: the model, possibly wrapped.
        batch: clean_ids, is_maskable and is_padding, each batch x length.
        draws: uniform numbers, one per example and one per token.
        method: the row of settings.
        t_min: smallest diffusion time.
        mask_token_id: id of the mask token.

    Returns:
        The loss in nats per counted token, and what to log.

    Raises:
        MaskingError: an example has no answer token.

    Source:
        Paper, steps 1 to 6 of the method; SFT as in d1 @ 837888f.
    """
    clean_ids, is_maskable = batch["clean_ids"], batch["is_maskable"]
    t = time_from_uniform(draws[0].to(clean_ids.device), t_min=t_min)
    uniform = draws[1].to(clean_ids.device)
    # Steps 1 and 2: how unsure is the model about each answer token, relative to the others?
    entropy = None
    rate = t[:, None].expand(clean_ids.shape)
    if method.masking == "token":
        in_scheme = is_maskable if method.padding_reference else is_maskable & ~batch["is_padding"]
        entropy = probe_entropy(predictor, clean_ids, is_maskable, mask_token_id=mask_token_id)
        ratio = relative_rate(entropy, in_scheme, exponent=method.exponent, reference=method.reference)
        # Steps 3 and 4: one time per example, one masking rate per token.
        rate = token_masking_rate(t, ratio, min_rate=method.min_token_masking_rate)
    # Step 5: mask, predict.
    noisy_ids, is_masked = mask_tokens(clean_ids, rate, uniform, is_maskable, mask_token_id=mask_token_id)
    logits = predictor(input_ids=noisy_ids, at=is_masked).logits
    token_nll = F.cross_entropy(logits.float(), clean_ids[is_masked], reduction="none")
    # Step 6: weigh and divide.
    weight = inverse_rate(rate, is_masked) if method.weight == "inverse_rate" else torch.ones_like(token_nll)
    loss = masked_loss(token_nll, weight, is_masked, is_maskable, divisor=method.divisor)
    record = StepRecord(
        masked_share=(is_masked.sum() / is_maskable.sum()).item(),
        mean_t=t.mean().item(),
        mean_entropy=None if entropy is None else entropy[in_scheme].mean().item(),
    )
    return loss, record


@torch.no_grad()
def probe_entropy(
    predictor: Predictor, clean_ids: TokenIds, is_maskable: TokenMask, *, mask_token_id: int
) -> TokenFloats:
    """Mask every answer token and return the entropy of the prediction at each.

    Args:
        predictor: the model, possibly wrapped; a module is put into evaluation mode for the pass.
        clean_ids: the clean sequences.
        is_maskable: True on the answer, padding included: where the answer ends is part of the answer.
        mask_token_id: id of the mask token.

    Returns:
        H in nats at answer positions, 0 elsewhere.

    Raises:
        MaskingError: an example has no answer token.

    Source:
        Paper, step 1.  Dropout is off here; LIFT leaves it on (docs/deviations.md).
    """
    require_maskable(is_maskable)
    training = getattr(predictor, "training", False)
    if training:
        predictor.eval()  # type: ignore[attr-defined]
    try:
        fully_masked = torch.where(is_maskable, mask_token_id, clean_ids)
        entropy = token_entropy(predictor(input_ids=fully_masked, at=is_maskable).logits)
    finally:
        if training:
            predictor.train()  # type: ignore[attr-defined]
    return torch.zeros(clean_ids.shape, device=clean_ids.device).masked_scatter(is_maskable, entropy)
