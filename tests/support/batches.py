"""Training batches from tensors, and the loss of a step that has one micro-batch."""

from torch import Tensor, arange, zeros_like

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


def training_batch(
    clean_ids: Tensor, is_maskable: Tensor, is_padding: Tensor | None = None, is_pad_row: Tensor | None = None
) -> TrainingBatch:
    """Return a batch whose examples have the keys 0, 1, ..."""
    index = arange(len(clean_ids))
    return TrainingBatch(
        clean_ids=clean_ids,
        is_maskable=is_maskable,
        is_padding=zeros_like(is_maskable) if is_padding is None else is_padding,
        example_key=index,
        index_in_epoch=index,
        is_pad_row=zeros_like(index).bool() if is_pad_row is None else is_pad_row,
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
