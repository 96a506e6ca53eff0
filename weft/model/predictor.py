"""What all mask predictors have in common: how they are called, and the head."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Int
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from weft.axes import FlatFloats, TokenIds, TokenMask
from weft.model.head import Reduction, VocabularyHead


@dataclass
class Prediction(ModelOutput):
    """Answer of a mask predictor; what was not asked for is None.

    Attributes:
        loss: sum over the chosen tokens of weight times cross-entropy, in nats, at least fp32.
        logits: of all positions, of the chosen tokens, or what the reduction made of the latter.
        token_nll: cross-entropy of each chosen token, in nats, without gradient.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    token_nll: Tensor | None = None


class MaskPredictor:
    """Mixin in front of a causal language model of transformers: token ids in, clean tokens out.

    A family calls ``_predict_masks`` at the end of its ``__init__`` and says in ``_align`` which hidden
    state predicts which position, unless each predicts its own.
    """

    model: Any
    lm_head: VocabularyHead

    def _predict_masks(self, hidden_size: int, vocab_size: int) -> None:
        """Put the chunked head into place; the parameter keeps its name."""
        self.lm_head = VocabularyHead(hidden_size, vocab_size)

    def _align(self, hidden: Tensor, attention_mask: Tensor | None) -> Tensor:
        """Move each hidden state to the position that it predicts."""
        return hidden

    def hidden_states(
        self, input_ids: TokenIds, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> Tensor:
        """Return what the head is given, batch x length x hidden; arguments as for ``forward``."""
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask, **kwargs).last_hidden_state
        return self._align(hidden, attention_mask)

    def forward(  # noqa: PLR0917 - the order of arguments is transformers'
        self,
        input_ids: TokenIds,
        attention_mask: Tensor | None = None,
        at: TokenMask | None = None,
        targets: Int[Tensor, " tokens"] | None = None,
        token_weights: FlatFloats | None = None,
        reduce: Reduction | None = None,
        **kwargs: Any,
    ) -> Prediction:
        """Predict the clean tokens; what is predicted for position i stands at i.

        Args:
            input_ids: noisy ids, batch x length.
            attention_mask: False or 0 where a position is hidden from all others, batch x length.
            at: boolean batch x length; the head runs at these positions only, and what it makes is
                flat, in row-major order.
            targets: clean ids at these positions, int64, flat; asks for a loss instead of logits.
            token_weights: factor of each of these tokens' losses, flat, without gradient.
            reduce: asks for ``reduce(logits, positions)``, joined, instead of logits; called with the
                logits of some tokens and the slice of the flat tokens that they are.
            **kwargs: passed on to the transformer (``position_ids``).

        Returns:
            ``logits`` batch x length x vocab without ``at`` and tokens x vocab with it; ``loss`` and
            ``token_nll`` with ``targets``; the reduction as ``logits`` with ``reduce``.

        Raises:
            ValueError: targets or a reduction without positions, or an impossible combination.
        """
        if at is None and (targets is not None or reduce is not None):
            raise ValueError("targets and reduce are about chosen positions; give at")
        hidden = self.hidden_states(input_ids, attention_mask, **kwargs)
        made = self.lm_head(
            hidden if at is None else hidden[at], targets=targets, token_weights=token_weights, reduce=reduce
        )
        if targets is None:
            return Prediction(logits=made)
        return Prediction(loss=made[0], token_nll=made[1])


class ExactFrequencies(nn.Module):
    """Mixin in front of a rotary embedding: its frequencies stay as they are when the model is cast.

    ``model.bfloat16()`` would round them to eight bits, which is several radians at position 4,000.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "ExactFrequencies":
        exact = dict(self.named_buffers(recurse=False))
        super()._apply(fn, recurse)
        for name, buffer in exact.items():
            if not buffer.is_meta:
                setattr(self, name, buffer.to(getattr(self, name).device))
        return self
