"""Answers as they are finished: rows from a queue, denoised block by block, refilled as they end."""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from weft.errors import SamplingError
from weft.model import Predictor
from weft.sampling.decoding import Decoding
from weft.sampling.denoise import Batch, Onlooker, Row, Step, denoise_block
from weft.sampling.noise import Noise

LOG = logging.getLogger("weft.sampling")


@dataclass(frozen=True)
class Request:
    """A prompt to answer.

    Attributes:
        index: the caller's number for it.
        prompt: token ids.
        key: of its random numbers, see `weft.sampling.noise`.
    """

    index: int
    prompt: Sequence[int]
    key: int = 0


@dataclass(frozen=True)
class Answer:
    """A finished answer.

    Attributes:
        index: the request's number.
        token_ids: ``gen_length`` ids.
        num_forward: denoising steps that this answer took.
        ended_early: whether the rest behind an end-of-text was filled in and not denoised.
    """

    index: int
    token_ids: list[int]
    num_forward: int
    ended_early: bool


@dataclass(frozen=True)
class StepView:
    """What happened to one row in one denoising step; columns count from the start of its answer.

    Attributes:
        index: the request's number.
        block: number of the block, from 0.
        step_in_block: number of the step in its block, from 0.
        columns: candidates that were asked about, ascending; below 0 lies the prompt.
        token_ids: the most probable token (with a temperature: the drawn one) at each candidate.
        confidence: its probability.
        entropy: of the prediction at each candidate, in nats.
        is_revealed: True where the prediction was kept.
    """

    index: int
    block: int
    step_in_block: int
    columns: Tensor
    token_ids: Tensor
    confidence: Tensor
    entropy: Tensor
    is_revealed: Tensor


Observer = Callable[[StepView], None]


def stream_answers(
    model: Predictor,
    requests: Sequence[Request],
    decoding: Decoding,
    *,
    batch_size: int,
    noise: Noise | None = None,
    observe: Observer | None = None,
) -> Iterator[Answer]:
    """Answer prompts, yielding each answer as soon as it is finished, in no particular order.

    Args:
        model: mask predictor of `weft.model`, adapter included.
        requests: the prompts.
        decoding: settings.
        batch_size: rows denoised together; halved when memory runs out, which the log tells.
        noise: random numbers, for settings that need them.
        observe: told of every row in every step.

    Yields:
        Answers.

    Raises:
        SamplingError: a prompt does not fit, or memory does not even suffice for one row.
    """
    _check(model, requests, decoding, noise, batch_size)
    device = getattr(model, "device", torch.device("cpu"))
    rows = [Row.begin(request.index, request.prompt, request.key, decoding) for request in requests]
    # The longest first: memory runs out at once if it does, and later batches only get narrower.
    queue = deque(sorted(rows, key=lambda row: (-len(row.prompt), row.index)))
    active: list[Row] = []
    size = batch_size
    is_tight = observe is None  # onlookers are not to see a block twice
    while queue or active:
        while queue and len(active) < size:
            active.append(queue.popleft())
        batch = Batch(active, decoding, device)
        onlooker = None if observe is None else _tell(observe, batch)
        failure: Exception | None = None
        try:
            canvases, steps, holds = denoise_block(
                model, batch, noise=noise, is_tight=is_tight, onlooker=onlooker
            )
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            failure = error.with_traceback(None)  # which holds what filled the memory
        if failure is not None:
            del batch, onlooker
            size = _halve(active, failure, decoding)
            queue.extendleft(reversed(active[size:]))
            del active[size:]
            continue
        if not holds:
            is_tight = False
            continue
        for row, canvas, num_steps in zip(active, canvases, steps, strict=True):
            row.canvas = canvas[len(canvas) - len(row.canvas) :]
            row.num_forward += num_steps
            row.block += 1
        going: list[Row] = []
        for row in active:
            if is_finished(row, decoding):
                yield _finish(row, decoding)
            else:
                going.append(row)
        active = going


def is_finished(row: Row, decoding: Decoding) -> bool:
    """Say whether nothing that is read of a row can change any more."""
    if row.block == decoding.num_blocks:
        return True
    if not decoding.early_stop:
        return False
    closed = row.answer[: row.block * decoding.block_length]
    if decoding.eos_token_id not in closed:
        return False
    # A position that predicted the mask token itself is filled later, perhaps.
    return decoding.mask_token_id not in closed[: closed.index(decoding.eos_token_id)]


