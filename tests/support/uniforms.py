"""Uniform draws that are given, for tests whose masks can be worked out by hand."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GivenDraws:
    """The same numbers for every copy; see `weft.training.corruption.Draws`.

    Attributes:
        times: one per example.
        masks: one per token.
    """

    times: Tensor
    masks: Tensor

    def time(self, copy: int) -> Tensor:
        """Return the given times."""
        del copy
        return self.times

    def mask(self, copy: int) -> Tensor:
        """Return the given numbers, mirrored in every second copy."""
        return self.masks if copy % 2 == 0 else 1 - self.masks

    def fallback(self) -> Tensor:
        """Return zeros: whatever may be masked is."""
        return torch.zeros_like(self.masks)

    def permutation(self) -> Tensor:
        """Return numbers that reverse the order."""
        return torch.arange(self.masks.shape[1], 0, -1.0).expand(self.masks.shape)
