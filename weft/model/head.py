"""The output head, which computes logits, losses and functions of logits in chunks of tokens.

The logits of 2,000 tokens over 126,464 vocabulary entries take a gigabyte in fp32, and a plain training
step keeps the logits, their softmax and its gradient in memory at the same time. This head computes, uses
and frees the logits of `HEAD_CHUNK` tokens at a time. It stores no logits for the backward pass: the
gradient with respect to the hidden states is computed during the forward pass, chunk by chunk.

The weight is used only inside the module's ``forward``, because ZeRO-3 of DeepSpeed gathers the parameters
of a module only while the module is called.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

HEAD_CHUNK = 512
"""Number of tokens whose logits exist at the same time."""

LogitsFn = Callable[[Tensor, slice], Tensor]
"""Function of the logits of some tokens (tokens x vocab) and their slice; returns one row per token."""


class VocabularyHead(nn.Linear):
    """Linear layer that returns logits, or losses and functions of logits that are computed in chunks."""

    def __init__(self, hidden_size: int, vocab_size: int) -> None:
        super().__init__(hidden_size, vocab_size, bias=False)

    def forward(  # type: ignore[override]
        self,
        hidden: Tensor,
        targets: Tensor | None = None,
        token_weights: Tensor | None = None,
        logits_fn: LogitsFn | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Compute logits, the weighted sum of their cross-entropies, or a function of them.

        Args:
            hidden: hidden states, of any shape for plain logits, otherwise tokens x hidden.
            targets: ids of the clean tokens, int64, flat.
            token_weights: factor of each token's loss, flat; no gradient reaches it.
            logits_fn: called with the logits of each chunk, in the weight's type, and its slice.

        Returns:
            Logits. With ``targets``: the sum over the tokens of weight times cross-entropy in nats, and the
            cross-entropy of each token without gradient, both in fp32 or a wider type. With ``logits_fn``:
            its results, concatenated.

        Raises:
            ValueError: ``targets`` is passed without ``token_weights``, or together with ``logits_fn``.
        """
        if (targets is None) != (token_weights is None) or (targets is not None and logits_fn is not None):
            raise ValueError("the head must be given targets with token_weights, or logits_fn, or neither")
        if targets is not None and token_weights is not None:
            # Gradients are always disabled inside a Function; the argument states whether they are needed.
            wants_grad = torch.is_grad_enabled()
            return _WeightedCrossEntropy.apply(hidden, self.weight, targets, token_weights, wants_grad)
        if logits_fn is not None:
            parts = in_chunks(hidden.shape[0], HEAD_CHUNK)
            return torch.cat([logits_fn(super(VocabularyHead, self).forward(hidden[s]), s) for s in parts])
        return super().forward(hidden)


class _WeightedCrossEntropy(torch.autograd.Function):
    """Sum of weight times cross-entropy, whose gradient is computed during the forward pass."""

    @staticmethod
    def forward(  # noqa: PLR0917 - apply() takes no keywords
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, token_weights: Tensor, wants_grad: bool
    ) -> tuple[Tensor, Tensor]:
        exact = torch.promote_types(weight.dtype, torch.float32)
        for_hidden = for_weight = None
        if wants_grad and ctx.needs_input_grad[0]:
            for_hidden = torch.empty_like(hidden)
        if wants_grad and ctx.needs_input_grad[1]:
            for_weight = torch.zeros_like(weight, dtype=exact)
        token_nll = hidden.new_empty(hidden.shape[0], dtype=exact)
        token_weights = token_weights.to(exact)
        kind = hidden.device.type
        # The weight is converted here, because autocast would convert it once per chunk.
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
                # The gradient of the logits, in place: (softmax - 1 at the target) x weight of the token.
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
        scaled = (None if grad is None else grad * slope.to(grad.dtype) for grad in ctx.saved_tensors)
        return (*scaled, None, None, None)


def in_chunks(num_tokens: int, size: int) -> Iterator[slice]:
    """Yield slices of at most ``size`` tokens, or an empty slice if there are no tokens."""
    for start in range(0, max(num_tokens, 1), size):
        yield slice(start, min(start + size, num_tokens))
