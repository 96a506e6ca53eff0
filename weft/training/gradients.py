"""Gradients of the methods at fixed parameters: whose they are, and how much they vary.

All methods see the same examples, the same parameters (the base model's) and the same draws.  For
each draw of times and masks the gradient of one optimiser step is split into the parts that come
from each fifth of the answer tokens by entropy, and from padding.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
import torch
from torch import Tensor

from weft.config.experiment import GradientStudy
from weft.config.methods import Method
from weft.errors import TrainingError
from weft.training.corruption import SeededDraws
from weft.training.objective import (
    NoisyBatch,
    corrupt,
    probe_uncertainty,
    scale_rows,
    scheme_positions,
    step_totals,
)

NUM_QUINTILES = 5
NUM_GROUPS = NUM_QUINTILES + 1
"""The quintiles, the surest first, and padding."""
CONFIDENCE = 0.95
MAX_BYTES = 8 * 2**30
"""Of the gradients that are kept at one time."""
ENTROPY = Method.model_validate({"preset": "weft"})
CONTROL = Method.model_validate({"preset": "sft"})

Statistics = dict[str, np.ndarray]


def study_gradients(
    model: Any,
    batch: dict[str, Tensor],
    methods: Mapping[str, Method],
    study: GradientStudy,
    *,
    target_modules: Sequence[str] | None,
    t_min: float,
    mask_token_id: int,
) -> pd.DataFrame:
    """Compare the gradients of one optimiser step over many draws.

    Args:
        model: the base model.
        batch: the studied examples, collated: the batch of the step.
        methods: rows of settings by name.
        study: how many draws, and their seed.
        target_modules: modules whose weights are looked at, those that get adapters; all when empty.
        t_min: smallest diffusion time.
        mask_token_id: id of the mask token.

    Returns:
        A row per method and quintile of the answer tokens' entropy (1 is the surest fifth): num_tokens;
        mean_entropy (nats); mean_rate, the share of draws in which a token is masked; weight_share and
        loss_share, the quintile's part of the expected weights and losses; gradient_share =
        <E g_q, E g> / |E g|^2; relative_variance = E |g - E g|^2 / |E g|^2, of the whole step;
        gradient_norm = |E g|; cosine_to_sft, between E g and that of SFT; intervals by the jackknife over
        draws.
        Shares of quintiles and padding add up to 1.  Squares of means are corrected for the draws' variance.

    Raises:
        TrainingError: the gradients do not fit into memory.

    Source:
        Ours; the question whether 1/t_i cancels the more frequent masking is a reviewer's.
    """
    weights = [
        parameter
        for name, parameter in model.named_parameters()
        if target_modules is None or any(f".{module}." in name for module in target_modules)
    ]
    size = sum(weight.numel() for weight in weights)
    needed = 4 * size * study.num_draws * (NUM_GROUPS + 1)
    if needed > MAX_BYTES:
        raise TrainingError(
            f"gradients of {size} parameters over {study.num_draws} draws must fit into {MAX_BYTES} bytes, "
            f"they need {needed}; lower gradient_study.num_draws, or study a smaller model"
        )
    model.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    entropy = probe_uncertainty(model, batch, method=ENTROPY, mask_token_id=mask_token_id)
    group, counted = _groups(entropy, batch)
    about = {"t_min": t_min, "mask_token_id": mask_token_id}
    control = _Gradients(model, batch, CONTROL, study, group=group, weights=weights, about=about)
    frames = []
    for name, method in methods.items():
        gradients = _Gradients(model, batch, method, study, group=group, weights=weights, about=about)
        whole = gradients.by_group.sum(dim=1)
        reference = control.by_group.sum(dim=1)
        products = torch.einsum("mgp,np->gmn", gradients.by_group, whole).double().numpy()
        with_control = (whole @ reference.T).double().numpy()
        of_control = (reference @ reference.T).double().numpy()
        found = _statistics(products, with_control, of_control, np.arange(study.num_draws))
        low, high = _intervals(products, with_control, of_control, found)
        frames.append(
            pd.DataFrame(
                {
                    "method": name,
                    "quintile": np.arange(1, NUM_QUINTILES + 1),
                    "num_tokens": [int((group == q).sum()) for q in range(NUM_QUINTILES)],
                    "mean_entropy": [float(entropy[group == q].mean()) for q in range(NUM_QUINTILES)],
                    "mean_rate": gradients.masked / (counted * method.masks_per_example * study.num_draws),
                    "weight_share": gradients.share(gradients.weight),
                    "loss_share": gradients.share(gradients.loss),
                    "gradient_share": found["gradient_share"],
                    "gradient_share_low": low["gradient_share"],
                    "gradient_share_high": high["gradient_share"],
                    "relative_variance": float(found["relative_variance"]),
                    "relative_variance_low": float(low["relative_variance"]),
                    "relative_variance_high": float(high["relative_variance"]),
                    "gradient_norm": float(found["gradient_norm"]),
                    "cosine_to_sft": float(found["cosine_to_sft"]),
                    "num_draws": study.num_draws,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


class _Gradients:
    """The gradients of one method over all draws, and what the masks were like.

    Attributes:
        by_group: draws x groups x parameters.
        masked, weight, loss: sums over the draws, by group.
    """

    def __init__(
        self,
        model: Any,
        batch: dict[str, Tensor],
        method: Method,
        study: GradientStudy,
        *,
        group: Tensor,
        weights: list[Tensor],
        about: Mapping[str, Any],
    ) -> None:
        size = sum(weight.numel() for weight in weights)
        self.by_group = torch.zeros(study.num_draws, NUM_GROUPS, size)
        self.masked, self.weight, self.loss = (np.zeros(NUM_GROUPS) for _ in range(3))
        for number, noisy in enumerate(_corruptions(model, batch, method, study, about)):
            totals = step_totals(noisy).to(torch.float32)
            scale = scale_rows(noisy, method, totals, num_parts=1)[noisy.is_predicted.nonzero()[:, 0]]
            of_token = group.repeat(method.masks_per_example, 1)[noisy.is_predicted]
            hidden = model.hidden_states(noisy.noisy_ids)[noisy.is_predicted]
            for one in of_token.unique().tolist():
                chosen = of_token == one
                factor = noisy.weight * scale * chosen
                loss, _ = model.lm_head(hidden, targets=noisy.target_ids, token_weights=factor)
                slopes = torch.autograd.grad(loss, weights, retain_graph=True)
                self.by_group[number, one] = torch.cat([slope.flatten().float().cpu() for slope in slopes])
                self.masked[one] += int(chosen.sum())
                self.weight[one] += float(factor.sum())
                self.loss[one] += float(loss.detach())
        self.masked = self.masked[:NUM_QUINTILES]

    def share(self, sums: np.ndarray) -> np.ndarray:
        """Divide the quintiles' sums by that of all groups."""
        return sums[:NUM_QUINTILES] / sums.sum()


