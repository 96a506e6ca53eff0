"""The log-likelihood of given answers, by the masked bound of `weft.diffusion.likelihood`.

As in the sampler, random numbers are hashes of seed, prompt, draw and position, so that a result does not
depend on batches or on other answers. Answers to the same prompt share their random numbers, which makes the
differences between the options of a question more accurate.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.axes import BatchFloats, TokenMask
from weft.config.section import Section
from weft.diffusion import (
    all_masks,
    draw_masks,
    mask_probability,
    masked_bound,
    num_mask_sets,
    num_masked_per_draw,
)
from weft.errors import SamplingError
from weft.model import Predictor
from weft.sampling.config import SamplingConfig
from weft.sampling.denoise import Prompt
from weft.sampling.models import find_device, require_callable, result_at
from weft.sampling.noise import HashedNoise
from weft.sampling.stream import LOG, is_out_of_memory, stream_answers

OFFSET_STEP = -1
"""Step under which the offset of the numbers of masks is drawn; the draws themselves are numbered from 0."""


class LikelihoodConfig(Section):
    """Settings of the masked bound."""

    mc_num: int
    """Number of draws of an answer, at least 1."""
    seed: int
    """Seed of the masks."""
    cfg_scale: float = 0.0
    """Scale of classifier-free guidance, 0 for none; the unconditional pass masks the prompt."""
    enumerate_short: bool = True
    """Sum over all sets of masked positions instead of drawing some, if there are at most ``mc_num``."""
    mask_token_id: int
    """Id of the mask token."""


@dataclass(frozen=True)
class Continuation:
    """A prompt and the answer whose likelihood is computed.

    Attributes:
        prompt: the prompt; its index identifies the pair, and its key determines the masks.
        answer_ids: token ids of the answer.
    """

    prompt: Prompt
    answer_ids: Sequence[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer_ids)


def stream_log_likelihoods(
    model: Predictor, pairs: Sequence[Continuation], config: LikelihoodConfig, *, batch_size: int
) -> Iterator[tuple[int, float]]:
    """Compute the bound for prompts and answers, and yield each value as soon as it is known.

    Args:
        model: mask predictor of `weft.model`, adapter included, or another that the sampler accepts.
        pairs: prompts and answers.
        config: settings.
        batch_size: sequences of a forward pass; halved, with a warning in the log, when memory runs out.

    Yields:
        Index of the prompt, and the bound on the log-likelihood of the answer in nats; in no particular
        order.

    Raises:
        SamplingError: a setting is not valid, an answer contains a mask token, the model returns logits that
            are not numbers, or a single sequence does not fit into memory.
    """
    require_callable(model)
    if config.mc_num < 1 or batch_size < 1 or config.cfg_scale < 0:
        raise SamplingError(
            f"mc_num and batch_size must be at least 1 and cfg_scale at least 0, got {config.mc_num}, "
            f"{batch_size} and {config.cfg_scale:g}"
        )
    for pair in pairs:
        if config.mask_token_id in pair.answer_ids:
            raise SamplingError(f"the answer to {pair.prompt} must not contain the mask token")
    totals = {pair.prompt.index: 0.0 for pair in pairs}
    # Sequences of similar length share a batch; the longest come first, so that insufficient memory shows.
    order = sorted(pairs, key=lambda pair: (-len(pair), -len(pair.answer_ids), pair.prompt.index))
    rows = _all_rows(order, config)
    waiting: deque[_Row] = deque()
    while batch := _take_rows(waiting, rows, batch_size):
        values = _evaluate_if_it_fits(model, batch, config)
        if values is None:
            torch.cuda.empty_cache()
            batch_size = len(batch) // 2
            LOG.warning(
                "out of memory with %d sequences at a time; continuing with %d", len(batch), batch_size
            )
            waiting.extendleft(reversed(batch))
            continue
        for row, value in zip(batch, values, strict=True):
            index = row.pair.prompt.index
            totals[index] += row.weight * value
            if row.is_last:
                yield index, totals[index]


def stream_greedy_answers(
    model: Predictor,
    pairs: Iterable[Continuation],
    *,
    mask_token_id: int,
    cfg_scale: float = 0.0,
    batch_size: int,
) -> Iterator[tuple[int, bool]]:
    """Compare given answers with those that the model samples without noise, one token per step.

    The answer is sampled as a single block of the length of the given answer; in each step the most confident
    prediction is revealed. Answers of the same length to the same prompt need one such answer.

    Args:
        model: as for `stream_log_likelihoods`.
        pairs: prompts and answers.
        mask_token_id: id of the mask token.
        cfg_scale: scale of classifier-free guidance, 0 for none.
        batch_size: sequences denoised together.

    Yields:
        Index of the prompt, and True if the sampled tokens are those of the answer; in no particular order.
    """
    by_length: dict[int, dict[tuple[int, ...], list[Continuation]]] = {}
    for pair in pairs:
        prompts = by_length.setdefault(len(pair.answer_ids), {})
        prompts.setdefault(tuple(pair.prompt.token_ids), []).append(pair)
    for length, prompts in by_length.items():
        if length == 0:
            yield from ((pair.prompt.index, True) for same in prompts.values() for pair in same)
            continue
        config = SamplingConfig(
            gen_length=length,
            block_length=length,
            diffusion_steps=length,
            remasking="low_confidence",
            temperature=0.0,
            cfg_scale=cfg_scale,
            early_stop=False,
            mask_token_id=mask_token_id,
        )
        wanted = [*prompts.items()]
        questions = [Prompt(number, ids) for number, (ids, _) in enumerate(wanted)]
        for answer in stream_answers(model, questions, config, batch_size=batch_size):
            for pair in wanted[answer.index][1]:
                yield pair.prompt.index, answer.token_ids == list(pair.answer_ids)


@dataclass(frozen=True)
class _Row:
    """A draw: an answer with some tokens masked.

    Attributes:
        pair: prompt and answer.
        is_masked: True at the masked tokens of the answer.
        weight: weight of the draw in the mean over draws.
        is_last: True for the last draw of the answer.
    """

    pair: Continuation
    is_masked: Tensor
    weight: float
    is_last: bool


def _all_rows(pairs: Iterable[Continuation], config: LikelihoodConfig) -> Iterator[_Row]:
    """Yield all draws of all answers; an answer without tokens has one draw, whose value is 0."""
    for pair in pairs:
        masks, weights = choose_masks(len(pair.answer_ids), pair.prompt.key, config)
        last = len(masks) - 1
        for number, (is_masked, weight) in enumerate(zip(masks, weights.tolist(), strict=True)):
            yield _Row(pair, is_masked, weight, number == last)


def choose_masks(length: int, key: int, config: LikelihoodConfig) -> tuple[TokenMask, BatchFloats]:
    """Choose the masks of an answer, and the weight of each in the mean.

    Args:
        length: number of tokens of the answer.
        key: key of the random numbers.
        config: settings.

    Returns:
        True at masked positions, draws x length; and the weights, whose sum is 1.
    """
    if length == 0:
        return torch.zeros(1, 0, dtype=torch.bool), torch.ones(1, dtype=torch.float64)
    # The comparison of lengths avoids the power of a large number.
    if config.enumerate_short and length < 64 and num_mask_sets(length) <= config.mc_num:
        masks = all_masks(length)
        return masks, mask_probability(masks)
    noise, number = HashedNoise(config.seed), config.mc_num
    keys = torch.tensor([key])
    offset = noise.for_positions(keys, torch.tensor([OFFSET_STEP]), torch.zeros(1, 1, dtype=torch.long))
    num_masked = num_masked_per_draw(float(offset), length=length, num_draws=number)
    positions = torch.arange(length).expand(number, -1)
    uniform = noise.for_positions(keys.expand(number), torch.arange(number), positions)
    return draw_masks(num_masked, uniform), torch.full((number,), 1 / number, dtype=torch.float64)


def _take_rows(waiting: deque[_Row], rows: Iterator[_Row], batch_size: int) -> list[_Row]:
    batch: list[_Row] = []
    while len(batch) < batch_size:
        row = waiting.popleft() if waiting else next(rows, None)
        if row is None:
            break
        batch.append(row)
    return batch


def _evaluate_if_it_fits(
    model: Predictor, rows: Sequence[_Row], config: LikelihoodConfig
) -> list[float] | None:
    """Return the value of each draw, or None if the batch does not fit into memory."""
    try:
        return _evaluate(model, rows, config)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if len(rows) == 1:
            raise SamplingError(
                f"the memory of the device must hold at least one sequence, but {len(rows[0].pair)} tokens "
                "do not fit; shorten prompt and answer, or use a device with more memory"
            ) from error
    return None


@torch.inference_mode()
def _evaluate(model: Predictor, rows: Sequence[_Row], config: LikelihoodConfig) -> list[float]:
    """Return the value of each draw of a batch, padded on the left so that all answers end together."""
    device, mask = find_device(model), config.mask_token_id
    length = max(len(row.pair) for row in rows)
    num_columns = max(len(row.pair.answer_ids) for row in rows)
    if num_columns == 0:
        return [0.0] * len(rows)
    clean = torch.full((len(rows), length), mask)
    is_masked = torch.zeros(len(rows), length, dtype=torch.bool)
    is_prompt = torch.zeros(len(rows), length, dtype=torch.bool)
    for number, row in enumerate(rows):
        size = len(row.pair.answer_ids)
        clean[number, length - len(row.pair) :] = torch.tensor(
            [*row.pair.prompt.token_ids, *row.pair.answer_ids]
        )
        is_masked[number, length - size :] = row.is_masked
        is_prompt[number, length - len(row.pair) : length - size] = True
    padding = torch.tensor([length - len(row.pair) for row in rows])
    positions = torch.arange(length) - padding[:, None]
    columns = torch.arange(length - num_columns, length).expand(len(rows), -1)
    targets = clean.gather(1, columns).flatten().to(device)
    noisy_ids = clean.masked_fill(is_masked, mask).to(device)
    call = partial(
        _call,
        model,
        is_visible=(positions >= 0).to(device) if bool(padding.any()) else None,
        position_ids=positions.clamp(min=0).to(device),
        columns=columns.to(device),
    )
    if config.cfg_scale > 0:
        logits = call(noisy_ids, None)
        unconditional = call(noisy_ids.masked_fill(is_prompt.to(device), mask), None)
        guided = unconditional + (config.cfg_scale + 1) * (logits - unconditional)
        log_prob = _log_prob(guided, targets)
    else:
        log_prob = call(noisy_ids, lambda logits, part: _log_prob(logits, targets[part]))
    log_prob = log_prob.view(len(rows), num_columns).double().cpu()
    return [
        _value(row, values[num_columns - len(row.pair.answer_ids) :])
        for row, values in zip(rows, log_prob, strict=True)
    ]


def _value(row: _Row, log_prob: Tensor) -> float:
    """Return the value of a draw from the log-probabilities of all tokens of the answer."""
    if not len(log_prob):
        return 0.0
    if log_prob[row.is_masked].isnan().any():
        raise SamplingError(
            f"the model's logits must be numbers, got NaN or infinity for the answer to {row.pair.prompt}; "
            "check the weights of model and adapter, or use float32"
        )
    return float(masked_bound(log_prob[None], row.is_masked[None]))


def _call(
    model: Predictor,
    input_ids: Tensor,
    logits_fn: Any,
    *,
    is_visible: Tensor | None,
    position_ids: Tensor,
    columns: Tensor,
) -> Tensor:
    prediction = model(
        input_ids=input_ids,
        attention_mask=is_visible,
        position_ids=position_ids,
        logits_positions=columns,
        logits_fn=logits_fn,
    )
    return result_at(prediction, input_ids, columns, logits_fn)


def _log_prob(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the log-probability of each target, in fp32 or a wider type."""
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return -F.cross_entropy(exact, targets, reduction="none")
