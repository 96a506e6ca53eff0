"""Small training batches, and the noise and the loss of a step that has one micro-batch."""

from typing import Any

import torch
from torch import Tensor

from tests.support.models import ScriptedModel
from weft.config.methods import Method
from weft.data.collate import TrainingBatch
from weft.model import Predictor
from weft.training.objective import (
    ForwardProcess,
    NoisyBatch,
    add_noise,
    masked_token_loss,
    normalize_weights,
)
from weft.training.probe_cache import CachedUncertainty
from weft.training.uniforms import Uniforms
from weft.verify.uniforms import GivenUniforms

MASK, PAD = 9, 8


def training_batch(
    clean_ids: Tensor, is_maskable: Tensor, is_padding: Tensor | None = None, is_pad_row: Tensor | None = None
) -> TrainingBatch:
    """Return a batch whose examples have the keys 0, 1, ..."""
    index = torch.arange(len(clean_ids))
    return TrainingBatch(
        clean_ids=clean_ids,
        is_maskable=is_maskable,
        is_padding=torch.zeros_like(is_maskable) if is_padding is None else is_padding,
        example_key=index,
        index_in_epoch=index,
        is_pad_row=torch.zeros_like(index).bool() if is_pad_row is None else is_pad_row,
    )


def step_loss(
    predictor: Predictor,
    batch: TrainingBatch,
    uniforms: Uniforms,
    process: ForwardProcess,
    cached: CachedUncertainty | None = None,
) -> tuple[Tensor, NoisyBatch]:
    """Compute the loss of a step with the functions that the Trainer calls."""
    noisy = add_noise(predictor, batch, uniforms, process, cached=cached)
    (noisy,) = normalize_weights([noisy], process.method)
    loss, _ = masked_token_loss(predictor, noisy)
    return loss, noisy


def method(preset: str = "weft", **changes: Any) -> Method:
    """Return a preset with some settings changed."""
    return Method.model_validate({"preset": preset} | changes)


def process(chosen: Method, mask_token_id: int = MASK) -> ForwardProcess:
    """Return the forward process of a method."""
    return ForwardProcess(method=chosen, t_min=1e-3, mask_token_id=mask_token_id)


def batch() -> TrainingBatch:
    """Return two examples of five tokens, with one and two tokens of padding."""
    clean = torch.tensor([[1, 2, 3, 4, PAD], [5, 6, 7, PAD, PAD]])
    maskable = torch.tensor([[False, True, True, True, True], [False, False, True, True, True]])
    return training_batch(clean, maskable, clean == PAD)


def uniforms(seed: int = 0) -> GivenUniforms:
    """Return random numbers for `batch`."""
    generator = torch.Generator().manual_seed(seed)
    return GivenUniforms(torch.rand(2, generator=generator), torch.rand(2, 5, generator=generator))


def random_model(seed: int = 0) -> ScriptedModel:
    """Return a model with random logits at five positions."""
    return ScriptedModel(torch.randn(5, 10, generator=torch.Generator().manual_seed(seed)))


def noisy_batch(
    predictor: Predictor,
    chosen: Method,
    seed: int = 0,
    given: GivenUniforms | None = None,
    cached: CachedUncertainty | None = None,
) -> NoisyBatch:
    """Add noise to `batch`."""
    return add_noise(predictor, batch(), given or uniforms(seed), process(chosen), cached=cached)
