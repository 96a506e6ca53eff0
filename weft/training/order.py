"""The order of the training examples, as a function of seed and epoch alone.

Every epoch is a fresh permutation, cut into batches of one optimiser step each.  The last batch is
filled up with repetitions that count for nothing, so that every rank and every micro-batch has
the same number of rows and the loss does not depend on how the batch is divided.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler


@dataclass(frozen=True)
class Place:
    """Which example is wanted, and where it stands in the order of the epoch."""

    index: int
    position: int


def epoch_order(num_examples: int, *, seed: int, epoch: int) -> list[int]:
    """Return a permutation of the examples' indices."""
    generator = torch.Generator().manual_seed(seed + epoch)
    return torch.randperm(num_examples, generator=generator).tolist()


class EpochSampler(Sampler[Place]):
    """Yield the places of one epoch.

    Args:
        num_examples: size of the training set.
        batch_size: examples per optimiser step, over all processes.
        seed: seed of the order.
        epoch: called when an epoch begins, tells which.
    """

    def __init__(self, num_examples: int, *, batch_size: int, seed: int, epoch: Callable[[], int]) -> None:
        self.num_examples = num_examples
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch

    def __len__(self) -> int:
        """Count the places, filled up to whole batches."""
        return -(-self.num_examples // self.batch_size) * self.batch_size

    def __iter__(self) -> Iterator[Place]:
        """Yield the examples in the order of the epoch, then repetitions that fill the last batch."""
        order = epoch_order(self.num_examples, seed=self.seed, epoch=self.epoch())
        for position in range(len(self)):
            yield Place(order[position % self.num_examples], position)


class PlacedExamples(Dataset[dict[str, Any]]):
    """A training set that is asked by place and tells the place together with the example.

    Args:
        examples: prepared examples.
    """

    def __init__(self, examples: Sequence[dict[str, Any]]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        """Count the examples."""
        return len(self.examples)

    def __getitem__(self, place: Place) -> dict[str, Any]:
        """Return the example with its ``position``, and whether it only fills up a batch."""
        is_filler = place.position >= len(self.examples)
        return self.examples[place.index] | {"position": place.position, "is_filler": is_filler}
