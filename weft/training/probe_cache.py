"""Uncertainties of a whole training set under one model, computed once and kept in a file.

The file's name is a digest of all that the values depend on, so that a change of model, data or
settings never meets old values.  Each rank asks the model about its share of the examples.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from weft.axes import BatchIds, TokenFloats, TokenMask
from weft.config.methods import Method
from weft.data.collate import example_key
from weft.model import Predictor
from weft.training.objective import probe_uncertainty, scheme_positions

Collate = Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]]


class KnownUncertainty:
    """Uncertainties by example, in nats, at the tokens that have rates of their own.

    Args:
        values: example key -> values at the example's tokens in the scheme, in order.
    """

    def __init__(self, values: dict[int, Tensor]) -> None:
        self.values = values

    def spread(self, example_keys: BatchIds, in_scheme: TokenMask) -> TokenFloats:
        """Lay the values out over the positions of a batch, 0 outside the scheme."""
        flat = torch.cat([self.values[key] for key in example_keys.tolist()]).to(in_scheme.device)
        return torch.zeros(in_scheme.shape, device=in_scheme.device).masked_scatter(in_scheme, flat)

    def mean_beta(self, exponent: float) -> float:
        """Average the power of the uncertainty over all tokens: the reference rate of the data set."""
        return torch.cat(list(self.values.values())).double().pow(exponent).mean().item()


def known_uncertainty(path: Path, compute: Callable[[], dict[int, Tensor]]) -> KnownUncertainty:
    """Read a probe's values, or compute and keep them; called on every rank.

    Args:
        path: file of the values, safetensors.
        compute: makes them, on all ranks together.

    Returns:
        The values.
    """
    values = _read(path)
    # All ranks or none: one that starts later may find the file that another has just written.
    if not all(gather_object([values is not None])):
        values = compute()
        if int(os.environ.get("RANK", "0")) == 0:
            _write(path, values)
    assert values is not None, "either every rank has read the values or all have computed them"
    return KnownUncertainty(values)


def probe_examples(
    predictor: Predictor,
    examples: Sequence[dict[str, Any]],
    collate: Collate,
    *,
    method: Method,
    mask_token_id: int,
    batch_size: int,
    device: torch.device,
) -> dict[int, Tensor]:
    """Ask a model how unsure it is about every answer token of a data set; called on every rank.

    Args:
        predictor: the model.
        examples: prepared examples.
        collate: makes batches of them.
        method: says what is asked for, and where.
        mask_token_id: id of the mask token.
        batch_size: examples per forward pass.
        device: where the model is.

    Returns:
        Example key -> values in nats, on the CPU, all ranks' together.
    """
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    # Sharded parameters want every rank to make the same number of passes.
    num_batches = -(-len(examples) // (batch_size * world))
    pieces: list[tuple[int, Tensor]] = []
    for number in range(num_batches):
        first = (number * world + rank) * batch_size
        chosen = [examples[index % len(examples)] for index in range(first, first + batch_size)]
        batch = {name: tensor.to(device) for name, tensor in collate(chosen).items()}
        values = probe_uncertainty(predictor, batch, method=method, mask_token_id=mask_token_id)
        where = scheme_positions(batch, method)
        for row, example in enumerate(chosen):
            if first + row < len(examples):
                pieces.append((example_key(example["example_id"]), values[row][where[row]].cpu()))
    return dict(gather_object(pieces))


def _read(path: Path) -> dict[int, Tensor] | None:
    try:
        content = load_file(path)
        keys, lengths = content["keys"].tolist(), content["lengths"].tolist()
        return dict(zip(keys, content["values"].split(lengths), strict=True))
    except (OSError, KeyError, SafetensorError):
        return None


def _write(path: Path, values: dict[int, Tensor]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "keys": torch.tensor(list(values)),
        "lengths": torch.tensor([len(one) for one in values.values()]),
        "values": torch.cat(list(values.values())),
    }
    growing = path.with_name(f".{path.name}.{os.getpid()}.new")
    save_file(content, growing)
    growing.replace(path)
