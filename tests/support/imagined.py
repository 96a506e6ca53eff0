"""Networks of true size without memory, whose operations and peak memory are counted while they run.

The tensors are those of ``FakeTensorMode``: they have shapes, types and a life time, but no content.
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from tests.support.published import PUBLISHED
from weft.config.training import Lora
from weft.model.checkpoint import find_family
from weft.training.adapters import add_adapters, lora_settings


def _attention_product(query: tuple[int, ...], key: tuple[int, ...]) -> int:
    """Return the operations of a product of queries and keys, batch x heads x length x width each."""
    batch, heads, num_queries, width = query
    return 2 * batch * heads * num_queries * key[2] * width


COUNTS = flop_registry | {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda query, key, *_, **__: (
        2 * _attention_product(query.shape, key.shape)
    ),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: lambda _, query, key, *__, **___: (
        5 * _attention_product(query.shape, key.shape)
    ),
}
"""Operation -> function that counts its products: those of PyTorch, and the fused attention of processors.

As in PyTorch's count for fused attention on GPUs, the backward pass computes the attention weights again and
has two products for the gradients of each of the two products.
"""


def imagined_model(family: str, lora: Lora | None = None) -> Any:
    """Make the published network of a family on the meta device, in bf16, with adapters in fp32."""
    layout = find_family(family)
    with torch.device("meta"):
        model = layout.model_class(layout.to_config(PUBLISHED[family].fields)).to(torch.bfloat16)
        return model if lora is None else add_adapters(model, lora_settings(lora))


@dataclass
class Counts:
    """What a computation took.

    Attributes:
        operations: additions and multiplications of all matrix products.
        static_bytes: memory of parameters and buffers.
        peak_bytes: largest memory of all tensors that were alive at the same time.
    """

    operations: int = 0
    static_bytes: int = 0
    peak_bytes: int = 0


@contextmanager
def imagined(model: Any, *, num_chosen: int) -> Iterator[Counts]:
    """Count the operations and the peak memory of what runs inside the context.

    Args:
        model: a model on the meta device; its parameters become tensors without content.
        num_chosen: number of tokens that any boolean mask chooses, as masks have no content either.

    Yields:
        The counts, which are complete when the context ends.
    """
    counts = Counts()
    with FakeTensorMode():
        _replace_tensors(model)
        counter = _Counter([*model.parameters(), *model.buffers()])
        counts.static_bytes = counter.live
        with _ChosenTokens(num_chosen), counter:
            yield counts
        counts.operations, counts.peak_bytes = counter.operations, counter.peak


def _replace_tensors(model: nn.Module) -> None:
    for module in model.modules():
        for name, old in module._parameters.items():
            if old is not None:
                new = torch.empty(old.shape, dtype=old.dtype)
                module._parameters[name] = nn.Parameter(new, requires_grad=old.requires_grad)
        for name, old in module._buffers.items():
            if old is not None:
                module._buffers[name] = torch.empty(old.shape, dtype=old.dtype)


class _Counter(TorchDispatchMode):
    """Adds up the storages that are alive after each operation, and counts matrix products.

    The products are counted by the functions of ``torch.utils.flop_counter``. Its ``FlopCounterMode`` would
    keep tensors alive, because it also follows the modules.
    """

    def __init__(self, tensors: list[Tensor]) -> None:
        super().__init__()
        self.sizes: dict[int, int] = {}
        self.live = self.peak = self.operations = 0
        for tensor in tensors:
            self._note(tensor)

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self.sizes:
            self.sizes[key] = storage.nbytes()
            self.live += storage.nbytes()
            weakref.finalize(storage, self._drop, key)

    def _drop(self, key: int) -> None:
        self.live -= self.sizes.pop(key)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._note(leaf)
        self.peak = max(self.peak, self.live)
        if count := COUNTS.get(func._overloadpacket):
            self.operations += count(*args, **(kwargs or {}), out_val=result)
        return result


class _ChosenTokens(TorchFunctionMode):
    """Lets a boolean mask choose a known number of tokens."""

    def __init__(self, num_chosen: int) -> None:
        super().__init__()
        self.num_chosen = num_chosen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is Tensor.__getitem__ and isinstance(args[1], Tensor) and args[1].dtype == torch.bool:
            index = torch.zeros(self.num_chosen, dtype=torch.long)
            args = args[0], (index,) * args[1].dim()
        return func(*args, **(kwargs or {}))
