"""The loss of examples that are not trained on.

The Trainer collects two numbers for each example from all batches and processes, and leaves out the
repetitions that fill the last batch. The mean therefore does not depend on how the examples are divided.
"""

from typing import Any

import numpy as np
from torch import Tensor

from weft.axes import FlatFloats
from weft.config.methods import Method
from weft.errors import TrainingError
from weft.training.objective import NoisyBatch


def require_live_probe(method: Method) -> None:
    """Raise a TrainingError if a method has uncertainties of the training examples only."""
    if method.has_probe and method.probe_model != "live":
        raise TrainingError(
            "eval_dataset must be None for a method whose probe model is "
            f"{method.probe_model!r}, because only the training examples are probed; leave eval_dataset out"
        )


def example_sums(noisy: NoisyBatch, token_nll: FlatFloats, *, num_examples: int) -> tuple[Tensor, Tensor]:
    """Return the weighted loss of each example in nats, and the number of tokens to divide it by.

    Args:
        noisy: the batch with noise; its weights are not normalized.
        token_nll: negative log-likelihood of each masked token.
        num_examples: examples in the batch, each of which may have several masks.

    Returns:
        Two vectors with an entry per example.
    """
    rows = noisy.is_predicted.nonzero()[:, 0]
    weighted = token_nll.float() * noisy.weight[noisy.is_predicted]
    losses = noisy.num_loss_tokens.new_zeros(len(noisy.num_loss_tokens)).index_add(0, rows, weighted)
    return losses.view(-1, num_examples).sum(0), noisy.num_loss_tokens.view(-1, num_examples).sum(0)


def mean_loss(losses: Any, num_tokens: Any, method: Method) -> float:
    """Return the loss per counted token, over all tokens or as a mean over the examples.

    Args:
        losses: weighted loss of each example, in nats.
        num_tokens: number of tokens of each example.
        method: settings; ``divisor_scope: batch`` counts over all examples together.

    Returns:
        The loss in nats per token.
    """
    losses, counts = np.asarray(losses, dtype=np.float64), np.asarray(num_tokens, dtype=np.float64)
    if method.divisor_scope == "batch":
        return float(losses.sum() / max(counts.sum(), 1))
    return float((losses / np.maximum(counts, 1)).mean())
