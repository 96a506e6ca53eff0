"""The random numbers of training, as a function of seed, epoch and example.

They do not depend on the number of processes, the size of a micro-batch, the number of data loading
workers or interruptions. If times are spread over a batch, they also depend on the index of an example in
its batch, which is itself a function of seed and epoch (`weft.training.order`).
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
class Uniforms(Protocol):
    """Uniform random numbers in [0, 1) for a micro-batch, with a method for each purpose."""

    def time(self, copy: int) -> BatchFloats:
        """Return one number per example for the diffusion time of a mask copy."""

    def mask(self, copy: int) -> TokenFloats:
        """Return one number per token for the mask of a mask copy."""

    def fallback(self) -> TokenFloats:
        """Return one number per token for the mask that is drawn if no token was masked."""

    def permutation(self) -> TokenFloats:
        """Return one number per token; their sorting order is a permutation."""


@dataclass(frozen=True, kw_only=True)
class KeyedUniforms:
    """Uniform random numbers from generators that are seeded with a hash of seed, epoch and example.

    Attributes:
        seed: training seed of the run.
        epoch: number of epochs finished before this one.
        example_keys: integer that identifies each example, independent of its index in the data set.
        index_in_epoch: index of each example in the order of the epoch; used by ``stratified`` and
            ``antithetic`` only.
        batch_size: examples per optimiser step, over all processes.
        length: tokens per example.
        t_sampling: distribution of the times over the batch.
    """

    seed: int
    epoch: int
    example_keys: Tensor
    length: int
    index_in_epoch: Tensor | None = None
    batch_size: int = 1
    t_sampling: TimeSampling = "uniform"

    def time(self, copy: int) -> BatchFloats:
        """Return one number per example, spread over the batch of the optimiser step by ``t_sampling``."""
        uniform = self._time_and_mask(copy)[:, 0]
        if self.t_sampling in ("uniform", "complementary"):
            return uniform
        assert self.index_in_epoch is not None, "index_in_epoch is required to spread times over a batch"
        slot = self.index_in_epoch % self.batch_size
        if self.t_sampling == "stratified":
            return stratified_uniform(uniform, slot, batch_size=self.batch_size)
        assert self.t_sampling == "antithetic", f"unknown t_sampling {self.t_sampling!r}"
        pairs = [f"pair/{index // 2}/{copy}" for index in self.index_in_epoch.tolist()]
        return antithetic_uniform(torch.cat([self._generate(pair, 1) for pair in pairs]), slot)

    def mask(self, copy: int) -> TokenFloats:
        """Return one number per token."""
        return self._time_and_mask(copy)[:, 1:]

    def fallback(self) -> TokenFloats:
        """Return one number per token, independent of those for the mask."""
        return self._per_example("/fallback", self.length)

    def permutation(self) -> TokenFloats:
        """Return one number per token, independent of those for the mask."""
        return self._per_example("/permutation", self.length)

    def _time_and_mask(self, copy: int) -> Tensor:
        return self._per_example(f"/copy{copy}" if copy else "", self.length + 1)

    def _per_example(self, purpose: str, count: int) -> Tensor:
        return torch.stack([self._generate(f"{key}{purpose}", count) for key in self.example_keys.tolist()])

    def _generate(self, name: str, count: int) -> Tensor:
        digest = hashlib.sha256(f"{self.seed}/{self.epoch}/{name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8]) >> 1)
        return torch.rand(count, generator=generator)
