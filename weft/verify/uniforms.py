"""Uniform numbers that are given, so that masks can be computed by hand and compared with stored ones."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GivenUniforms:
    """The same numbers for every mask copy; see `weft.training.uniforms.Uniforms`.

    Attributes:
        times: one number per example.
        masks: one number per token.
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
        """Return zeros, by which everything that may be masked is masked."""
        return torch.zeros_like(self.masks)

    def permutation(self) -> Tensor:
        """Return numbers whose order reverses the tokens."""
        return torch.arange(self.masks.shape[1], 0, -1.0).expand(self.masks.shape)
