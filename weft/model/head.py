"""The output head, which never forms more than a chunk of its vocabulary-wide rows.

The logits of 2,000 tokens over 126,464 entries take a gigabyte in fp32, and a training step would
hold them, their softmax and its gradient at once.  Here the rows are made, used and dropped in
chunks.  Training keeps no logits for the backward pass either: the gradient with respect to the
hidden states is known as soon as the softmax is, and is computed in the same chunk.

Everything that uses the weight happens inside the module's ``forward``, because DeepSpeed's ZeRO-3
gathers a module's parameters around its calls only.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

HEAD_CHUNK = 512
"""Tokens whose vocabulary-wide rows exist at the same time."""

LogitsFn = Callable[[Tensor, slice], Tensor]
"""Makes rows of any width from the logits of some tokens; the slice says which tokens these are."""


class VocabularyHead(nn.Linear):
    """Linear map from hidden states to logits that can use its logits up chunk by chunk."""

    def __init__(self, hidden_size: int, vocab_size: int) -> None:
        super().__init__(hidden_size, vocab_size, bias=False)

    def forward(  # type: ignore[override]
        self,
        hidden: Tensor,
        targets: Tensor | None = None,
        token_weights: Tensor | None = None,
        logits_fn: LogitsFn | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Compute logits, or what becomes of them.

        Args:
            hidden: hidden states; any shape for plain logits, tokens x hidden in the other modes.
            targets: ids of the clean tokens, int64, flat.
            token_weights: factor of each token's loss, flat; a constant, no gradient reaches it.
            logits_fn: called with the logits of each chunk, in the weight's type, and its slice.

        Returns:
            Without further arguments the logits.  With ``targets`` the sum over tokens of weight times
            cross-entropy, and each token's cross-entropy without gradient, both at least fp32.  With
            ``logits_fn`` its results, joined.

        Raises:
            ValueError: targets come without weights, or with a reduction.
        """
        if (targets is None) != (token_weights is None) or (targets is not None and logits_fn is not None):
            raise ValueError("the head takes targets together with token_weights, or logits_fn, or neither")
        if targets is not None and token_weights is not None:
            # Seen from inside a Function gradients are always off, so it is told.
            wanted = torch.is_grad_enabled()
            return _WeightedCrossEntropy.apply(hidden, self.weight, targets, token_weights, wanted)
        if logits_fn is not None:
            parts = in_chunks(hidden.shape[0], HEAD_CHUNK)
            return torch.cat([logits_fn(super(VocabularyHead, self).forward(hidden[s]), s) for s in parts])
        return super().forward(hidden)


class _WeightedCrossEntropy(torch.autograd.Function):
    """Sum of weight times cross-entropy; its gradient is made during the forward pass."""

    @staticmethod
    def forward(  # noqa: PLR0917 - a Function takes no keywords
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, token_weights: Tensor, wanted: bool
    ) -> tuple[Tensor, Tensor]:
        exact = torch.promote_types(weight.dtype, torch.float32)
        for_hidden = for_weight = None
        if wanted and ctx.needs_input_grad[0]:
            for_hidden = torch.empty_like(hidden)
        if wanted and ctx.needs_input_grad[1]:
            for_weight = torch.zeros_like(weight, dtype=exact)
        token_nll = hidden.new_empty(hidden.shape[0], dtype=exact)
        token_weights = token_weights.to(exact)
        kind = hidden.device.type
        # Autocast would convert the weight again for each chunk; once is enough.
        low = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
        used = weight.to(low)
        with torch.autocast(kind, enabled=False):
            for part in in_chunks(hidden.shape[0], HEAD_CHUNK):
                states, ids, factor = hidden[part].to(low), targets[part, None], token_weights[part, None]
                rows = (states @ used.T).to(exact)
                log_norm = rows.logsumexp(dim=-1, keepdim=True)
                token_nll[part] = (log_norm - rows.gather(1, ids)).squeeze(1)
                if for_hidden is None and for_weight is None:
                    continue
                # In place: softmax minus one at the target, times the token's weight.
                rows.sub_(log_norm).exp_().mul_(factor).scatter_add_(1, ids, -factor)
                slope = rows.to(low)
                if for_hidden is not None:
                    for_hidden[part] = slope @ used
                if for_weight is not None:
                    for_weight += slope.T @ states
        ctx.save_for_backward(for_hidden, None if for_weight is None else for_weight.to(weight.dtype))
        ctx.mark_non_differentiable(token_nll)
        return token_weights.dot(token_nll), token_nll

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        scaled = (None if made is None else made * slope.to(made.dtype) for made in ctx.saved_tensors)
        return (*scaled, None, None, None)


def in_chunks(num_tokens: int, size: int) -> Iterator[slice]:
    """Cut tokens into slices; no tokens make one empty slice, so that a reduction can say its shape."""
    for start in range(0, max(num_tokens, 1), size):
        yield slice(start, min(start + size, num_tokens))
