"""What all mask predictors have in common: how they are called, and the head."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from weft.axes import Columns, FlatFloats, FlatIds, TokenIds, TokenMask
from weft.model.head import LogitsFn, VocabularyHead
from weft.model.key_values import BlockCache, KnownKeys

Angles = tuple[Tensor, Tensor]
"""Cosine and sine of the rotary embedding, each batch x length x head_dim."""


@dataclass
class Prediction(ModelOutput):
    """Answer of a mask predictor; what was not asked for is None.

    Attributes:
        loss: sum over the chosen tokens of weight times cross-entropy, in nats, at least fp32.
        logits: of all positions, or of the chosen tokens.
        outputs: results of ``logits_fn``, joined along the tokens.
        token_nll: cross-entropy of each chosen token, in nats, without gradient.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    outputs: Tensor | None = None
    token_nll: Tensor | None = None


class MaskPredictor:
    """Mixin in front of a causal language model of transformers: token ids in, clean tokens out.

    A family calls ``_predict_masks`` at the end of its ``__init__``, says in ``_sources`` which hidden
    state predicts which position, unless each predicts its own, and how keys are rotated.

    Attributes:
        logit_shift: how many positions before a predicted one its hidden state may stand.
    """

    model: Any
    config: Any
    lm_head: VocabularyHead
    logit_shift: int = 0
    training: bool

    def _predict_masks(self, hidden_size: int, vocab_size: int) -> None:
        """Put the chunked head into place; the parameter keeps its name."""
        self.lm_head = VocabularyHead(hidden_size, vocab_size)

    def _sources(self, columns: Columns, attention_mask: Tensor | None) -> Columns:
        """Find the hidden state that predicts each column."""
        return columns

    def _rotate_keys(self, key: Tensor, angles: Angles) -> Tensor:
        """Apply the rotary embedding to keys, batch x heads x length x head_dim."""
        raise NotImplementedError

    def hidden_states(
        self, input_ids: TokenIds, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> Tensor:
        """Return what the head is given, batch x length x hidden; arguments as for ``forward``."""
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask, **kwargs).last_hidden_state
        columns = torch.arange(hidden.shape[1], device=hidden.device).expand(hidden.shape[:2])
        sources = self._sources(columns, attention_mask)
        return hidden if sources is columns else _take(hidden, sources)

    def hidden_states_at(
        self,
        input_ids: TokenIds,
        columns: Columns,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: BlockCache | None = None,
    ) -> Tensor:
        """Return what the head is given for some columns, batch x columns x hidden.

        The last layer needs keys and values everywhere, but queries, output and feed-forward only where
        something is predicted; nothing else is computed there.  Values equal those of `hidden_states` up to
        the rounding of matrix products of another shape.

        Args:
            input_ids: noisy ids, batch x length; of a window of the canvas if the cache expects one.
            columns: of ``input_ids``.
            attention_mask: True or 1 where a position may be attended to, batch x length of the canvas.
            position_ids: of ``input_ids``; counted from 0 if None.
            cache: keys and values to keep or to use.

        Raises:
            ValueError: the model is in training mode, in which gradient checkpointing would drop the keys.
        """
        if self.training:
            raise ValueError("chosen columns are for inference, the model is in training mode")
        body = self.model
        hidden = body.embed_tokens(input_ids)
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        angles = body.rotary_emb(hidden, position_ids=position_ids.expand(input_ids.shape))
        mask = self._key_mask(attention_mask, hidden.dtype)
        *layers, last = body.layers
        for layer in layers:
            hidden = layer(hidden, attention_mask=mask, past_key_values=cache, position_embeddings=angles)
        attention, normed = last.self_attn, last.input_layernorm(hidden)
        shape = (*input_ids.shape, -1, attention.head_dim)
        key = self._rotate_keys(attention.k_proj(normed).view(shape).transpose(1, 2), angles)
        value = attention.v_proj(normed).view(shape).transpose(1, 2)
        if cache is not None:
            key, value = cache.update(key, value, attention.layer_idx)
        # Where the input is a window its first column stands for the canvas's first visible one.
        sources = self._sources(columns, attention_mask if key.shape[2] == input_ids.shape[1] else None)
        chosen = last(
            _take(hidden, sources),
            attention_mask=mask,
            past_key_values=KnownKeys(key, value),
            position_embeddings=(_take(angles[0], sources), _take(angles[1], sources)),
        )
        return body.norm(chosen)

    def _key_mask(self, attention_mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
        """Make of a mask of positions one that broadcasts over heads and queries."""
        if attention_mask is None:
            return None
        is_visible = attention_mask.bool()[:, None, None, :]
        if self.config._attn_implementation == "sdpa":
            return is_visible
        return torch.zeros_like(is_visible, dtype=dtype).masked_fill(~is_visible, torch.finfo(dtype).min)

    def forward(  # noqa: PLR0917 - the order of arguments is transformers'
        self,
        input_ids: TokenIds,
        attention_mask: Tensor | None = None,
        logits_positions: TokenMask | Columns | None = None,
        targets: FlatIds | None = None,
        token_weights: FlatFloats | None = None,
        logits_fn: LogitsFn | None = None,
        **kwargs: Any,
    ) -> Prediction:
        """Predict the clean tokens; what is predicted for position i stands at i.

        Args:
            input_ids: noisy ids, batch x length.
            attention_mask: False or 0 where a position is hidden from all others, batch x length.
            logits_positions: where the head runs; what it makes is then flat, in row-major order.  Boolean
                batch x length, or columns, batch x any number of them, by which the last layer is spared
                most of its work too (`hidden_states_at`).
            targets: clean ids at these positions, int64, flat; asks for a loss instead of logits.
            token_weights: factor of each of these tokens' losses, flat, without gradient.
            logits_fn: asks for ``logits_fn(logits, positions)``, joined, instead of logits; called with the
                logits of some tokens and the slice of the flat tokens that they are.
            **kwargs: passed on to the transformer (``position_ids``; with columns also ``cache``).

        Returns:
            ``logits`` batch x length x vocab without ``logits_positions`` and tokens x vocab with them;
            ``loss`` and ``token_nll`` with ``targets``; ``outputs`` with ``logits_fn``.

        Raises:
            ValueError: targets or logits_fn without positions, or an impossible combination.
        """
        if logits_positions is None and (targets is not None or logits_fn is not None):
            raise ValueError("targets and logits_fn need logits_positions, got None")
        if logits_positions is None or logits_positions.dtype == torch.bool:
            hidden = self.hidden_states(input_ids, attention_mask, **kwargs)
            hidden = hidden if logits_positions is None else hidden[logits_positions]
        else:
            # Wrappers pass on arguments that nobody gave.
            given = {name: value for name, value in kwargs.items() if value is not None}
            hidden = self.hidden_states_at(input_ids, logits_positions, attention_mask, **given).flatten(0, 1)
        made = self.lm_head(hidden, targets=targets, token_weights=token_weights, logits_fn=logits_fn)
        if targets is not None:
            return Prediction(loss=made[0], token_nll=made[1])
        return Prediction(logits=made) if logits_fn is None else Prediction(outputs=made)


@runtime_checkable
class Predictor(Protocol):
    """Callable that predicts clean tokens: a `MaskPredictor`, alone or wrapped by PEFT, DeepSpeed or a test.

    The objective and the sampler call models through this interface only.  What else they use is optional:
    ``device``, ``config`` and ``training`` as of a transformers model, and ``logit_shift``.
    """

    def __call__(
        self,
        *,
        input_ids: TokenIds,
        attention_mask: Tensor | None = None,
        logits_positions: TokenMask | Columns | None = None,
        targets: FlatIds | None = None,
        token_weights: FlatFloats | None = None,
        logits_fn: LogitsFn | None = None,
        **kwargs: Any,
    ) -> Prediction:
        """Predict the clean tokens, as `MaskPredictor.forward` does."""
        ...


def _take(states: Tensor, columns: Columns) -> Tensor:
    """Pick columns of each row of batch x length x width."""
    return states.gather(1, columns[..., None].expand(*columns.shape, states.shape[-1]))


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
