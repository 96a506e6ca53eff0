"""The random draws of training, as a function of seed, epoch and example alone.

World size, micro-batch size, number of workers and interruptions therefore cannot change them.  Where
times are spread over a batch, the place of an example in its batch counts too; the order of the
epoch, and with it that place, is a function of seed and epoch (`weft.training.order`).
"""

import hashlib
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from weft.axes import BatchFloats, TokenFloats
from weft.diffusion import antithetic_uniform, stratified_uniform

TimeSampling = Literal["uniform", "stratified", "antithetic", "complementary"]


@runtime_checkable
class Draws(Protocol):
    """Uniform numbers in [0, 1) for one micro-batch, by what they are for."""

    def time(self, copy: int) -> BatchFloats:
        """Return a number per example, for its time."""

    def mask(self, copy: int) -> TokenFloats:
        """Return a number per token, for the mask."""

    def fallback(self) -> TokenFloats:
        """Return a number per token, for the mask that is used if nothing was masked."""

    def permutation(self) -> TokenFloats:
        """Return a number per token, whose order shuffles."""


@dataclass(frozen=True, kw_only=True)
class SeededDraws:
    """Draws by hashing.

    Attributes:
        seed: training seed of the run.
        epoch: whole epochs finished before this one.
        example_keys: integer per example, independent of its place in the data set.
        positions: place of each example in the order of the epoch; needed for spread times only.
        batch_size: examples per optimiser step, over all processes.
        length: tokens per example.
        t_sampling: how times are spread over the batch.
    """

    seed: int
    epoch: int
    example_keys: Tensor
    length: int
    positions: Tensor | None = None
    batch_size: int = 1
    t_sampling: TimeSampling = "uniform"

    def time(self, copy: int) -> BatchFloats:
        """Return a number per example, spread over the batch of the optimiser step as asked."""
        own = self._main(copy)[:, 0]
        if self.t_sampling in ("uniform", "complementary"):
            return own
        assert self.positions is not None, (
            "times that are spread over a batch need the examples' places in it"
        )
        slot = self.positions % self.batch_size
        if self.t_sampling == "stratified":
            return stratified_uniform(own, slot, batch_size=self.batch_size)
        pairs = [f"pair/{position // 2}/{copy}" for position in self.positions.tolist()]
        return antithetic_uniform(torch.cat([self._draw(name, 1) for name in pairs]), slot)

    def mask(self, copy: int) -> TokenFloats:
        """Return a number per token."""
        return self._main(copy)[:, 1:]

    def fallback(self) -> TokenFloats:
        """Return a number per token, independent of those for the mask."""
        return self._per_example("/fallback", self.length)

    def permutation(self) -> TokenFloats:
        """Return a number per token, independent of those for the mask."""
        return self._per_example("/permutation", self.length)

    def _main(self, copy: int) -> Tensor:
        return self._per_example(f"/copy{copy}" if copy else "", self.length + 1)

    def _per_example(self, purpose: str, count: int) -> Tensor:
        return torch.stack([self._draw(f"{key}{purpose}", count) for key in self.example_keys.tolist()])

    def _draw(self, name: str, count: int) -> Tensor:
        digest = hashlib.sha256(f"{self.seed}/{self.epoch}/{name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8]) >> 1)
        return torch.rand(count, generator=generator)
