"""The base class of all mask predictors, and the interface through which they are called."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol, runtime_checkable

import torch
import transformers
from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from weft.axes import Columns, FlatFloats, FlatIds, TokenIds, TokenMask
from weft.model.head import LogitsFn, VocabularyHead
from weft.model.key_values import CACHE_ARGUMENT, BlockCache, KnownKeys

Angles = tuple[Tensor, Tensor]
"""Cosine and sine of the rotary embedding, each batch x length x head_dim."""


@dataclass
class Prediction(ModelOutput):
    """Output of a mask predictor. Fields that were not requested are None.

    Attributes:
        loss: sum over the chosen tokens of weight times cross-entropy, in nats, in fp32 or a wider type.
        logits: logits of all positions (batch x length x vocab) or of the chosen tokens (tokens x vocab).
        outputs: results of ``logits_fn``, concatenated over the tokens.
        token_nll: cross-entropy of each chosen token, in nats, without gradient.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    outputs: Tensor | None = None
    token_nll: Tensor | None = None


class MaskPredictor:
    """Mixin that turns a causal language model of transformers into a mask predictor.

    A subclass replaces the head by a `VocabularyHead` of the same name and implements ``_rotate_keys``. It
    also overrides ``_sources`` if the hidden state at a position predicts another position.

    Attributes:
        logit_shift: distance in positions from a hidden state to the token that it predicts.
    """

    model: Any
    config: Any
    lm_head: VocabularyHead
    logit_shift: int = 0
    training: bool

    def _sources(self, columns: Columns, attention_mask: Tensor | None) -> Columns:
        """Return the column of the hidden state that predicts each column."""
        return columns

    def _rotate_keys(self, key: Tensor, angles: Angles) -> Tensor:
        """Apply the rotary embedding to keys, batch x heads x length x head_dim."""
        raise NotImplementedError

    def hidden_states(
        self, input_ids: TokenIds, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> Tensor:
        """Return the inputs of the head, batch x length x hidden; arguments as for ``forward``."""
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
        """Return the inputs of the head for chosen columns, batch x columns x hidden.

        In the last layer, keys and values are computed for all columns, but queries, attention output and
        feed-forward only for the chosen columns. The result equals that of `hidden_states` up to rounding,
        because the matrix products have other shapes. If ``cache`` expects a window of the canvas,
        ``input_ids`` and ``position_ids`` are those of the window.
        """
        if self.training:
            raise ValueError("the model must be in evaluation mode to select columns, got training mode")
        body = self.model
        hidden = body.embed_tokens(input_ids)
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        angles = body.rotary_emb(hidden, position_ids=position_ids.expand(input_ids.shape))
        mask = self._key_mask(attention_mask, hidden.dtype)
        *layers, last = body.layers
        for layer in layers:
            hidden = layer(hidden, attention_mask=mask, position_embeddings=angles, **{CACHE_ARGUMENT: cache})
        attention, normed = last.self_attn, last.input_layernorm(hidden)
        shape = (*input_ids.shape, -1, attention.head_dim)
        key = self._rotate_keys(attention.k_proj(normed).view(shape).transpose(1, 2), angles)
        value = attention.v_proj(normed).view(shape).transpose(1, 2)
        if cache is not None:
            key, value = cache.update(key, value, attention.layer_idx)
        # If the input is a window, the canvas's attention mask does not refer to its columns.
        sources = self._sources(columns, attention_mask if key.shape[2] == input_ids.shape[1] else None)
        known = KnownKeys(key, value)
        chosen = last(
            _take(hidden, sources),
            attention_mask=mask,
            position_embeddings=(_take(angles[0], sources), _take(angles[1], sources)),
            **{CACHE_ARGUMENT: known},
        )
        if not known.is_read:
            raise RuntimeError(
                f"the layers of transformers {transformers.__version__} must read a cache that is given as "
                f"{CACHE_ARGUMENT}, but they ignore it; install an earlier version"
            )
        return body.norm(chosen)

    def _key_mask(self, attention_mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
        """Convert a mask of positions to a mask that broadcasts over heads and queries."""
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
        """Predict the clean tokens; ``logits[b, i]`` predicts position i.

        Args:
            input_ids: noisy ids, batch x length.
            attention_mask: False or 0 where a position is hidden from all others, batch x length.
            logits_positions: positions at which the head runs; its results are then flat, in row-major
                order. Either a boolean mask, batch x length, or columns, batch x number of columns. With
                columns the last layer also computes less (`hidden_states_at`).
            targets: clean ids at these positions, int64, flat; the result is a loss instead of logits.
            token_weights: factor of the loss of each of these tokens, flat, without gradient.
            logits_fn: function of the logits of a chunk of these tokens and of the slice of the flat tokens
                in the chunk; its results are returned instead of logits.
            **kwargs: further arguments of the transformer (``position_ids``; with columns also ``cache``).

        Returns:
            ``logits`` batch x length x vocab without ``logits_positions`` and tokens x vocab with them;
            ``loss`` and ``token_nll`` with ``targets``; ``outputs`` with ``logits_fn``.

        Raises:
            ValueError: ``targets`` or ``logits_fn`` is passed without ``logits_positions``, or in a
                combination that the head does not accept.
        """
        if logits_positions is None and (targets is not None or logits_fn is not None):
            raise ValueError("logits_positions must be given with targets or logits_fn, got None")
        if logits_positions is None or logits_positions.dtype == torch.bool:
            hidden = self.hidden_states(input_ids, attention_mask, **kwargs)
            hidden = hidden if logits_positions is None else hidden[logits_positions]
        else:
            # Wrappers such as PEFT's also pass arguments that are None.
            given = {name: value for name, value in kwargs.items() if value is not None}
            hidden = self.hidden_states_at(input_ids, logits_positions, attention_mask, **given).flatten(0, 1)
        result = self.lm_head(hidden, targets=targets, token_weights=token_weights, logits_fn=logits_fn)
        if targets is not None:
            return Prediction(loss=result[0], token_nll=result[1])
        return Prediction(logits=result) if logits_fn is None else Prediction(outputs=result)

    def generate(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse, because transformers would generate from left to right."""
        raise TypeError(
            "a mask predictor does not generate from left to right; use weft.generate(model, ...)"
        )


@runtime_checkable
class Predictor(Protocol):
    """Interface through which the objective and the sampler call a model.

    A `MaskPredictor` implements it, even if it is wrapped by PEFT or DeepSpeed. Other attributes of the
    model (``device``, ``config``, ``training``, ``logit_shift``) are optional.
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
    """Select columns of each row of batch x length x width."""
    return states.gather(1, columns[..., None].expand(*columns.shape, states.shape[-1]))


class ExactFrequencies(nn.Module):
    """Mixin for a rotary embedding that keeps its frequencies in fp32 when the model is cast.

    ``model.bfloat16()`` would round them to eight bits, which causes an error of several radians at position
    4,000.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "ExactFrequencies":
        exact = dict(self.named_buffers(recurse=False))
        super()._apply(fn, recurse)
        for name, buffer in exact.items():
            if not buffer.is_meta:
                setattr(self, name, buffer.to(getattr(self, name).device))
        return self
