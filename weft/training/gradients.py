"""Comparison of the methods' gradients at the parameters of the base model.

All methods get the same examples and the same random numbers. For each draw of times and masks, the gradient
of an optimiser step is divided into six contributions: those of five groups of answer tokens, sorted from
low to high entropy, and that of the padding.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.stats
import torch
from torch import Tensor, nn

from weft.axes import TokenFloats
from weft.config.methods import Method
from weft.config.training import GradientStudy, Training
from weft.data.collate import TrainingBatch
from weft.errors import TrainingError
from weft.model import Predictor
from weft.model.predictor import MaskPredictor
from weft.training.objective import ForwardProcess, NoisyBatch, add_noise, normalize_weights
from weft.training.probe import probe_uncertainty
from weft.training.probe_cache import CachedUncertainty, probe_batch
from weft.training.uniforms import KeyedUniforms

NUM_QUINTILES = 5
NUM_GROUPS = NUM_QUINTILES + 1
"""Number of groups of tokens: the quintiles of the entropy, lowest first, and the padding."""
CONFIDENCE = 0.95
MAX_BYTES = 8 * 2**30
"""Upper bound of the memory for the gradients of all draws."""
ENTROPY = Method.model_validate({"preset": "weft"})
CONTROL = Method.model_validate({"preset": "sft"})

Statistics = dict[str, np.ndarray | float]


@dataclass(frozen=True, kw_only=True)
class GradientSamples:
    """Gradients of a method in each draw of the noise, and sums over all draws for each group of tokens.

    Attributes:
        by_group: gradient of each group of tokens, draws x groups x parameters.
        num_masked: number of masked tokens of each group.
        weight: sum of the loss weights of each group.
        loss: sum of the losses of each group, in nats.
    """

    by_group: Tensor
    num_masked: np.ndarray
    weight: np.ndarray
    loss: np.ndarray


def study_gradients(
    model: MaskPredictor,
    batch: TrainingBatch,
    methods: Mapping[str, Method],
    study: GradientStudy,
    training: Training,
    *,
    mask_token_id: int,
) -> pd.DataFrame:
    """Compare the gradients of one optimiser step over many draws.

    Args:
        model: the base model.
        batch: the examples of the step.
        methods: settings of the methods by name.
        study: number of draws and their seed.
        training: smallest diffusion time, and the modules with adapters. Only the weights of these modules
            are studied; all weights if the experiment trains without adapters.
        mask_token_id: id of the mask token.

    Returns:
        A row per method and quintile of the answer tokens' entropy (1 is the lowest): num_tokens;
        mean_entropy (nats); mean_rate, the share of draws in which a token is masked; weight_share and
        loss_share, the quintile's part of the expected weights and losses; gradient_share =
        <E g_q, E g> / |E g|^2; relative_variance = E |g - E g|^2 / |E g|^2, of the whole step;
        gradient_norm = |E g|; cosine_to_sft, between E g and that of SFT; intervals by the jackknife over
        draws. Shares of quintiles and padding add up to 1. Squares of means are corrected for the variance
        between draws.

    Raises:
        TrainingError: the gradients do not fit into memory.

    Source:
        A study of weft, which examines whether the weight 1/t_i cancels the effect of more frequent masking.
    """
    assert isinstance(model, nn.Module), "a mask predictor is a module"
    parameters = _select_parameters(model, training, num_draws=study.num_draws)
    entropy = probe_uncertainty(model, batch, method=ENTROPY, mask_token_id=mask_token_id)
    group = _token_groups(entropy, batch)

    def sample(method: Method) -> GradientSamples:
        process = ForwardProcess(method=method, t_min=training.t_min, mask_token_id=mask_token_id)
        return _sample_gradients(model, parameters, _draw_noise(model, batch, process, study), group)

    control = sample(CONTROL)
    frames = []
    for name, method in methods.items():
        samples = sample(method)
        num_masks = method.masks_per_example * study.num_draws
        frames.append(_summarise(name, samples, control, entropy, group, num_masks=num_masks))
    return pd.concat(frames, ignore_index=True).assign(num_draws=study.num_draws)


def _select_parameters(model: nn.Module, training: Training, *, num_draws: int) -> list[Tensor]:
    """Enable gradients for the parameters of the target modules only, and check that they fit into memory."""
    parameters: list[Tensor] = [
        parameter
        for name, parameter in model.named_parameters()
        if training.lora is None or any(f".{module}." in name for module in training.lora.target_modules)
    ]
    size = sum(parameter.numel() for parameter in parameters)
    num_bytes = 4 * size * num_draws * (NUM_GROUPS + 1)
    if num_bytes > MAX_BYTES:
        raise TrainingError(
            f"the gradients of {size} parameters over {num_draws} draws must fit into {MAX_BYTES} bytes, "
            f"got {num_bytes} bytes; lower gradient_study.num_draws or study a smaller model"
        )
    model.requires_grad_(False)
    for parameter in parameters:
        parameter.requires_grad_(True)
    return parameters


def _token_groups(entropy: TokenFloats, batch: TrainingBatch) -> Tensor:
    """Return the group of each token: quintile by entropy, the last group for padding, -1 for the prompt."""
    is_answer = batch["is_maskable"] & ~batch["is_padding"]
    group = torch.full(entropy.shape, -1, device=entropy.device)
    group[batch["is_maskable"] & batch["is_padding"]] = NUM_QUINTILES
    rank = entropy[is_answer].argsort(stable=True).argsort(stable=True)
    group[is_answer] = rank * NUM_QUINTILES // len(rank)
    return group


def _draw_noise(
    model: Predictor, batch: TrainingBatch, process: ForwardProcess, study: GradientStudy
) -> Iterator[NoisyBatch]:
    """Yield the batch with the noise of each draw; the probe runs once, because the model is fixed."""
    num_rows, length = batch["clean_ids"].shape
    method, cached = process.method, None
    if method.has_probe:
        probed = probe_batch(model, batch, method=method, mask_token_id=process.mask_token_id)
        cached = CachedUncertainty(dict(probed))
    for draw in range(study.num_draws):
        uniforms = KeyedUniforms(
            seed=study.seed,
            epoch=draw,
            example_keys=batch["example_key"],
            index_in_epoch=torch.arange(num_rows),
            batch_size=num_rows,
            length=length,
            t_sampling=method.t_sampling,
        )
        noisy = add_noise(model, batch, uniforms, process, cached=cached)
        yield normalize_weights([noisy], method)[0]


def _sample_gradients(
    model: MaskPredictor, parameters: Sequence[Tensor], draws: Iterator[NoisyBatch], group: Tensor
) -> GradientSamples:
    """Compute the gradient of each group of tokens in each draw."""
    gradients = []
    num_masked, weight, loss = (np.zeros(NUM_GROUPS) for _ in range(3))
    for noisy in draws:
        by_group = torch.zeros(NUM_GROUPS, sum(parameter.numel() for parameter in parameters))
        num_copies = len(noisy.clean_ids) // len(group)
        group_of_token = group.repeat(num_copies, 1)[noisy.is_predicted]
        hidden = model.hidden_states(noisy.noisy_ids)[noisy.is_predicted]
        targets, token_weights = noisy.clean_ids[noisy.is_predicted], noisy.weight[noisy.is_predicted]
        for index in group_of_token.unique().tolist():
            in_group = group_of_token == index
            group_loss, _ = model.lm_head(hidden, targets=targets, token_weights=token_weights * in_group)
            slopes = torch.autograd.grad(group_loss, parameters, retain_graph=True)
            by_group[index] = torch.cat([slope.flatten().float().cpu() for slope in slopes])
            num_masked[index] += int(in_group.sum())
            weight[index] += float((token_weights * in_group).sum())
            loss[index] += float(group_loss.detach())
        gradients.append(by_group)
    return GradientSamples(by_group=torch.stack(gradients), num_masked=num_masked, weight=weight, loss=loss)


def _summarise(
    name: str,
    samples: GradientSamples,
    control: GradientSamples,
    entropy: TokenFloats,
    group: Tensor,
    *,
    num_masks: int,
) -> pd.DataFrame:
    """Return the rows of one method in the table of `study_gradients`."""
    products = _inner_products(samples, control)
    statistics, half_widths = _statistics(*products), _half_widths(products)
    in_quintile = [group == quintile for quintile in range(NUM_QUINTILES)]
    num_tokens = np.array([int(is_member.sum()) for is_member in in_quintile])
    columns = {
        "method": name,
        "quintile": np.arange(1, NUM_QUINTILES + 1),
        "num_tokens": num_tokens,
        "mean_entropy": [float(entropy[is_member].mean()) for is_member in in_quintile],
        "mean_rate": samples.num_masked[:NUM_QUINTILES] / (num_tokens * num_masks),
        "weight_share": samples.weight[:NUM_QUINTILES] / samples.weight.sum(),
        "loss_share": samples.loss[:NUM_QUINTILES] / samples.loss.sum(),
    }
    for key in ("gradient_share", "relative_variance", "cosine_to_sft"):
        value, half_width = statistics[key], half_widths[key]
        columns |= {key: value, f"{key}_low": value - half_width, f"{key}_high": value + half_width}
    return pd.DataFrame(columns | {"gradient_norm": statistics["gradient_norm"]})


def _inner_products(samples: GradientSamples, control: GradientSamples) -> tuple[np.ndarray, ...]:
    """Compute the inner products of gradients g of a method and h of SFT, for all pairs of draws m and n.

    They are <g_m of a group, g_n>, groups x draws x draws; and <g_m, h_n> and <h_m, h_n>, draws x draws.
    """
    total, control_total = samples.by_group.sum(dim=1), control.by_group.sum(dim=1)
    return (
        torch.einsum("mgp,np->gmn", samples.by_group, total).double().numpy(),
        (total @ control_total.T).double().numpy(),
        (control_total @ control_total.T).double().numpy(),
    )


def _statistics(
    group_total: np.ndarray, total_control: np.ndarray, control_control: np.ndarray
) -> Statistics:
    """Compute the statistics of `study_gradients` that depend on gradients, from their inner products."""
    square, variance = square_of_mean(group_total.sum(axis=0))
    by_group = np.array([square_of_mean(products)[0] for products in group_total])
    across, _ = square_of_mean(total_control)
    control, _ = square_of_mean(control_control)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "gradient_share": by_group[:NUM_QUINTILES] / square,
            "relative_variance": variance / square,
            "gradient_norm": np.sqrt(square),
            "cosine_to_sft": across / np.sqrt(square * control),
        }


def _half_widths(products: tuple[np.ndarray, ...]) -> Statistics:
    """Compute half-widths of normal confidence intervals for `_statistics` by the jackknife over draws."""
    count = products[0].shape[-1]
    replicates = []
    for draw in range(count):
        kept = np.delete(np.arange(count), draw)
        replicates.append(_statistics(*(pairs[..., kept[:, None], kept] for pairs in products)))
    z = scipy.stats.norm.ppf((1 + CONFIDENCE) / 2)
    return {
        key: z * np.sqrt((count - 1) * np.var(np.array([replicate[key] for replicate in replicates]), axis=0))
        for key in replicates[0]
    }


def square_of_mean(products: np.ndarray) -> tuple[float, float]:
    """Compute unbiased estimates of <E a, E b> and of the covariance of a and b from all <a_m, b_n>."""
    count, same = len(products), np.trace(products)
    square = (products.sum() - same) / (count * (count - 1))
    return square, same / count - square
