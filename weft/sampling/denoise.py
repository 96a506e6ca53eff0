"""One block of the reverse process, for all rows of a batch at once.

What the published loop computes is computed here only where it decides something:

- the head, and most of the last layer, run at the masked positions up to the end of the current block;
- the softmax is taken of these rows alone, in chunks, and reduced to one probability each;
- candidates, their ranking and the reveal are tensor operations over all rows.  Within a block nothing
  waits for the device: how many candidates a row has left is known beforehand, unless the model
  predicts the mask token itself, which shows at the block's end; the block is then done again without
  that assumption.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from weft.axes import BatchIds, ColumnFloats, ColumnMask, Columns, TokenIds
from weft.model.head import HEAD_CHUNK, LogitsFn, in_chunks
from weft.model.key_values import BlockCache
from weft.model.predictor import Prediction, Predictor
from weft.sampling.decoding import Decoding
from weft.sampling.noise import Noise
from weft.sampling.remasking import rank_by_confidence

NOISE_CHUNK = 64
"""Rows over the vocabulary for which random numbers exist at the same time: several tensors in float64."""


@dataclass
class Row:
    """One answer in the making.

    Attributes:
        index: the caller's number for it.
        prompt: token ids; a mask token in it is filled in like those of the answer.
        key: of its random numbers.
        canvas: prompt and answer so far.
        block: number of the block to be denoised next.
        num_forward: denoising steps so far.
    """

    index: int
    prompt: list[int]
    key: int
    canvas: list[int]
    block: int = 0
    num_forward: int = 0

    @classmethod
    def begin(cls, index: int, prompt: Sequence[int], key: int, decoding: Decoding) -> "Row":
        """Put a fully masked answer behind a prompt."""
        ids = [int(token) for token in prompt]
        return cls(
            index=index,
            prompt=ids,
            key=key,
            canvas=ids + [decoding.mask_token_id] * decoding.gen_length,
        )

    @property
    def answer(self) -> list[int]:
        """The answer so far."""
        return self.canvas[len(self.prompt) :]

    def candidates(self, decoding: Decoding) -> list[int]:
        """List the masked columns up to the end of the current block, ascending.

        With a cache those before the block are left alone: their keys are not renewed.
        """
        end = len(self.prompt) + (self.block + 1) * decoding.block_length
        start = end - decoding.block_length if decoding.kv_cache else 0
        return [column for column in range(start, end) if self.canvas[column] == decoding.mask_token_id]


class Decision(NamedTuple):
    """What the model says about the candidates, batch x candidates.

    Attributes:
        token_ids: the most probable token, or the drawn one.
        confidence: its probability.
        entropy: of the whole prediction, in nats; only if asked for.
    """

    token_ids: Columns
    confidence: ColumnFloats
    entropy: ColumnFloats | None


@dataclass(frozen=True)
class Step:
    """One denoising step of a batch, for onlookers; tensors are batch x candidates.

    Attributes:
        step_in_block: from 0.
        columns: of the batch's canvas.
        is_candidate: False where the step decides nothing.
        decision: what the model says.
        is_revealed: True where a prediction was kept.
    """

    step_in_block: int
    columns: Columns
    is_candidate: ColumnMask
    decision: Decision
    is_revealed: ColumnMask


class Batch:
    """Rows side by side, padded on the left so that all answers begin at the same column."""

    def __init__(self, rows: Sequence[Row], decoding: Decoding, device: torch.device) -> None:
        self.rows = rows
        self.decoding = decoding
        self.prompt_length = max(len(row.prompt) for row in rows)
        self.length = self.prompt_length + decoding.gen_length
        mask = decoding.mask_token_id
        pads = [self.prompt_length - len(row.prompt) for row in rows]
        canvas = [[mask] * pad + row.canvas for pad, row in zip(pads, rows, strict=True)]
        is_guide = [
            [False] * pad + [token != mask for token in row.prompt] + [False] * decoding.gen_length
            for pad, row in zip(pads, rows, strict=True)
        ]
        waiting = [
            [pad + column for column in row.candidates(decoding)] for pad, row in zip(pads, rows, strict=True)
        ]
        self.num_candidates = max(map(len, waiting))
        self.canvas_ids = torch.tensor(canvas, device=device)
        self.is_guide = torch.tensor(is_guide, device=device)
        self.keys = torch.tensor([row.key for row in rows], device=device)
        self.blocks = torch.tensor([row.block for row in rows], device=device)
        self.columns = torch.tensor([self._fill_up(own) for own in waiting], device=device)
        num_own = torch.tensor([len(own) for own in waiting], device=device)
        self.is_candidate = torch.arange(self.num_candidates, device=device) < num_own[:, None]
        self.position_ids = (
            torch.arange(self.length, device=device) - torch.tensor(pads, device=device)[:, None]
        )
        # Without padding no mask is passed, which lets attention take its fast path.
        self.is_visible = self.position_ids >= 0 if any(pads) else None
        self.position_ids = self.position_ids.clamp(min=0)

    def _fill_up(self, own: list[int]) -> list[int]:
        """Give all rows as many columns.

        Those added must differ from the row's own, since all columns are written to at once.
        """
        taken = set(own)
        others = (column for column in range(self.length) if column not in taken)
        return own + [next(others) for _ in range(self.num_candidates - len(own))]

    def window(self, logit_shift: int) -> tuple[Columns, ColumnMask | None]:
        """Find the columns that are computed anew beside a cache, and which of them renew it.

        Args:
            logit_shift: columns before the block that its predictions are read from.

        Returns:
            Columns of each row; for the prefix cache they reach to the end of the canvas, and rows that
            are further on begin as early as the hindmost but renew only their own.
        """
        length, device = self.decoding.block_length, self.canvas_ids.device
        start = self.prompt_length + self.blocks[:, None] * length - logit_shift
        if self.decoding.kv_cache == "dual":
            return start + torch.arange(length + logit_shift, device=device), None
        hindmost = self.prompt_length + min(row.block for row in self.rows) * length - logit_shift
        columns = torch.arange(hindmost, self.length, device=device).expand(len(self.rows), -1)
        return columns, columns >= start


Onlooker = Callable[[Step], None]


@torch.inference_mode()
def denoise_block(
    model: Predictor, batch: Batch, *, noise: Noise | None, is_tight: bool, onlooker: Onlooker | None = None
) -> tuple[list[list[int]], list[int], bool]:
    """Denoise the current block of every row.

    Args:
        model: the mask predictor.
        batch: the rows; its canvas is changed.
        noise: random numbers, for settings that need them.
        is_tight: assume that no mask token is predicted, so that the number of candidates is known.
        onlooker: told of every step.

    Returns:
        The canvas of each row with its padding, the steps that each took, and whether the assumption
        held; if not, the canvas is of no use.
    """
    decoding, canvas_ids = batch.decoding, batch.canvas_ids
    columns, is_candidate = batch.columns, batch.is_candidate
    predictor = _BatchPredictor(model, batch, noise, wants_entropy=onlooker is not None)
    threshold = decoding.confidence_threshold
    is_tight = is_tight and threshold is None
    # A threshold reveals at least one in each step, so that there are no more steps than candidates.
    transfers = decoding.transfers if threshold is None else [1] * columns.shape[1]
    holds = torch.ones((), dtype=torch.bool, device=columns.device)
    num_steps = torch.zeros_like(batch.blocks)
    num_left = columns.shape[1]
    for step, num_tokens in enumerate(transfers):
        if num_tokens == 0:
            continue  # nothing is revealed, so nothing need be computed
        is_open = (canvas_ids.gather(1, columns) == decoding.mask_token_id) & is_candidate
        num_open = is_open.sum(dim=1)
        if is_tight:
            holds &= (num_open <= num_left).all()
        else:
            num_left = int(num_open.max())
        if num_left == 0:
            break
        # The open ones first, in their order.
        order = is_open.logical_not().long().argsort(dim=1, stable=True)[:, :num_left]
        columns, is_open = columns.gather(1, order), is_open.gather(1, order)
        is_candidate = is_open
        steps = batch.blocks * decoding.steps_per_block + step
        at = columns
        if decoding.remasking == "random":
            # Where is decided without the model, which is then asked there only.
            assert noise is not None, "a setting that needs noise comes with it"
            priority = noise.for_positions(batch.keys, steps, batch.position_ids.gather(1, columns))
            chosen = rank_by_confidence(priority.masked_fill(~is_open, -torch.inf))[:, :num_tokens]
            at, is_open = columns.gather(1, chosen), is_open.gather(1, chosen)
        decision = predictor(at, steps)
        confidence = decision.confidence.masked_fill(~is_open, -torch.inf)
        surest = rank_by_confidence(confidence)[:, :num_tokens]
        is_revealed = torch.zeros_like(is_open).scatter(1, surest, True)
        if threshold is not None:
            is_revealed |= confidence >= threshold
        is_revealed &= is_open
        canvas_ids.scatter_(1, at, decision.token_ids.where(is_revealed, canvas_ids.gather(1, at)))
        num_steps += num_open > 0
        num_left -= num_tokens
        if onlooker is not None:
            onlooker(Step(step, at, is_open, decision, is_revealed))
    # One transfer, for which the host waits once.
    facts = torch.stack([num_steps, holds.expand_as(num_steps).long()], dim=1)
    made = torch.cat([canvas_ids, facts], dim=1).tolist()
    return [row[:-2] for row in made], [row[-2] for row in made], bool(made[0][-1])


class _BatchPredictor:
    """Asks the model about columns of a batch: noise, guidance and caches inside."""

    def __init__(self, model: Predictor, batch: Batch, noise: Noise | None, *, wants_entropy: bool) -> None:
        self.model = model
        self.batch = batch
        self.noise = noise
        self.wants_entropy = wants_entropy
        self.cache = BlockCache() if batch.decoding.kv_cache else None
        self.window: Columns | None = None

    def __call__(self, at: Columns, steps: BatchIds) -> Decision:
        """Predict the tokens of some columns."""
        logits_fn = self._logits_fn(at, steps)
        if self.batch.decoding.cfg_scale > 0:
            rows = self._guided_logits(at)
            parts = in_chunks(len(rows), HEAD_CHUNK)
            made: Tensor | None = torch.cat([logits_fn(rows[part], part) for part in parts])
        else:
            made = self._ask(self.batch.canvas_ids, at, logits_fn=logits_fn).outputs
        assert made is not None, "logits_fn was given"
        token_ids, confidence, *entropy = made.unflatten(0, at.shape).unbind(dim=-1)
        return Decision(token_ids.long(), confidence, entropy[0] if entropy else None)

    def _ask(self, canvas_ids: TokenIds, at: Columns, **kwargs: Any) -> Prediction:
        """Run the model on the canvas or, once a cache is filled, on the window that renews it."""
        positions = self.batch.position_ids
        if self.window is not None:
            canvas_ids, positions = canvas_ids.gather(1, self.window), positions.gather(1, self.window)
            at = at - self.window[:, :1]
        if self.cache is not None:
            kwargs["cache"] = self.cache
        prediction: Prediction = self.model(
            input_ids=canvas_ids,
            attention_mask=self.batch.is_visible,
            position_ids=positions,
            logits_positions=at,
            **kwargs,
        )
        if self.cache is not None and self.window is None:
            self.window, is_fresh = self.batch.window(getattr(self.model, "logit_shift", 0))
            self.cache.renew_at(self.window, is_fresh)
        return prediction

    def _guided_logits(self, at: Columns) -> Float[Tensor, "tokens vocab"]:
        """Move the logits away from those of a pass that does not see the prompt."""
        canvas_ids, decoding = self.batch.canvas_ids, self.batch.decoding
        logits = self._ask(canvas_ids, at).logits
        blind = self._ask(canvas_ids.masked_fill(self.batch.is_guide, decoding.mask_token_id), at).logits
        assert logits is not None, "no targets were given"
        assert blind is not None, "no targets were given"
        return blind + (decoding.cfg_scale + 1) * (logits - blind)

    def _logits_fn(self, at: Columns, steps: BatchIds) -> LogitsFn:
        """Make the function that turns rows of logits into token, confidence and, if wanted, entropy."""
        batch, temperature = self.batch, self.batch.decoding.temperature
        flat_positions = batch.position_ids.gather(1, at).flatten()
        flat_keys, flat_steps = (of_row[:, None].expand_as(at).flatten() for of_row in (batch.keys, steps))

        def logits_fn(logits: Tensor, part: slice) -> Tensor:
            rows = logits.to(torch.promote_types(logits.dtype, torch.float32))
            if temperature > 0:
                token_ids = self._draw(logits, flat_keys[part], flat_steps[part], flat_positions[part])
            else:
                token_ids = rows.argmax(dim=1, keepdim=True)
            # The softmax itself and not exp(max - logsumexp): the two round differently, and among
            # predictions that are nearly certain the rounding decides the order (decision 19).
            probability = rows.softmax(dim=1)
            made = [token_ids.to(rows.dtype), probability.gather(1, token_ids)]
            if self.wants_entropy:
                made.append(torch.special.entr(probability).sum(dim=1, keepdim=True))
            return torch.cat(made, dim=1)

        return logits_fn

    def _draw(
        self, logits: Tensor, keys: Tensor, steps: Tensor, positions: Tensor
    ) -> Int[Tensor, "tokens 1"]:
        """Draw tokens by the Gumbel trick, in float64 and few rows at a time."""
        noise, temperature = self.noise, self.batch.decoding.temperature
        assert noise is not None, "a setting that needs noise comes with it"
        drawn = []
        for part in in_chunks(len(logits), NOISE_CHUNK):
            uniform = noise.for_tokens(keys[part], steps[part], positions[part, None], logits.shape[1])
            # The logarithm of LLaDA's exp(logits) / (-log u)^temperature, which overflows beyond 709.
            scores = logits[part].double() - temperature * (-uniform.squeeze(1).log()).log()
            drawn.append(scores.argmax(dim=1, keepdim=True))
        return torch.cat(drawn)
