"""The probe pass: the uncertainty of a model about each answer token while the whole answer is masked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from weft.axes import FlatFloats, FlatIds, FlatLogits, TokenFloats, TokenMask
from weft.config.methods import Method
from weft.data.collate import TrainingBatch
from weft.diffusion import require_maskable, token_entropy, token_nll
from weft.errors import find_by_name
from weft.model import Predictor

UNCERTAINTIES: dict[str, Callable[[FlatLogits, FlatIds], FlatFloats]] = {
    "entropy": lambda logits, target_ids: token_entropy(logits),
    "nll": token_nll,
}
"""Value of `Method.rate_source` -> function of logits (tokens x vocab) and true token ids, in nats."""


@torch.no_grad()
def probe_uncertainty(
    predictor: Predictor, batch: TrainingBatch, *, method: Method, mask_token_id: int
) -> TokenFloats:
    """Mask the whole answer and return the model's uncertainty about each of its tokens.

    Args:
        predictor: the model, possibly wrapped; it is put into evaluation mode during the pass unless the
            method keeps dropout active.
        batch: the training batch.
        method: settings; ``rate_source`` selects the measure of uncertainty, ``padding_probed`` determines
            whether padding is masked as well. Visible padding shows the model where the answer ends.
        mask_token_id: id of the mask token.

    Returns:
        Entropy or negative log-likelihood in nats where a token has its own masking rate, 0 elsewhere.

    Raises:
        ConfigError: ``rate_source`` is unknown.
        MaskingError: an example has no answer token.

    Source:
        Paper, step 1. Dropout is off here; LIFT keeps it on (docs/deviations.md).
    """
    measure = find_by_name("rate_source of a probe", method.rate_source, UNCERTAINTIES)
    clean_ids, is_hidden = batch["clean_ids"], batch["is_maskable"]
    if not method.padding_probed:
        is_hidden = is_hidden & ~batch["is_padding"]
    require_maskable(is_hidden)
    has_rate = has_token_rate(batch, method)
    target_ids = clean_ids[has_rate]

    def uncertainty(logits: Tensor, tokens: slice) -> Tensor:
        return measure(logits, target_ids[tokens])

    fully_masked = torch.where(is_hidden, mask_token_id, clean_ids)
    with _evaluation_mode(predictor, enabled=not method.probe_dropout):
        values = predictor(input_ids=fully_masked, logits_positions=has_rate, logits_fn=uncertainty).outputs
    assert values is not None, "a predictor returns outputs if it is given logits_fn"
    return torch.zeros(clean_ids.shape, device=clean_ids.device).masked_scatter(has_rate, values)


def has_token_rate(batch: TrainingBatch, method: Method) -> TokenMask:
    """Return True where a token has its own masking rate; all others are masked at rate t."""
    if method.padding_reference:
        return batch["is_maskable"]
    return batch["is_maskable"] & ~batch["is_padding"]


@contextmanager
def _evaluation_mode(predictor: Predictor, *, enabled: bool) -> Iterator[None]:
    """Put a module that is in training mode into evaluation mode for the duration of a block."""
    if not (enabled and isinstance(predictor, torch.nn.Module) and predictor.training):
        yield
        return
    predictor.eval()
    try:
        yield
    finally:
        predictor.train()
