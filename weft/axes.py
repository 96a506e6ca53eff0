"""Tensor types with named axes; they are checked at every call while the tests run.

``batch`` examples, ``length`` tokens, ``vocab`` entries of the vocabulary, ``columns`` chosen
positions of each row, ``tokens`` a flat selection of positions. Outside of the tests nothing is checked.
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor

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
