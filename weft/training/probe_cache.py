"""Uncertainties of a whole training set under a fixed model, computed once and stored in a file.

The name of the file contains a digest of everything on which the values depend, so that another model, other
data or other settings use another file. It also contains a digest of the values. Each rank probes its part
of the examples.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate.utils import gather_object
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from weft.axes import BatchIds, FlatFloats, TokenFloats, TokenMask
from weft.config.methods import Method
from weft.data.collate import Collate, Examples, TrainingBatch, move_to_device
from weft.model import Predictor
from weft.records.files import atomic_file
from weft.training.probe import has_token_rate, probe_uncertainty


@dataclass(frozen=True)
class CachedUncertainty:
    """Uncertainties of the examples of a training set, or of a part of it."""

    values: dict[int, FlatFloats]
    """Example key -> values in nats of the tokens that have a token-level masking rate, in token order."""

    def of_batch(self, example_keys: BatchIds, has_rate: TokenMask) -> TokenFloats:
        """Return the uncertainties of a batch by position, 0 where ``has_rate`` is False."""
        flat = torch.cat([self.values[key] for key in example_keys.tolist()]).to(has_rate.device)
        return torch.zeros(has_rate.shape, device=has_rate.device).masked_scatter(has_rate, flat)

    def mean_beta(self, exponent: float) -> float:
        """Return the mean of ``uncertainty ** exponent`` over all tokens: beta_ref of the data set."""
        return torch.cat(list(self.values.values())).double().pow(exponent).mean().item()


def probe_batch(
    predictor: Predictor, batch: TrainingBatch, *, method: Method, mask_token_id: int
) -> list[tuple[int, FlatFloats]]:
    """Probe one batch; return the key and the values in nats of each example, on the CPU."""
    uncertainty = probe_uncertainty(predictor, batch, method=method, mask_token_id=mask_token_id)
    rows = zip(batch["example_key"].tolist(), uncertainty, has_token_rate(batch, method), strict=True)
    return [(key, values[has_rate].cpu()) for key, values, has_rate in rows]


def probe_examples(
    predictor: Predictor,
    examples: Examples,
    collate: Collate,
    *,
    method: Method,
    mask_token_id: int,
    batch_size: int,
    device: torch.device,
) -> dict[int, FlatFloats]:
    """Probe all examples on all ranks together; return the values in nats by example key, on the CPU."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    # With sharded parameters all ranks must run the same number of forward passes.
    num_batches = -(-len(examples) // (batch_size * world))
    pairs: list[tuple[int, FlatFloats]] = []
    for number in range(num_batches):
        first = (number * world + rank) * batch_size
        chosen = [examples[index % len(examples)] for index in range(first, first + batch_size)]
        batch = move_to_device(collate(chosen), device)
        probed = probe_batch(predictor, batch, method=method, mask_token_id=mask_token_id)
        pairs += probed[: max(0, len(examples) - first)]  # drops the repetitions at the end
    return dict(gather_object(pairs))


def load_or_compute(
    path: Path, compute: Callable[[], dict[int, FlatFloats]], *, is_reusable: bool = True
) -> CachedUncertainty:
    """Load the values of a probe from a safetensors file, or compute and store them, on all ranks together.

    A damaged file is replaced, and so is one of an earlier training unless ``is_reusable``.
    """
    values = _load(path) if is_reusable else None
    # The ranks must decide together: one that starts later may already find the file of another.
    if not all(gather_object([values is not None])):
        values = compute()
        if int(os.environ.get("RANK", "0")) == 0:
            _store(path, values)
    assert values is not None, "every rank has either loaded or computed the values"
    return CachedUncertainty(values)


def _load(path: Path) -> dict[int, FlatFloats] | None:
    """Return the values in a file; None if it is missing, or its content is not what was written."""
    try:
        with safe_open(path, framework="pt") as file:
            content = {name: file.get_tensor(name) for name in ("keys", "lengths", "values")}
            if (file.metadata() or {}).get("sha256") != _sha256(content):
                return None
        keys, lengths = content["keys"].tolist(), content["lengths"].tolist()
        return dict(zip(keys, content["values"].split(lengths), strict=True))
    except (OSError, ValueError, RuntimeError, TypeError, SafetensorError):  # TypeError: no type of NumPy
        return None


def _store(path: Path, values: dict[int, FlatFloats]) -> None:
    content = {
        "keys": torch.tensor(list(values)),
        "lengths": torch.tensor([len(tensor) for tensor in values.values()]),
        "values": torch.cat(list(values.values())),
    }
    with atomic_file(path) as temporary:
        save_file(content, temporary, metadata={"sha256": _sha256(content)})


def _sha256(content: dict[str, Tensor]) -> str:
    """Return a digest of the tensors, which finds a bit that was changed in the file."""
    digest = hashlib.sha256()
    for name in sorted(content):
        digest.update(content[name].numpy().tobytes())
    return digest.hexdigest()
