"""Caches of keys and values for attention.

Both classes have the interface of a cache of transformers: ``update`` receives the keys and values that a
layer computed for its input, and returns those to which its queries attend.
"""

import inspect
from typing import Any

from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaDecoderLayer

from weft.axes import TokenIds, TokenMask

CACHE_ARGUMENT = (
    "cache" if "cache" in inspect.signature(LlamaDecoderLayer.forward).parameters else "past_key_values"
)
"""Name of the argument of transformers' layers that takes a cache; ``cache`` since transformers 5.24."""


class KnownKeys:
    """Keys and values of all positions, for a layer that computes queries at selected positions only.

    Args:
        key: keys, batch x heads x length x head_dim.
        value: values, of the same shape.

    Attributes:
        is_read: True if a layer has asked for them. A layer that does not know the name of the argument
            would attend to the selected positions only, without an error.
    """

    def __init__(self, key: Tensor, value: Tensor) -> None:
        self.key, self.value, self.is_read = key, value, False

    def update(self, key: Tensor, value: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Return the stored keys and values, batch x heads x length x head_dim; ignore the arguments."""
        self.is_read = True
        return self.key, self.value


class BlockCache:
    """Keys and values of all positions of a canvas, reused in all steps of a block.

    The first call stores the keys and values of the whole canvas. Later calls replace those inside a window
    and return all. This is an approximation: outside the window, they belong to an earlier state of the
    canvas.

    Source:
        Prefix and dual cache of Fast-dLLM (arXiv 2505.22618).
    """

    def __init__(self) -> None:
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}
        self._window: tuple[Tensor, Tensor | None] | None = None

    def renew_at(self, columns: TokenIds, is_fresh: TokenMask | None = None) -> None:
        """Set the window in which the next calls replace keys and values.

        Args:
            columns: columns of the canvas, distinct within a row.
            is_fresh: False where the stored keys and values are kept; None to replace all in the window.
        """
        self._window = columns, is_fresh

    def update(self, key: Tensor, value: Tensor, layer_idx: int, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Store or replace keys and values, and return those of all positions."""
        if self._window is None:
            self._layers[layer_idx] = key.contiguous(), value.contiguous()
            return self._layers[layer_idx]
        columns, is_fresh = self._window
        index = columns[:, None, :, None].expand_as(key)
        for kept, new in zip(self._layers[layer_idx], (key, value), strict=True):
            wanted = new if is_fresh is None else new.where(is_fresh[:, None, :, None], kept.gather(2, index))
            kept.scatter_(2, index, wanted)
        return self._layers[layer_idx]
