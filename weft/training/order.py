"""The order of the training examples, as a function of seed and epoch.

Every epoch is a new permutation of the examples, divided into the batches of optimiser steps. The last batch
is completed with repetitions of examples, called padding rows, which have weight 0 in the loss. All processes
and micro-batches therefore have the same number of rows, and the loss does not depend on the division into
processes and micro-batches.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch.utils.data import Dataset, Sampler

from weft.data.collate import Examples, PreparedExample


class EpochIndex(NamedTuple):
    """Index of an example in the data set, and its index in the order of the epoch."""

    example_index: int
    index_in_epoch: int


def epoch_order(num_examples: int, *, seed: int, epoch: int) -> list[int]:
    """Return a permutation of the examples' indices."""
    generator = torch.Generator().manual_seed(seed + epoch)
    return torch.randperm(num_examples, generator=generator).tolist()


class EpochSampler(Sampler[EpochIndex]):
    """Sampler of an epoch, including padding rows.

    Args:
        num_examples: size of the training set.
        batch_size: examples per optimiser step, over all processes.
        seed: seed of the order.
        epoch: function that returns the number of the epoch, called when it begins.
    """

    def __init__(self, num_examples: int, *, batch_size: int, seed: int, epoch: Callable[[], int]) -> None:
        self.num_examples = num_examples
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of rows of an epoch, a multiple of the batch size."""
        return -(-self.num_examples // self.batch_size) * self.batch_size

    def __iter__(self) -> Iterator[EpochIndex]:
        """Yield the examples in the order of the epoch, then the padding rows."""
        order = epoch_order(self.num_examples, seed=self.seed, epoch=self.epoch())
        for index_in_epoch in range(len(self)):
            yield EpochIndex(order[index_in_epoch % self.num_examples], index_in_epoch)


class IndexedExamples(Dataset[PreparedExample]):
    """Training set of prepared examples with their indices in the order of the epoch."""

    def __init__(self, examples: Examples) -> None:
        self.examples = examples

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.examples)

    def __getitem__(self, index: EpochIndex) -> PreparedExample:
        """Return an example with its ``index_in_epoch`` and ``is_pad_row``."""
        return PreparedExample(
            **self.examples[index.example_index],
            index_in_epoch=index.index_in_epoch,
            is_pad_row=index.index_in_epoch >= len(self.examples),
        )
