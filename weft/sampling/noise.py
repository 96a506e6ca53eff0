"""The random numbers of the reverse process, as a function of seed, example, step and position.

The published loop draws its random numbers from the global generator, so that an answer depends on the other
answers in the batch and on all earlier draws. Here every number is a hash, which does not depend on order,
batches, shards or interruptions. Only the required numbers are computed, on the device of the model.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from weft.axes import BatchIds, Float, Int, TokenFloats, TokenIds

_SIGN = 1 << 63
_ODD = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class HashedNoise:
    """Uniform numbers in (0, 1) from the finaliser of splitmix64 (Steele, Lea and Flood 2014).

    The methods take a key per row, an integer that identifies the example of the row.

    Args:
        seed: seed of all numbers.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def for_tokens(
        self, keys: BatchIds, steps: BatchIds, positions: TokenIds, vocab_size: int
    ) -> Float[Tensor, "batch length vocab"]:
        """Return a float64 number per row, position and vocabulary entry, for the choice of tokens."""
        entries = torch.arange(vocab_size, device=positions.device)
        return _to_uniform(_mix(self._state(keys, steps, positions, purpose=1)[..., None] + entries))

    def for_positions(self, keys: BatchIds, steps: BatchIds, positions: TokenIds) -> TokenFloats:
        """Return a float64 number per row and position, for the choice of positions."""
        return _to_uniform(self._state(keys, steps, positions, purpose=2))

    def _state(self, keys: BatchIds, steps: BatchIds, positions: TokenIds, *, purpose: int) -> Tensor:
        state = _mix(keys + to_int64(self.seed * _ODD + purpose))
        state = _mix(state + steps)
        return _mix(state[:, None] + positions)


def key_of_prompt(prompt: Sequence[int]) -> int:
    """Return the key of an example without a name, as a hash of its prompt."""
    return key_of_name(",".join(map(str, prompt)))


def key_of_name(name: str) -> int:
    """Return the key of an example, a signed 64-bit integer, from its name."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


def _mix(state: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """Scramble 64-bit integers; int64 in torch wraps around as the algorithm requires."""
    state = state + to_int64(_ODD)
    state = (state ^ _shift(state, 30)) * to_int64(_FIRST)
    state = (state ^ _shift(state, 27)) * to_int64(_SECOND)
    return state ^ _shift(state, 31)


def _to_uniform(state: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Convert the upper 52 bits to a number strictly between 0 and 1."""
    return (_shift(state, 12).double() + 0.5) * 2.0**-52


def _shift(state: Tensor, count: int) -> Tensor:
    """Shift right without copying the sign bit."""
    return (state >> count) & ((1 << (64 - count)) - 1)


def to_int64(value: int) -> int:
    """Return the lowest 64 bits of an integer as a signed integer."""
    return ((value + _SIGN) % (1 << 64)) - _SIGN
