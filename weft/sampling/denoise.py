"""Denoise the current block of every answer in a batch.

The published loop computes logits and a softmax at every position of the canvas in every step. This
module computes only what can change the output:

- The output head and most of the last layer are computed only at the masked positions up to the end of the
  block.
- The softmax is computed at these positions only, in chunks, and reduced to a probability per position.
- Tokens are selected and revealed by tensor operations over all rows, without a transfer to the host
  within a block. This requires the number of masked positions in advance, which is known unless the model
  predicts the mask token itself. A check at the end of the block detects this case; the caller then
  denoises the block again without the assumption.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from weft.axes import BatchIds, ColumnFloats, ColumnMask, Columns, Float, Int, TokenIds
from weft.errors import SamplingError
from weft.model.head import HEAD_CHUNK, LogitsFn, in_chunks
from weft.model.key_values import BlockCache
from weft.model.predictor import Predictor
from weft.sampling.config import SamplingConfig
from weft.sampling.models import result_at
from weft.sampling.noise import HashedNoise
from weft.sampling.remasking import num_transfer_tokens, rank_by_confidence

NOISE_CHUNK = 64
"""Number of positions for which random numbers over the vocabulary are in memory at the same time."""


@dataclass(frozen=True)
class Prompt:
    """A prompt to answer.

    Attributes:
        index: number by which the caller identifies the prompt.
        token_ids: token ids; mask tokens among them are predicted like those of the answer.
        key: key of the random numbers, see `weft.sampling.noise`.
        name: id of the example, for messages; empty without an id.
    """

    index: int
    token_ids: Sequence[int]
    key: int = 0
    name: str = ""

    def __len__(self) -> int:
        return len(self.token_ids)

    def __str__(self) -> str:
        return f"example {self.name!r}" if self.name else f"prompt {self.index}"


class SequenceState:
    """A prompt and its partially denoised answer.

    Args:
        prompt: the prompt.
        config: settings of the sampler.

    Attributes:
        canvas: token ids of prompt and answer; at the beginning the answer consists of mask tokens.
        block: number of the block to be denoised next.
        num_forward: denoising steps so far.
    """

    def __init__(self, prompt: Prompt, config: SamplingConfig) -> None:
        self.prompt = prompt
        self.canvas = [*map(int, prompt.token_ids), *[config.mask_token_id] * config.gen_length]
        self.block = 0
        self.num_forward = 0

    @property
    def answer(self) -> list[int]:
        """Token ids of the answer."""
        return self.canvas[len(self.prompt) :]

    def masked_columns(self, config: SamplingConfig) -> list[int]:
        """Return the masked columns up to the end of the current block, in ascending order.

        With a cache, masks before the block are excluded, because their keys are not recomputed.
        """
        end = len(self.prompt) + (self.block + 1) * config.block_length
        start = end - config.block_length if config.kv_cache else 0
        return [column for column in range(start, end) if self.canvas[column] == config.mask_token_id]


class TokenPrediction(NamedTuple):
    """Predicted tokens at some columns, batch x columns.

    Attributes:
        token_ids: the most probable token or, with a temperature, the sampled token.
        confidence: probability of that token.
        entropy: entropy of the predicted distribution, in nats; None if it was not requested.
    """

    token_ids: Columns
    confidence: ColumnFloats
    entropy: ColumnFloats | None


@dataclass(frozen=True)
class BatchStep:
    """Arguments of a `BatchCallback`: a denoising step of a batch, with tensors of batch x columns.

    Attributes:
        step_in_block: number of the step, from 0.
        columns: columns of the batch's canvas at which tokens were predicted.
        is_masked: False at columns that were not masked and only pad the row.
        prediction: the predicted tokens.
        is_revealed: True where a prediction was kept.
    """

    step_in_block: int
    columns: Columns
    is_masked: ColumnMask
    prediction: TokenPrediction
    is_revealed: ColumnMask


BatchCallback = Callable[[BatchStep], None]


class BlockResult(NamedTuple):
    """A denoised block.

    Attributes:
        canvases: token ids of each row, including the left padding.
        num_steps: denoising steps that each row took.
        assumption_held: False if a mask token was predicted although it was assumed that none would be; the
            caller must then discard the canvases.
    """

    canvases: list[list[int]]
    num_steps: list[int]
    assumption_held: bool


class CanvasBatch:
    """Sequences as rows of a canvas, padded on the left so that all answers begin at the same column."""

    def __init__(
        self, sequences: Sequence[SequenceState], config: SamplingConfig, device: torch.device
    ) -> None:
        self.sequences = sequences
        self.config = config
        self.prompt_length = max(len(sequence.prompt) for sequence in sequences)
        self.length = self.prompt_length + config.gen_length
        mask = config.mask_token_id
        padding = [self.prompt_length - len(sequence.prompt) for sequence in sequences]
        rows = list(zip(padding, sequences, strict=True))
        canvas = [[mask] * pad + sequence.canvas for pad, sequence in rows]
        is_prompt = [
            [False] * pad
            + [token != mask for token in sequence.prompt.token_ids]
            + [False] * config.gen_length
            for pad, sequence in rows
        ]
        masked = [[pad + column for column in sequence.masked_columns(config)] for pad, sequence in rows]
        self.num_columns = max(map(len, masked))
        self.canvas_ids = torch.tensor(canvas, device=device)
        self.is_prompt = torch.tensor(is_prompt, device=device)
        self.keys = torch.tensor([sequence.prompt.key for sequence in sequences], device=device)
        self.blocks = torch.tensor([sequence.block for sequence in sequences], device=device)
        self.columns = torch.tensor([self._fill_up(columns) for columns in masked], device=device)
        num_masked = torch.tensor([len(columns) for columns in masked], device=device)
        self.is_masked = torch.arange(self.num_columns, device=device) < num_masked[:, None]
        positions = torch.arange(self.length, device=device) - torch.tensor(padding, device=device)[:, None]
        # Without padding no attention mask is passed, so that attention can use a faster kernel.
        self.is_visible = positions >= 0 if any(padding) else None
        self.position_ids = positions.clamp(min=0)

    def _fill_up(self, columns: list[int]) -> list[int]:
        """Extend the masked columns of a row to the number of columns that all rows have.

        The added columns must differ from the masked columns, because all columns are written at once.
        """
        masked = set(columns)
        others = (column for column in range(self.length) if column not in masked)
        return columns + [next(others) for _ in range(self.num_columns - len(columns))]

    def window(self, logit_shift: int) -> tuple[Columns, ColumnMask | None]:
        """Return the columns that are recomputed in each step, and where they replace the cache's entries.

        The second value is None if they replace all. With the prefix cache all rows have the same columns,
        from the earliest current block of any row to the end of the canvas, but a row replaces the entries
        from its own current block on.
        """
        length, device = self.config.block_length, self.canvas_ids.device
        start = self.prompt_length + self.blocks[:, None] * length - logit_shift
        if self.config.kv_cache == "dual":
            return start + torch.arange(length + logit_shift, device=device), None
        first_block = min(sequence.block for sequence in self.sequences)
        first = self.prompt_length + first_block * length - logit_shift
        columns = torch.arange(first, self.length, device=device).expand(len(self.sequences), -1)
        return columns, columns >= start


@torch.inference_mode()
def denoise_block(
    model: Predictor,
    batch: CanvasBatch,
    *,
    noise: HashedNoise | None,
    assume_no_mask_predicted: bool,
    callback: BatchCallback | None = None,
) -> BlockResult:
    """Denoise the current block of every row.

    Args:
        model: mask predictor.
        batch: the sequences; the canvas of the batch is changed.
        noise: random numbers; required if the settings use them.
        assume_no_mask_predicted: assume that the model never predicts the mask token, which avoids a transfer
            to the host in each step. Ignored with a confidence threshold.
        callback: called after every step.

    Returns:
        The canvases, the numbers of steps, and whether the assumption held.

    Raises:
        SamplingError: the model returned logits that are not numbers, or an output of another form.
    """
    config, canvas_ids = batch.config, batch.canvas_ids
    threshold = config.confidence_threshold
    masked = _MaskedColumns(batch, count_in_advance=assume_no_mask_predicted and threshold is None)
    predict = _BatchPredictor(model, batch, noise, wants_entropy=callback is not None)
    for step_in_block, num_tokens in _revealing_steps(batch):
        if not masked.update():
            break
        steps = batch.blocks * config.steps_per_block + step_in_block
        columns, is_masked = masked.columns, masked.is_masked
        if config.remasking == "random":
            columns, is_masked = _draw_columns(batch, masked, steps, num_tokens, noise)
        prediction = predict(columns, is_masked, steps)
        is_revealed = _choose_most_confident(prediction.confidence, is_masked, num_tokens, threshold)
        before = canvas_ids.gather(1, columns)
        canvas_ids.scatter_(1, columns, prediction.token_ids.where(is_revealed, before))
        masked.num_left -= num_tokens
        if callback is not None:
            callback(BatchStep(step_in_block, columns, is_masked, prediction, is_revealed))
    # A single transfer to the host per block.
    assumption_held = masked.assumption_held.expand_as(masked.num_steps)
    facts = torch.stack([masked.num_steps, assumption_held.long(), predict.has_nan.long()], dim=1)
    rows = torch.cat([canvas_ids, facts], dim=1).tolist()
    for row, sequence in zip(rows, batch.sequences, strict=True):
        if row[-1]:
            raise SamplingError(
                f"the model's logits must be numbers, got NaN or infinity in block {sequence.block + 1} of "
                f"the answer to {sequence.prompt}; check the weights of model and adapter, or use float32"
            )
    return BlockResult([row[:-3] for row in rows], [row[-3] for row in rows], bool(rows[0][-2]))


def _revealing_steps(batch: CanvasBatch) -> list[tuple[int, int]]:
    """Return the number of each step that reveals tokens, and how many tokens it reveals at least."""
    config = batch.config
    if config.confidence_threshold is None:
        # Further steps reveal nothing.
        num_steps = min(config.steps_per_block, config.block_length)
        num_tokens = num_transfer_tokens(config.block_length, num_steps)
    else:
        num_tokens = [1] * batch.num_columns  # every step reveals at least one token
    return [(step, number) for step, number in enumerate(num_tokens) if number > 0]


class _MaskedColumns:
    """The columns of a batch that are still masked, followed in each row by columns that pad the row."""

    def __init__(self, batch: CanvasBatch, *, count_in_advance: bool) -> None:
        self._batch = batch
        self._count_in_advance = count_in_advance
        self.num_left = batch.num_columns
        self.columns, self.is_masked = batch.columns, batch.is_masked
        self.num_steps = torch.zeros_like(batch.blocks)
        # Becomes False when a row has more masked columns than were counted in advance.
        self.assumption_held = torch.ones((), dtype=torch.bool, device=batch.columns.device)

    def update(self) -> bool:
        """Remove the columns revealed since the last call; return False if no masked column is left."""
        mask_token_id = self._batch.config.mask_token_id
        is_masked = (self._batch.canvas_ids.gather(1, self.columns) == mask_token_id) & self.is_masked
        num_masked = is_masked.sum(dim=1)
        if self._count_in_advance:
            self.assumption_held &= (num_masked <= self.num_left).all()
        else:
            self.num_left = int(num_masked.max())
        if self.num_left == 0:
            return False
        order = is_masked.logical_not().long().argsort(dim=1, stable=True)[:, : self.num_left]
        self.columns, self.is_masked = self.columns.gather(1, order), is_masked.gather(1, order)
        self.num_steps += num_masked > 0
        return True


def _draw_columns(
    batch: CanvasBatch, masked: _MaskedColumns, steps: BatchIds, num_tokens: int, noise: HashedNoise | None
) -> tuple[Columns, ColumnMask]:
    """Draw the masked columns to reveal, because random remasking needs predictions only there."""
    assert noise is not None, "stream_answers requires noise for random remasking"
    positions = batch.position_ids.gather(1, masked.columns)
    priority = noise.for_positions(batch.keys, steps, positions).masked_fill(~masked.is_masked, -torch.inf)
    drawn = rank_by_confidence(priority)[:, :num_tokens]
    return masked.columns.gather(1, drawn), masked.is_masked.gather(1, drawn)


def _choose_most_confident(
    confidence: ColumnFloats, is_masked: ColumnMask, num_tokens: int, threshold: float | None
) -> ColumnMask:
    """Select the most confident predictions of each row, and any others that reach the threshold."""
    confidence = confidence.masked_fill(~is_masked, -torch.inf)
    kept = rank_by_confidence(confidence)[:, :num_tokens]
    is_revealed = torch.zeros_like(is_masked).scatter(1, kept, True)
    if threshold is not None:
        is_revealed |= confidence >= threshold
    return is_revealed & is_masked


class _BatchPredictor:
    """Predict tokens at masked columns, with the configured guidance, noise and cache."""

    def __init__(
        self, model: Predictor, batch: CanvasBatch, noise: HashedNoise | None, *, wants_entropy: bool
    ) -> None:
        self.model = model
        self.batch = batch
        self.noise = noise
        self.wants_entropy = wants_entropy
        self.cache = BlockCache() if batch.config.kv_cache else None
        self.window: Columns | None = None
        # Rows for which the model returned logits that are not numbers.
        self.has_nan = torch.zeros_like(batch.blocks, dtype=torch.bool)

    def __call__(self, columns: Columns, is_masked: ColumnMask, steps: BatchIds) -> TokenPrediction:
        """Predict the tokens at some columns, and note which rows have logits that are not numbers."""
        select = self._token_selection(columns, steps)
        if self.batch.config.cfg_scale > 0:
            logits, is_nan = self._guided_logits(columns)
            parts = in_chunks(len(logits), HEAD_CHUNK)
            selected = torch.cat([select(logits[part], part) for part in parts])
        else:
            selected = self._call_model(self.batch.canvas_ids, columns, logits_fn=select)
            # If any logit is NaN, so are all probabilities.
            is_nan = selected[:, 1].isnan()
        self.has_nan |= (is_nan.view_as(columns) & is_masked).any(dim=1)
        token_ids, confidence, *entropy = selected.unflatten(0, columns.shape).unbind(dim=-1)
        return TokenPrediction(token_ids.long(), confidence, entropy[0] if entropy else None)

    def _call_model(
        self, canvas_ids: TokenIds, columns: Columns, logits_fn: LogitsFn | None = None
    ) -> Tensor:
        """Run the model on the canvas or, once the cache is filled, on the window that updates it."""
        positions = self.batch.position_ids
        extra: Any = {} if self.cache is None else {"cache": self.cache}
        if self.window is not None:
            canvas_ids, positions = canvas_ids.gather(1, self.window), positions.gather(1, self.window)
            columns = columns - self.window[:, :1]
        prediction = self.model(
            input_ids=canvas_ids,
            attention_mask=self.batch.is_visible,
            position_ids=positions,
            logits_positions=columns,
            logits_fn=logits_fn,
            **extra,
        )
        if self.cache is not None and self.window is None:
            self.window, is_fresh = self.batch.window(getattr(self.model, "logit_shift", 0))
            self.cache.renew_at(self.window, is_fresh)
        return result_at(prediction, canvas_ids, columns, logits_fn)

    def _guided_logits(self, columns: Columns) -> tuple[Float[Tensor, "tokens vocab"], Tensor]:
        """Return logits with classifier-free guidance, and where those of the model are not numbers.

        The unconditional pass masks the prompt. A very large scale may make the sum infinite, as in the
        published loop.
        """
        canvas_ids, config = self.batch.canvas_ids, self.batch.config
        logits = self._call_model(canvas_ids, columns)
        without_prompt = canvas_ids.masked_fill(self.batch.is_prompt, config.mask_token_id)
        unconditional = self._call_model(without_prompt, columns)
        is_nan = (logits.isnan() | unconditional.isnan()).any(dim=1)
        return unconditional + (config.cfg_scale + 1) * (logits - unconditional), is_nan

    def _token_selection(self, columns: Columns, steps: BatchIds) -> LogitsFn:
        """Return a function from logits to token, confidence and, if requested, entropy."""
        batch, temperature = self.batch, self.batch.config.temperature
        flat_positions = batch.position_ids.gather(1, columns).flatten()
        flat_keys, flat_steps = (
            values[:, None].expand_as(columns).flatten() for values in (batch.keys, steps)
        )

        def select(logits: Tensor, part: slice) -> Tensor:
            exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
            if temperature > 0:
                token_ids = self._draw_tokens(logits, flat_keys[part], flat_steps[part], flat_positions[part])
            else:
                token_ids = exact.argmax(dim=1, keepdim=True)
            # exp(max - logsumexp) is rounded differently from softmax, which would change the order of
            # predictions that are nearly certain (decision 19).
            probability = exact.softmax(dim=1)
            selected = [token_ids.to(exact.dtype), probability.gather(1, token_ids)]
            if self.wants_entropy:
                selected.append(torch.special.entr(probability).sum(dim=1, keepdim=True))
            return torch.cat(selected, dim=1)

        return select

    def _draw_tokens(
        self, logits: Tensor, keys: Tensor, steps: Tensor, positions: Tensor
    ) -> Int[Tensor, "tokens 1"]:
        """Draw tokens with Gumbel noise in float64, a few positions at a time."""
        noise, temperature = self.noise, self.batch.config.temperature
        assert noise is not None, "stream_answers requires noise for a temperature"
        drawn = []
        for part in in_chunks(len(logits), NOISE_CHUNK):
            uniform = noise.for_tokens(keys[part], steps[part], positions[part, None], logits.shape[1])
            # The logarithm of LLaDA's exp(logits) / (-log u)^temperature, which overflows beyond 709.
            scores = logits[part].double() - temperature * (-uniform.squeeze(1).log()).log()
            drawn.append(scores.argmax(dim=1, keepdim=True))
        return torch.cat(drawn)
