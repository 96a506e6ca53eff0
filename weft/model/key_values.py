"""Keys and values that attention is given instead of those of its own input.

Both classes stand where the attention modules of transformers ask a cache: ``update`` receives what a
layer computed for its input and returns what its queries attend to.
"""

from typing import Any

from torch import Tensor

from weft.axes import TokenIds, TokenMask


class KnownKeys:
    """Keys and values that are known already; those of the chosen rows are among them."""

    def __init__(self, key: Tensor, value: Tensor) -> None:
        self.key, self.value = key, value

    def update(self, key: Tensor, value: Tensor, layer_idx: int, *_: Any) -> tuple[Tensor, Tensor]:
        """Return the known ones, batch x heads x length x head_dim."""
        return self.key, self.value


class BlockCache:
    """Keys and values of all positions, kept over the steps of a block; a window of them is renewed.

    The first call takes those of a whole canvas.  Later calls bring those of a window and return all, which
    is an approximation: what stands outside the window was computed beside an older canvas.

    Source:
        Prefix and dual cache of Fast-dLLM (arXiv 2505.22618).
    """

    def __init__(self) -> None:
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}
        self._window: tuple[Tensor, Tensor | None] | None = None

    def renew_at(self, columns: TokenIds, is_fresh: TokenMask | None = None) -> None:
        """Say which columns the next calls bring.

        Args:
            columns: of the canvas, different ones in each row.
            is_fresh: False where the kept ones are to stay although new ones come; all are fresh if None.
        """
        self._window = columns, is_fresh

    def update(self, key: Tensor, value: Tensor, layer_idx: int, *_: Any) -> tuple[Tensor, Tensor]:
        """Keep or renew, and return keys and values of all positions."""
        if self._window is None:
            self._layers[layer_idx] = key.contiguous(), value.contiguous()
            return self._layers[layer_idx]
        columns, is_fresh = self._window
        index = columns[:, None, :, None].expand_as(key)
        for kept, new in zip(self._layers[layer_idx], (key, value), strict=True):
            wanted = new if is_fresh is None else new.where(is_fresh[:, None, :, None], kept.gather(2, index))
            kept.scatter_(2, index, wanted)
        return self._layers[layer_idx]
