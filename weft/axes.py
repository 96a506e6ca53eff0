"""Tensor types with named axes, which are checked at every function call while the tests run.

The axes are ``batch`` (examples), ``length`` (tokens of a sequence), ``vocab`` (entries of the vocabulary),
``columns`` (selected positions of each row) and ``tokens`` (a flat selection of positions).
"""

from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
else:
    try:
        from jaxtyping import Bool, Float, Int
    except ModuleNotFoundError:  # `weft verify-gpu` runs without it; then the axes are documentation only

        class _Unchecked:
            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = Float = Int = _Unchecked

__all__ = [
    "BatchFloats",
    "BatchIds",
    "BatchMask",
    "Bool",
    "ColumnFloats",
    "ColumnMask",
    "Columns",
    "FlatFloats",
    "FlatIds",
    "FlatLogits",
    "Float",
    "Int",
    "Logits",
    "Scalar",
    "TokenFloats",
    "TokenIds",
    "TokenMask",
]

TokenIds = Int[Tensor, "batch length"]
TokenMask = Bool[Tensor, "batch length"]
TokenFloats = Float[Tensor, "batch length"]
Columns = Int[Tensor, "batch columns"]
ColumnMask = Bool[Tensor, "batch columns"]
ColumnFloats = Float[Tensor, "batch columns"]
BatchFloats = Float[Tensor, " batch"]
BatchIds = Int[Tensor, " batch"]
BatchMask = Bool[Tensor, " batch"]
Logits = Float[Tensor, "batch length vocab"]
FlatLogits = Float[Tensor, "tokens vocab"]
FlatFloats = Float[Tensor, " tokens"]
FlatIds = Int[Tensor, " tokens"]
Scalar = Float[Tensor, ""]
