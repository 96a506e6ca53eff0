"""Random numbers of the reverse process, as a function of seed, example, step and position alone.

The published loop takes them from the global generator, so that an answer depends on its neighbours in
the batch and on everything drawn before.  Here a number is a hash of what it is for: order, batches,
shards and interruptions cannot change it, and only the numbers that are needed are computed.
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from weft.axes import BatchIds, TokenIds

RowKeys = BatchIds
"""One integer per row, the same for an example wherever it stands."""

_SIGN = 1 << 63
_ODD = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


@runtime_checkable
class Noise(Protocol):
    """Uniform numbers in (0, 1), by what they are for."""

    def for_tokens(
        self, keys: RowKeys, steps: BatchIds, positions: TokenIds, vocab_size: int
    ) -> Float[Tensor, "batch length vocab"]:
        """Return a number per row, position and vocabulary entry, for the choice of tokens, in float64."""

    def for_positions(
        self, keys: RowKeys, steps: BatchIds, positions: TokenIds
    ) -> Float[Tensor, "batch length"]:
        """Return a number per row and position, for the choice of positions, in float64."""


class HashedNoise:
    """Numbers by hashing with splitmix64's finaliser (Steele, Lea and Flood 2014).

    Args:
        seed: of all numbers.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def for_tokens(
        self, keys: RowKeys, steps: BatchIds, positions: TokenIds, vocab_size: int
    ) -> Float[Tensor, "batch length vocab"]:
        """Return a number per row, position and vocabulary entry, in float64."""
        entries = torch.arange(vocab_size, device=positions.device)
        return _to_uniform(_mix(self._state(keys, steps, positions, purpose=1)[..., None] + entries))

    def for_positions(
        self, keys: RowKeys, steps: BatchIds, positions: TokenIds
    ) -> Float[Tensor, "batch length"]:
        """Return a number per row and position, in float64."""
        return _to_uniform(self._state(keys, steps, positions, purpose=2))

    def _state(self, keys: RowKeys, steps: BatchIds, positions: TokenIds, *, purpose: int) -> Tensor:
        state = _mix(keys + _signed(self.seed * _ODD + purpose))
        state = _mix(state + steps)
        return _mix(state[:, None] + positions)


def key_of_prompt(prompt: Sequence[int]) -> int:
    """Make an example's key from its prompt: equal prompts get equal noise, wherever they stand."""
    text = ",".join(map(str, prompt))
    return key_of_name(text)


def key_of_name(name: str) -> int:
    """Make an example's key from its name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def _mix(state: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Scramble 64-bit integers; torch's int64 wraps around as the algorithm wants."""
    state = state + _signed(_ODD)
    state = (state ^ _shift(state, 30)) * _signed(_FIRST)
    state = (state ^ _shift(state, 27)) * _signed(_SECOND)
    return state ^ _shift(state, 31)


def _to_uniform(state: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Take the upper 52 bits as a number strictly between 0 and 1."""
    return (_shift(state, 12).double() + 0.5) * 2.0**-52


def _shift(state: Tensor, count: int) -> Tensor:
    """Shift right without copying the sign."""
    return (state >> count) & ((1 << (64 - count)) - 1)


def _signed(value: int) -> int:
    """Read the lowest 64 bits as a signed integer."""
    return ((value + _SIGN) % (1 << 64)) - _SIGN
