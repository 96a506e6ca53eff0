"""One objective for all methods: probe, rates, masks, weights, as the settings say.

The steps of the paper's method, in its order; for SFT the first two fall away.  A step of training
corrupts all its micro-batches first (`corrupt`), since what the loss is divided by is counted over
all of them, and then computes the loss of each (`noisy_loss`).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.axes import BatchFloats, FlatFloats, FlatIds, Scalar, TokenFloats, TokenIds, TokenMask
from weft.config.methods import Method
from weft.diffusion import (
    cart_weight,
    elbo_weight,
    inverse_rate,
    mask_tokens,
    permute_within_examples,
    reference_rate,
    relative_rate,
    require_maskable,
    time_from_uniform,
    token_entropy,
    token_masking_rate,
    token_nll,
    tokens_to_divide_by,
)
from weft.model import Predictor
from weft.training.corruption import Draws

RECORD_FIELDS = ("masked_share", "mean_t", "mean_rate", "mean_uncertainty", "bounded_share")
"""What is logged: share of maskable tokens masked; mean time; mean rate of the tokens in the scheme, their
mean uncertainty (nats), and the share of them whose rate was raised to its bound."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Who is masked how often.

    Attributes:
        relative: r = beta_i/beta_ref, 1 outside the scheme.
        uncertainty: entropy or negative log-likelihood in nats, 0 outside the scheme; None without a probe.
        in_scheme: True where a token has a rate of its own.
    """

    relative: TokenFloats
    uncertainty: TokenFloats | None
    in_scheme: TokenMask


@dataclass(frozen=True, kw_only=True)
class NoisyBatch:
    """A micro-batch after corruption; with several masks per example, one row for each.

    Attributes:
        noisy_ids: what the model sees.
        is_predicted: True where a token was masked and counts in the loss.
        target_ids: the clean tokens there, in row-major order.
        weight: their loss weights, not yet divided, no unit.
        divide_by: number of tokens of each row that the loss is divided by; 0 in rows that only fill up.
        sums: numerators and denominators of RECORD_FIELDS, two for each, to be added up.
    """

    noisy_ids: TokenIds
    is_predicted: TokenMask
    target_ids: FlatIds
    weight: FlatFloats
    divide_by: BatchFloats
    sums: Tensor


def corrupt(
    predictor: Predictor,
    batch: dict[str, Tensor],
    draws: Draws,
    *,
    method: Method,
    t_min: float,
    mask_token_id: int,
    known_uncertainty: TokenFloats | None = None,
    dataset_reference: float | None = None,
) -> NoisyBatch:
    """Mask the answers of one micro-batch under a method.

    Args:
        predictor: the model, possibly wrapped; asked for the uncertainty unless that is known.
        batch: clean_ids, is_maskable, is_padding (batch x length) and, optionally, is_filler (batch).
        draws: uniform numbers.
        method: the row of settings.
        t_min: smallest diffusion time.
        mask_token_id: id of the mask token.
        known_uncertainty: from a cached probe, in nats, batch x length.
        dataset_reference: beta_ref over the data set, where the method wants that one.

    Returns:
        The noisy rows and the weights of their masked tokens.

    Raises:
        MaskingError: an example has no answer token.

    Source:
        Paper, steps 1 to 6 of the method; SFT as in d1 @ 837888f.
    """
    clean_ids, is_noised, is_predictable = batch["clean_ids"], *_roles(batch, method)
    require_maskable(is_noised)
    device = clean_ids.device
    # Steps 1 and 2: how unsure is the model about each answer token, relative to the others?
    rates = relative_rates(
        predictor,
        batch,
        draws,
        method=method,
        mask_token_id=mask_token_id,
        known_uncertainty=known_uncertainty,
        dataset_reference=dataset_reference,
    )
    rows: list[tuple[Tensor, ...]] = []
    for copy in range(method.masks_per_example):
        # Steps 3 and 4: one time per example, one masking rate per token.
        is_complement = method.t_sampling == "complementary" and copy == 1
        t = time_from_uniform(draws.time(0 if is_complement else copy).to(device), t_min=t_min)
        if method.t_sampling == "complementary":
            t = t.clamp(max=1 - t_min)  # the complement's rates are bounded like the first mask's
        rate = t[:, None].expand(clean_ids.shape)
        if method.masking == "token":
            rate = token_masking_rate(t, rates.relative, min_rate=method.min_token_masking_rate)
        # Step 5: mask.
        if is_complement:
            is_masked, rate = is_noised & ~rows[0][1], 1 - rate
        else:
            _, is_masked = mask_tokens(
                clean_ids, rate, draws.mask(copy).to(device), is_noised, mask_token_id=mask_token_id
            )
        if method.nothing_masked == "uniform" and not bool(is_masked.any()):
            is_masked = is_noised & (draws.fallback().to(device) < t[:, None])
        weight = _weight(method, t, rates.relative, rate, is_masked)
        rows.append((weight, is_masked, t, rate))
    is_masked = torch.cat([row[1] for row in rows])
    copies = method.masks_per_example
    clean, real = clean_ids.repeat(copies, 1), _is_real(batch).repeat(copies)
    is_predictable = is_predictable.repeat(copies, 1)
    is_predicted = is_masked & is_predictable
    dense = torch.zeros(clean.shape, device=device).masked_scatter(
        is_masked, torch.cat([row[0] for row in rows])
    )
    dense = dense * real[:, None]
    divide_by = tokens_to_divide_by(is_predicted, is_predictable, divisor=method.divisor) * real
    return NoisyBatch(
        noisy_ids=torch.where(is_masked, mask_token_id, clean),
        is_predicted=is_predicted,
        target_ids=clean[is_predicted],
        weight=dense[is_predicted],
        divide_by=divide_by,
        sums=_sums(
            method,
            rates,
            is_predicted=is_predicted,
            is_predictable=is_predictable,
            is_real=real,
            times=[row[2] for row in rows],
            rate=rows[0][3],
        ),
    )


def noisy_loss(predictor: Predictor, noisy: NoisyBatch, row_scale: BatchFloats) -> tuple[Scalar, FlatFloats]:
    """Predict the masked tokens and sum their weighted losses: step 6.

    Args:
        predictor: the model, possibly wrapped.
        noisy: the corrupted rows.
        row_scale: what the loss of each row is multiplied by (`scale_rows`).

    Returns:
        The loss, with a gradient, and each masked token's negative log-likelihood in nats, without.
    """
    row = noisy.is_predicted.nonzero()[:, 0]
    output = predictor(
        input_ids=noisy.noisy_ids,
        logits_positions=noisy.is_predicted,
        targets=noisy.target_ids,
        token_weights=noisy.weight * row_scale[row],
    )
    assert output.loss is not None, "targets were given"
    assert output.token_nll is not None, "targets were given"
    return output.loss, output.token_nll


def scale_rows(noisy: NoisyBatch, method: Method, totals: Tensor, *, num_parts: int) -> BatchFloats:
    """Say what the summed loss of each row is multiplied by.

    Args:
        noisy: the rows of one micro-batch.
        method: the row of settings.
        totals: tokens to divide by, and rows that count, over the whole batch of the optimiser step.
        num_parts: micro-batches of the step, over all processes; the losses of the parts are averaged later.

    Returns:
        One factor per row: so that the average over the parts is the loss over the whole batch divided
        by its tokens; or the average over its examples of each one's loss divided by its tokens; or the
        average of each micro-batch's loss divided by its tokens (d1's; it depends on the micro-batch size).

    Source:
        d1 @ 837888f and LIFT @ a95b858 count over the micro-batch.  With one example in each, their choice
        is ``divisor_scope: example``.
    """
    counts = noisy.divide_by
    if method.divisor_scope == "batch":
        return (num_parts / totals[0].clamp(min=1)).expand_as(counts)
    if method.divisor_scope == "example":
        return num_parts / (counts.clamp(min=1) * totals[1].clamp(min=1))
    return (1 / counts.sum().clamp(min=1)).expand_as(counts)


def step_totals(noisy: NoisyBatch) -> Tensor:
    """Count the tokens to divide by and the rows that count, to be added up over the step."""
    is_real = noisy.sums[3]  # rows counted for the mean time
    return torch.stack([noisy.divide_by.sum().double(), is_real])


def diffusion_loss(
    predictor: Predictor,
    batch: dict[str, Tensor],
    draws: Draws,
    *,
    method: Method,
    t_min: float,
    mask_token_id: int,
    **known: Any,
) -> tuple[Scalar, NoisyBatch]:
    """Compute the loss of a batch that is one micro-batch.

    Args:
        predictor: the model, possibly wrapped.
        batch: as for `corrupt`.
        draws: uniform numbers.
        method: the row of settings.
        t_min: smallest diffusion time.
        mask_token_id: id of the mask token.
        **known: ``known_uncertainty`` and ``dataset_reference`` of `corrupt`.

    Returns:
        The loss in nats per counted token, and the corrupted batch.

    Raises:
        MaskingError: an example has no answer token.

    Source:
        Paper, steps 1 to 6 of the method; SFT as in d1 @ 837888f.
    """
    noisy = corrupt(predictor, batch, draws, method=method, t_min=t_min, mask_token_id=mask_token_id, **known)
    totals = step_totals(noisy).to(torch.float32)
    loss, _ = noisy_loss(predictor, noisy, scale_rows(noisy, method, totals, num_parts=1))
    return loss, noisy


def relative_rates(
    predictor: Predictor,
    batch: dict[str, Tensor],
    draws: Draws,
    *,
    method: Method,
    mask_token_id: int,
    known_uncertainty: TokenFloats | None = None,
    dataset_reference: float | None = None,
) -> Rates:
    """Give every token its relative masking rate: steps 1 and 2.

    Args:
        predictor: as for `corrupt`, like the other arguments.
        batch: see there.
        draws: see there; used by the permuted control only.
        method: see there.
        mask_token_id: see there.
        known_uncertainty: see there.
        dataset_reference: see there.

    Returns:
        The rates, all 1 for a method without a probe.

    Raises:
        MaskingError: an example has no answer token.

    Source:
        Paper, steps 1, 2 and 4 of the method.
    """
    clean_ids, in_scheme = batch["clean_ids"], scheme_positions(batch, method)
    if not method.has_probe:
        ones = torch.ones(clean_ids.shape, device=clean_ids.device)
        return Rates(relative=ones, uncertainty=None, in_scheme=in_scheme)
    uncertainty = known_uncertainty
    if uncertainty is None:
        uncertainty = probe_uncertainty(predictor, batch, method=method, mask_token_id=mask_token_id)
    beta = uncertainty.pow(method.exponent)
    if method.permuted:
        beta = permute_within_examples(beta, in_scheme, draws.permutation().to(beta.device))
    if method.reference == "dataset":
        assert dataset_reference is not None, "the reference over the data set comes with a cached probe"
        reference = beta.new_full(beta.shape[:1], dataset_reference)
    else:
        reference = reference_rate(beta, in_scheme, over_batch=method.reference == "micro_batch")
    relative = relative_rate(beta, in_scheme, reference)
    return Rates(relative=relative, uncertainty=uncertainty, in_scheme=in_scheme)


def scheme_positions(batch: dict[str, Tensor], method: Method) -> TokenMask:
    """Say which tokens have a masking rate of their own; the others of the answer are masked at rate t."""
    is_noised, _ = _roles(batch, method)
    return is_noised if method.padding_reference else is_noised & ~batch["is_padding"]


@torch.no_grad()
def probe_uncertainty(
    predictor: Predictor, batch: dict[str, Tensor], *, method: Method, mask_token_id: int
) -> TokenFloats:
    """Mask every answer token and return how unsure the model is about each.

    Args:
        predictor: the model, possibly wrapped; a module is put into evaluation mode for the pass, unless
            the method leaves dropout on.
        batch: clean_ids, is_maskable and is_padding, each batch x length.
        method: says what is asked for, where, and whether padding is masked too: where the answer ends is
            part of the answer.
        mask_token_id: id of the mask token.

    Returns:
        Entropy or negative log-likelihood in nats at the positions of the scheme, 0 elsewhere.

    Raises:
        MaskingError: an example has no answer token.

    Source:
        Paper, step 1.  Dropout is off here; LIFT leaves it on (docs/deviations.md).
    """
    clean_ids, is_hidden = batch["clean_ids"], batch["is_maskable"]
    if not method.padding_probed:
        is_hidden = is_hidden & ~batch["is_padding"]
    require_maskable(is_hidden)
    at = scheme_positions(batch, method)
    target_ids = clean_ids[at]

    def measure(logits: Tensor, positions: slice) -> Tensor:
        if method.rate_source == "nll":
            return token_nll(logits, target_ids[positions])
        return token_entropy(logits)

    is_training = getattr(predictor, "training", False) and not method.probe_dropout
    if is_training:
        predictor.eval()  # type: ignore[attr-defined]
    try:
        fully_masked = torch.where(is_hidden, mask_token_id, clean_ids)
        values = predictor(input_ids=fully_masked, logits_positions=at, logits_fn=measure).outputs
        assert values is not None, "logits_fn was given"
    finally:
        if is_training:
            predictor.train()  # type: ignore[attr-defined]
    return torch.zeros(clean_ids.shape, device=clean_ids.device).masked_scatter(at, values)


def _roles(batch: dict[str, Tensor], method: Method) -> tuple[TokenMask, TokenMask]:
    """Say which tokens are masked, and which of these are predicted."""
    is_answer, is_real = batch["is_maskable"], ~batch["is_padding"]
    is_noised = is_answer if method.padding_masked else is_answer & is_real
    return is_noised, is_noised if method.padding_in_loss else is_noised & is_real


def _is_real(batch: dict[str, Tensor]) -> Tensor:
    if "is_filler" in batch:
        return (~batch["is_filler"]).to(torch.float32)
    return torch.ones(batch["clean_ids"].shape[0], device=batch["clean_ids"].device)


def _weight(method: Method, t: Tensor, relative: Tensor, rate: Tensor, is_masked: Tensor) -> Tensor:
    """Weigh the masked tokens, flat."""
    if method.weight == "none":
        return torch.ones(int(is_masked.sum()), device=is_masked.device)
    if method.weight == "elbo":
        weight = elbo_weight(t, relative, rate, is_masked)
    elif method.weight == "cart":
        weight = cart_weight(is_masked, p=method.cart_p)
    else:
        power = method.weight_power if method.weight == "inverse_rate" else 1.0
        weight = inverse_rate(rate, is_masked, power=power)
        if method.weight == "relative":
            weight = weight * relative[is_masked]
        elif method.weight == "cart_inverse_rate":
            weight = weight * cart_weight(is_masked, p=method.cart_p)
    return weight if method.max_weight is None else weight.clamp(max=method.max_weight)


def _sums(
    method: Method,
    rates: Rates,
    *,
    is_predicted: Tensor,
    is_predictable: Tensor,
    is_real: Tensor,
    times: list[Tensor],
    rate: Tensor,
) -> Tensor:
    """Add up what RECORD_FIELDS are ratios of, over the rows that count."""
    weight = is_real[: rate.shape[0]]
    in_scheme = rates.in_scheme * weight[:, None]
    rows = is_real.sum()

    def over_scheme(values: Tensor) -> tuple[Tensor, Tensor]:
        return (values * in_scheme).sum(), in_scheme.sum()

    none = torch.zeros((), device=rate.device)
    has_probe = rates.uncertainty is not None
    pairs = [
        ((is_predicted * is_real[:, None]).sum(), (is_predictable * is_real[:, None]).sum()),
        ((torch.cat(times) * is_real).sum(), rows),
        over_scheme(rate),
        over_scheme(rates.uncertainty) if rates.uncertainty is not None else (none, none),
        over_scheme((rate <= method.min_token_masking_rate).float()) if has_probe else (none, none),
    ]
    return torch.stack([part.double() for pair in pairs for part in pair])
