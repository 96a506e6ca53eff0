"""The training objective of SFT, WeFT and their variants, in the order of the paper's steps.

A method is a set of settings (`weft.config.methods.Method`). For each micro-batch, `add_noise` computes

1. `probe_uncertainty`: the model's uncertainty H_i about each answer token while the answer is masked;
2. `relative_rates`: r_i = beta_i / beta_ref with beta_i = H_i^p, where p = 1/2 in the paper;
3. `time_from_uniform`: one diffusion time t for each example;
4. `token_masking_rate`: t_i = 1 - (1 - t)^r_i for each token;
5. `mask_tokens`: each answer token is masked with probability t_i;
6. `token_weights`: the loss weight of each masked token, 1/t_i in the paper.

SFT omits steps 1 and 2 and masks all tokens at rate t. `normalize_weights` then divides the weights of all
micro-batches of an optimiser step by the number of tokens in the loss, and `masked_token_loss` predicts the
masked tokens and returns the weighted sum of their losses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from weft.axes import BatchFloats, BatchIds, FlatFloats, Scalar, TokenFloats, TokenIds, TokenMask
from weft.config.methods import Method
from weft.data.collate import TrainingBatch
from weft.diffusion import (
    cart_weight,
    elbo_weight,
    inverse_rate,
    mask_tokens,
    num_loss_tokens,
    permute_within_examples,
    reference_rate,
    relative_rate,
    require_maskable,
    time_from_uniform,
    token_masking_rate,
)
from weft.errors import find_by_name
from weft.model import Predictor
from weft.training.metrics import metric_sums
from weft.training.probe import has_token_rate, probe_uncertainty
from weft.training.probe_cache import CachedUncertainty
from weft.training.uniforms import Uniforms


@dataclass(frozen=True, kw_only=True)
class ForwardProcess:
    """Settings of the forward process, which adds noise to a batch.

    Attributes:
        method: settings of the method.
        t_min: smallest diffusion time, no unit.
        mask_token_id: id of the mask token.
    """

    method: Method
    t_min: float
    mask_token_id: int


@dataclass(frozen=True, kw_only=True)
class MaskCopy:
    """One mask of every example of a micro-batch.

    Attributes:
        t: diffusion time of each example.
        rate: masking rate t_i of each token.
        noisy_ids: token ids with the mask token where ``is_masked``.
        is_masked: True where a token is masked.
    """

    t: BatchFloats
    rate: TokenFloats
    noisy_ids: TokenIds
    is_masked: TokenMask


@dataclass(frozen=True, kw_only=True)
class NoisyBatch:
    """A micro-batch with noise; with several masks per example, it has one row for each of them.

    Attributes:
        example_keys: integer that identifies the example of each row.
        noisy_ids: input of the model.
        clean_ids: targets.
        is_predicted: True where a token is masked and counts in the loss.
        weight: loss weight of each predicted token, 0 in padding rows; normalized by `normalize_weights`.
        num_loss_tokens: number of tokens of each row by which the loss is divided; 0 in padding rows.
        num_rows: number of rows without padding rows.
        metric_sums: numerators and denominators of `weft.training.metrics.METRICS`.
    """

    example_keys: BatchIds
    noisy_ids: TokenIds
    clean_ids: TokenIds
    is_predicted: TokenMask
    weight: TokenFloats
    num_loss_tokens: BatchFloats
    num_rows: Scalar
    metric_sums: Tensor


def add_noise(
    predictor: Predictor,
    batch: TrainingBatch,
    uniforms: Uniforms,
    process: ForwardProcess,
    *,
    cached: CachedUncertainty | None = None,
) -> NoisyBatch:
    """Mask the answers of one micro-batch and weight the masked tokens: steps 1 to 6.

    Args:
        predictor: the model, possibly wrapped; called only if the method needs uncertainties that are not
            cached.
        batch: the training batch.
        uniforms: uniform random numbers.
        process: settings.
        cached: uncertainties of an earlier probe.

    Returns:
        The noisy rows and the weights of their masked tokens.

    Raises:
        MaskingError: an example has no answer token.

    Source:
        Paper, steps 1 to 6 of the method; SFT as in d1 @ 837888f.
    """
    method, clean_ids = process.method, batch["clean_ids"]
    is_noised, has_rate = batch["is_maskable"], has_token_rate(batch, method)
    if not method.padding_masked:
        is_noised = is_noised & ~batch["is_padding"]
    require_maskable(is_noised)
    uncertainty, relative = None, torch.ones(clean_ids.shape, device=clean_ids.device)
    if method.has_probe:
        if cached is not None:  # step 1
            uncertainty = cached.of_batch(batch["example_key"], has_rate)
        else:
            uncertainty = probe_uncertainty(
                predictor, batch, method=method, mask_token_id=process.mask_token_id
            )
        relative = relative_rates(uncertainty, has_rate, uniforms, method=method, cached=cached)  # step 2
    copies = draw_masks(clean_ids, is_noised, relative, uniforms, process)  # steps 3 to 5
    weights = [token_weights(copy, relative, method) for copy in copies]  # step 6
    is_predictable = is_noised if method.padding_in_loss else is_noised & ~batch["is_padding"]
    return join_copies(
        batch,
        copies,
        weights,
        is_predictable=is_predictable,
        has_rate=has_rate,
        uncertainty=uncertainty,
        method=method,
    )


def relative_rates(
    uncertainty: TokenFloats,
    has_rate: TokenMask,
    uniforms: Uniforms,
    *,
    method: Method,
    cached: CachedUncertainty | None = None,
) -> TokenFloats:
    """Compute beta_i = H_i^p and divide it by the reference rate: step 2.

    Args:
        uncertainty: H_i in nats.
        has_rate: True where a token has its own masking rate.
        uniforms: uniform random numbers; used by the permuted control only.
        method: settings.
        cached: uncertainties of the whole data set, for a reference rate over the data set.

    Returns:
        r_i = beta_i / beta_ref, exactly 1 where ``has_rate`` is False.

    Source:
        Paper, steps 2 and 4 of the method.
    """
    beta = uncertainty.pow(method.exponent)
    if method.permuted:
        beta = permute_within_examples(beta, has_rate, uniforms.permutation().to(beta.device))
    if method.reference == "dataset":
        assert cached is not None, "method.reference 'dataset' requires cached uncertainties"
        reference = beta.new_full(beta.shape[:1], cached.mean_beta(method.exponent))
    else:
        reference = reference_rate(beta, has_rate, over_batch=method.reference == "micro_batch")
    return relative_rate(beta, has_rate, reference)


def draw_masks(
    clean_ids: TokenIds,
    is_noised: TokenMask,
    relative: TokenFloats,
    uniforms: Uniforms,
    process: ForwardProcess,
) -> list[MaskCopy]:
    """Draw the masks of every example: steps 3 to 5.

    Args:
        clean_ids: clean token ids.
        is_noised: True where a token may be masked.
        relative: relative masking rate r_i of each token.
        uniforms: uniform random numbers.
        process: settings.

    Returns:
        ``masks_per_example`` masks. A complementary second mask covers the tokens that the first mask leaves
        visible; its rates are 1 - t_i.
    """
    method, device = process.method, clean_ids.device
    is_complementary = method.t_sampling == "complementary"
    mask = partial(mask_tokens, clean_ids, is_maskable=is_noised, mask_token_id=process.mask_token_id)
    copies: list[MaskCopy] = []
    for index in range(method.masks_per_example):
        if is_complementary and index == 1:
            t, rate = copies[0].t, 1 - copies[0].rate
            is_masked = is_noised & ~copies[0].is_masked
            noisy_ids = torch.where(is_masked, process.mask_token_id, clean_ids)
        else:
            t = time_from_uniform(uniforms.time(index).to(device), t_min=process.t_min)  # step 3
            if is_complementary:
                t = t.clamp(max=1 - process.t_min)  # bounds 1 - t, the rate of the second mask, by t_min
            rate = t[:, None].expand(clean_ids.shape)
            if method.masking == "token":
                rate = token_masking_rate(t, relative, min_rate=method.min_token_masking_rate)  # step 4
            noisy_ids, is_masked = mask(rate, uniforms.mask(index).to(device))  # step 5
        if method.nothing_masked == "uniform" and not bool(is_masked.any()):
            noisy_ids, is_masked = mask(t[:, None].expand(clean_ids.shape), uniforms.fallback().to(device))
        copies.append(MaskCopy(t=t, rate=rate, noisy_ids=noisy_ids, is_masked=is_masked))
    return copies


TOKEN_WEIGHTS: dict[str, Callable[[MaskCopy, TokenFloats, Method], TokenFloats]] = {
    "none": lambda copy, relative, method: copy.is_masked.to(relative.dtype),
    "inverse_rate": lambda copy, relative, method: inverse_rate(
        copy.rate, copy.is_masked, power=method.weight_power
    ),
    "relative": lambda copy, relative, method: inverse_rate(copy.rate, copy.is_masked) * relative,
    "elbo": lambda copy, relative, method: elbo_weight(copy.t, relative, copy.rate, copy.is_masked),
    "cart": lambda copy, relative, method: cart_weight(copy.is_masked, p=method.cart_p),
    "cart_inverse_rate": lambda copy, relative, method: (
        inverse_rate(copy.rate, copy.is_masked) * cart_weight(copy.is_masked, p=method.cart_p)
    ),
}
"""Value of `Method.weight` -> function of a mask, the relative rates and the settings."""


def token_weights(copy: MaskCopy, relative: TokenFloats, method: Method) -> TokenFloats:
    """Compute the loss weight of each masked token before normalization, and 0 elsewhere: step 6."""
    weight = find_by_name("weight", method.weight, TOKEN_WEIGHTS)(copy, relative, method)
    return weight if method.max_weight is None else weight.clamp(max=method.max_weight)


def join_copies(
    batch: TrainingBatch,
    copies: Sequence[MaskCopy],
    weights: Sequence[TokenFloats],
    *,
    is_predictable: TokenMask,
    has_rate: TokenMask,
    uncertainty: TokenFloats | None,
    method: Method,
) -> NoisyBatch:
    """Stack all masks of a micro-batch, with a row for each mask of each example, and count its tokens."""
    row_weight = (~batch["is_pad_row"]).to(torch.float32).repeat(len(copies))
    is_predictable = is_predictable.repeat(len(copies), 1)
    is_predicted = torch.cat([copy.is_masked for copy in copies]) & is_predictable
    num_tokens = num_loss_tokens(is_predicted, is_predictable, divisor=method.divisor)
    return NoisyBatch(
        example_keys=batch["example_key"].repeat(len(copies)),
        noisy_ids=torch.cat([copy.noisy_ids for copy in copies]),
        clean_ids=batch["clean_ids"].repeat(len(copies), 1),
        is_predicted=is_predicted,
        weight=torch.where(is_predicted, torch.cat(list(weights)), 0) * row_weight[:, None],
        num_loss_tokens=num_tokens * row_weight,
        num_rows=row_weight.sum(),
        metric_sums=metric_sums(
            is_predicted=is_predicted,
            is_predictable=is_predictable,
            row_weight=row_weight,
            t=torch.cat([copy.t for copy in copies]),
            rate=copies[0].rate,
            has_rate=has_rate,
            uncertainty=uncertainty,
            min_rate=method.min_token_masking_rate,
        ),
    )


def normalize_weights(
    parts: Sequence[NoisyBatch],
    method: Method,
    *,
    sum_over_processes: Callable[[Tensor], Tensor] = lambda counts: counts,
    num_processes: int = 1,
) -> list[NoisyBatch]:
    """Divide the weights of one optimiser step by the number of tokens in its loss.

    Args:
        parts: micro-batches of the step on this process.
        method: settings; ``divisor_scope`` selects the divisor.
        sum_over_processes: function that sums a tensor over all processes.
        num_processes: number of processes; all have the same number of micro-batches.

    Returns:
        The micro-batches with normalized weights. The mean of their losses depends on ``divisor_scope``. For
        ``batch`` it is the loss of the whole batch per token; for ``example``, the mean over the examples of
        the loss per token; for ``micro_batch``, the mean over the micro-batches of the loss per token, which
        depends on the micro-batch size.

    Source:
        d1 @ 837888f and LIFT @ a95b858 count over the micro-batch. Since their micro-batches have one
        example, this is ``divisor_scope: example``.
    """
    counts = [torch.stack([part.num_loss_tokens.sum(), part.num_rows]).double() for part in parts]
    num_tokens, num_rows = sum_over_processes(torch.stack(counts).sum(dim=0)).to(torch.float32)
    num_parts = len(parts) * num_processes  # the Trainer averages the losses of the parts

    def row_scale(part: NoisyBatch) -> BatchFloats:
        if method.divisor_scope == "batch":
            return (num_parts / num_tokens.clamp(min=1)).expand_as(part.num_loss_tokens)
        if method.divisor_scope == "example":
            return num_parts / (part.num_loss_tokens.clamp(min=1) * num_rows.clamp(min=1))
        return (1 / part.num_loss_tokens.sum().clamp(min=1)).expand_as(part.num_loss_tokens)

    return [replace(part, weight=part.weight * row_scale(part)[:, None]) for part in parts]


def masked_token_loss(predictor: Predictor, noisy: NoisyBatch) -> tuple[Scalar, FlatFloats]:
    """Predict the masked tokens and sum their weighted losses.

    Args:
        predictor: the model, possibly wrapped.
        noisy: a micro-batch whose weights are normalized.

    Returns:
        The loss with its gradient, and the negative log-likelihood of each masked token in nats, detached.
    """
    prediction = predictor(
        input_ids=noisy.noisy_ids,
        logits_positions=noisy.is_predicted,
        targets=noisy.clean_ids[noisy.is_predicted],
        token_weights=noisy.weight[noisy.is_predicted],
    )
    assert prediction.loss is not None, "a predictor returns a loss if it is given targets"
    assert prediction.token_nll is not None, "a predictor returns token_nll if it is given targets"
    return prediction.loss, prediction.token_nll