def _finish(row: Row, decoding: Decoding) -> Answer:
    closed = row.block * decoding.block_length
    ids = row.answer
    if closed < decoding.gen_length:
        assert decoding.eos_token_id is not None, "only a row with end-of-text ends early"
        ids[closed:] = [decoding.eos_token_id] * (decoding.gen_length - closed)
    return Answer(row.index, ids, row.num_forward, closed < decoding.gen_length)


def _tell(observe: Observer, batch: Batch) -> Onlooker:
    """Turn steps of a batch into views of its rows."""

    def onlooker(step: Step) -> None:
        entropy = step.decision.entropy
        assert entropy is not None, "onlookers are shown the entropy"
        for number, row in enumerate(batch.rows):
            is_open = step.is_candidate[number]
            shown = (step.columns, *step.decision[:2], entropy, step.is_revealed)
            columns, token_ids, confidence, uncertainty, is_revealed = (
                tensor[number][is_open].cpu() for tensor in shown
            )
            order = columns.argsort()
            if len(order):
                observe(
                    StepView(
                        index=row.index,
                        block=row.block,
                        step_in_block=step.step_in_block,
                        columns=columns[order] - batch.prompt_length,
                        token_ids=token_ids[order],
                        confidence=confidence[order],
                        entropy=uncertainty[order],
                        is_revealed=is_revealed[order],
                    )
                )

    return onlooker


def _halve(active: Sequence[Row], failure: Exception, decoding: Decoding) -> int:
    """Say how many rows to go on with when memory has run out; they keep what they have."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    size = len(active) // 2
    if size == 0:
        (row,) = active
        raise SamplingError(
            f"one row must fit into memory, a prompt of {len(row.prompt)} tokens and an answer of "
            f"{decoding.gen_length} do not; shorten them, or use a device with more memory"
        ) from failure
    LOG.warning("out of memory with %d rows at a time; going on with %d", len(active), size)
    return size


def _is_out_of_memory(error: Exception) -> bool:
    """Recognise an exhausted memory; torch has no class for that of the CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(text in str(error) for text in ("DefaultCPUAllocator", "not enough memory", "out of memory"))


def _check(
    model: Predictor, requests: Sequence[Request], decoding: Decoding, noise: Noise | None, batch_size: int
) -> None:
    if batch_size < 1:
        raise SamplingError(f"batch_size must be at least 1, got {batch_size}")
    if getattr(model, "training", False):
        raise SamplingError(
            "the model must be in evaluation mode, it is in training mode; its method eval puts it there"
        )
    if decoding.kv_cache and not hasattr(model, "logit_shift"):
        raise SamplingError(
            f"a kv_cache needs a mask predictor of weft.model, got {type(model).__name__} without logit_shift"
        )
    if decoding.needs_noise and noise is None:
        raise SamplingError("temperature and random remasking need noise, got None; give a seed")
    config = getattr(model, "config", None)
    vocab_size = getattr(config, "vocab_size", None)
    context = getattr(config, "max_position_embeddings", None)
    if vocab_size is not None and not 0 <= decoding.mask_token_id < vocab_size:
        raise SamplingError(
            f"mask_token_id must be below the vocabulary's {vocab_size}, got {decoding.mask_token_id}"
        )
    end = decoding.eos_token_id
    if decoding.early_stop and vocab_size is not None and not 0 <= (-1 if end is None else end) < vocab_size:
        raise SamplingError(f"eos_token_id must be below the vocabulary's {vocab_size}, got {end}")
    for request in requests:
        length = len(request.prompt)
        if context is not None and length + decoding.gen_length > context:
            raise SamplingError(
                f"prompt and answer must fit into the model's context of {context} tokens, prompt "
                f"{request.index} has {length} and the answer {decoding.gen_length}; shorten one of them"
            )
        if (
            vocab_size is not None
            and length
            and not 0 <= min(request.prompt) <= max(request.prompt) < vocab_size
        ):
            raise SamplingError(
                f"token ids must be from 0 to {vocab_size - 1}, prompt {request.index} has "
                f"{min(request.prompt)} to {max(request.prompt)}; is it another model's tokenizer?"
            )
        if decoding.kv_cache and (not length or decoding.mask_token_id in request.prompt):
            raise SamplingError(
                f"with a kv_cache a prompt must have tokens and no mask among them, prompt {request.index} "
                f"has {length}; sample it without"
            )