def _corruptions(
    model: Any,
    batch: dict[str, Tensor],
    method: Method,
    study: GradientStudy,
    about: Mapping[str, Any],
) -> Iterator[NoisyBatch]:
    """Corrupt the same examples again and again; the model does not change, so that it is asked once."""
    num_rows, length = batch["clean_ids"].shape
    known, reference = None, None
    if method.has_probe:
        known = probe_uncertainty(model, batch, method=method, mask_token_id=about["mask_token_id"])
        in_scheme = scheme_positions(batch, method)
        reference = known[in_scheme].double().pow(method.exponent).mean().item()
    for draw in range(study.num_draws):
        draws = SeededDraws(
            seed=study.seed,
            epoch=draw,
            example_keys=batch["example_key"],
            positions=torch.arange(num_rows),
            batch_size=num_rows,
            length=length,
            t_sampling=method.t_sampling,
        )
        yield corrupt(
            model,
            batch,
            draws,
            method=method,
            known_uncertainty=known,
            dataset_reference=reference,
            **about,
        )


def _groups(entropy: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, np.ndarray]:
    """Sort the answer tokens into fifths by entropy; padding is the last group, the prompt has none."""
    is_answer = batch["is_maskable"] & ~batch["is_padding"]
    group = torch.full(entropy.shape, -1, device=entropy.device)
    group[batch["is_maskable"] & batch["is_padding"]] = NUM_QUINTILES
    rank = entropy[is_answer].argsort(stable=True).argsort(stable=True)
    group[is_answer] = rank * NUM_QUINTILES // len(rank)
    counted = np.array([int((group == quintile).sum()) for quintile in range(NUM_QUINTILES)])
    return group, counted


def _statistics(
    products: np.ndarray, with_control: np.ndarray, of_control: np.ndarray, draws: np.ndarray
) -> Statistics:
    """Compute everything from inner products of the draws' gradients.

    Args:
        products: <g_mq, g_n>, groups x draws x draws.
        with_control: <g_m, h_n>, with the gradients h of SFT.
        of_control: <h_m, h_n>.
        draws: which draws to use, all or all but one.
    """
    cut = np.ix_(draws, draws)
    whole = products.sum(axis=0)
    square, variance = _square_of_mean(whole[cut])
    by_group = np.array([_square_of_mean(one[cut])[0] for one in products])
    across, _ = _square_of_mean(with_control[cut])
    control, _ = _square_of_mean(of_control[cut])
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "gradient_share": by_group[:NUM_QUINTILES] / square,
            "relative_variance": np.asarray(variance / square),
            "gradient_norm": np.sqrt(np.asarray(square)),
            "cosine_to_sft": across / np.sqrt(np.asarray(square * control)),
        }


def _square_of_mean(products: np.ndarray) -> tuple[float, float]:
    """Estimate <E a, E b> and the covariance from <a_m, b_n>, without bias: different draws only."""
    count = len(products)
    same, everything = float(np.trace(products)), float(products.sum())
    square = (everything - same) / (count * (count - 1))
    return square, same / count - square


def _intervals(
    products: np.ndarray, with_control: np.ndarray, of_control: np.ndarray, found: Statistics
) -> tuple[Statistics, Statistics]:
    """Leave out one draw after the other (jackknife); return the ends of normal intervals."""
    count = products.shape[1]
    left = [
        _statistics(products, with_control, of_control, np.delete(np.arange(count), number))
        for number in range(count)
    ]
    z = scipy.stats.norm.ppf((1 + CONFIDENCE) / 2)
    width = {name: z * np.sqrt((count - 1) * np.var([one[name] for one in left], axis=0)) for name in found}
    return {name: found[name] - width[name] for name in found}, {
        name: found[name] + width[name] for name in found
    }
