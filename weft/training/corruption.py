"""The random draws of training, as a function of seed, epoch and example alone.

World size, batch size, number of workers and interruptions therefore cannot change them.
"""

import hashlib

import torch
from torch import Tensor


def draw_uniform(*, seed: int, epoch: int, example_keys: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Draw what the corruption of a batch needs.

    Args:
        seed: training seed of the run.
        epoch: whole epochs finished before this one.
        example_keys: integer per example, independent of its place in the data set.
        length: tokens per example.

    Returns:
        One draw per example for the time, and one per token for the mask, both uniform in [0, 1),
        on the CPU.
    """
    rows = []
    for key in example_keys.tolist():
        digest = hashlib.sha256(f"{seed}/{epoch}/{key}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8]) >> 1)
        rows.append(torch.rand(length + 1, generator=generator))
    draws = torch.stack(rows)
    return draws[:, 0], draws[:, 1:]
