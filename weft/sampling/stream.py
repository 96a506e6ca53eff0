"""Answer prompts in batches, and yield each answer as soon as it is finished.

Sequences wait in a queue. A batch denoises one block of each of its sequences at a time; a sequence whose
answer is finished makes room for the next one from the queue.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from weft.errors import SamplingError
from weft.model import Predictor
from weft.sampling.config import SamplingConfig
from weft.sampling.denoise import (
    BatchCallback,
    BatchStep,
    BlockResult,
    CanvasBatch,
    SequenceState,
    denoise_block,
)
from weft.sampling.noise import HashedNoise

LOG = logging.getLogger("weft.sampling")


@dataclass(frozen=True)
class Prompt:
    """A prompt to answer.

    Attributes:
        index: the caller's number for the prompt.
        token_ids: token ids.
        key: key of the random numbers, see `weft.sampling.noise`.
        name: id of the example, for messages; empty if there is none.
    """

    index: int
    token_ids: Sequence[int]
    key: int = 0
    name: str = ""

    def __str__(self) -> str:
        return f"example {self.name!r}" if self.name else f"prompt {self.index}"


@dataclass(frozen=True)
class Answer:
    """A finished answer.

    Attributes:
        index: number of the prompt.
        token_ids: ``gen_length`` token ids.
        num_forward: denoising steps that this answer took.
        ended_early: True if the rest behind an end-of-text token was filled in and not denoised.
    """

    index: int
    token_ids: list[int]
    num_forward: int
    ended_early: bool


@dataclass(frozen=True)
class StepOutput:
    """One denoising step of one sequence; one entry per position of the answer with a prediction, ascending.

    With random remasking only the positions drawn are predicted, otherwise all masked positions up to the
    end of the block. Masks in the prompt, which the published loop fills in as well, are left out.

    Attributes:
        index: number of the prompt.
        block: number of the block, from 0.
        step_in_block: number of the step in its block, from 0.
        columns: positions in the answer, from 0.
        token_ids: the most probable token of each position; with a temperature the drawn token.
        confidence: probability of that token.
        entropy: entropy of the predicted distribution, in nats.
        is_revealed: True if the prediction was kept.
    """

    index: int
    block: int
    step_in_block: int
    columns: list[int]
    token_ids: list[int]
    confidence: list[float]
    entropy: list[float]
    is_revealed: list[bool]


StepCallback = Callable[[StepOutput], None]


def stream_answers(
    model: Predictor,
    prompts: Sequence[Prompt],
    config: SamplingConfig,
    *,
    batch_size: int,
    noise: HashedNoise | None = None,
    callback: StepCallback | None = None,
) -> Iterator[Answer]:
    """Answer prompts and yield each answer as soon as it is finished, in no particular order.

    Args:
        model: mask predictor of `weft.model`, adapter included.
        prompts: the prompts.
        config: settings.
        batch_size: sequences denoised together; halved, with a warning in the log, when memory runs out.
        noise: random numbers, for settings that need them.
        callback: called for every sequence after every step.

    Yields:
        Answers.

    Raises:
        SamplingError: a prompt does not fit, or memory does not suffice for a single sequence.
    """
    _check_model(model, config, noise, batch_size)
    for prompt in prompts:
        _check_prompt(model, prompt, config)
    # The longest prompts go first: if memory runs out it does so at once, and later batches get narrower.
    waiting = deque(
        SequenceState.begin(prompt.index, prompt.token_ids, prompt.key, config)
        for prompt in sorted(prompts, key=lambda prompt: (-len(prompt.token_ids), prompt.index))
    )
    active: list[SequenceState] = []
    assume_no_mask_predicted = callback is None  # a block that is done again would be reported twice
    while waiting or active:
        while waiting and len(active) < batch_size:
            active.append(waiting.popleft())
        result = _denoise_if_it_fits(
            model, active, config, noise, callback, assume_no_mask_predicted=assume_no_mask_predicted
        )
        if result is None:
            batch_size = _halve(len(active))
            waiting.extendleft(reversed(active[batch_size:]))
            del active[batch_size:]
        elif not result.assumption_held:
            assume_no_mask_predicted = False
        else:
            _advance(active, result)
            yield from (_finish(sequence, config) for sequence in active if is_finished(sequence, config))
            active = [sequence for sequence in active if not is_finished(sequence, config)]


def _denoise_if_it_fits(
    model: Predictor,
    active: Sequence[SequenceState],
    config: SamplingConfig,
    noise: HashedNoise | None,
    callback: StepCallback | None,
    *,
    assume_no_mask_predicted: bool,
) -> BlockResult | None:
    """Denoise the next block of some sequences; return None if memory does not suffice for all of them.

    The sequences themselves are not changed.
    """
    try:
        batch = CanvasBatch(active, config, getattr(model, "device", torch.device("cpu")))
        return denoise_block(
            model,
            batch,
            noise=noise,
            assume_no_mask_predicted=assume_no_mask_predicted,
            callback=None if callback is None else _split_by_sequence(callback, batch),
        )
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        if len(active) == 1:
            raise SamplingError(
                f"the memory of the device must hold at least one sequence, but a prompt of "
                f"{len(active[0].prompt)} tokens and an answer of {config.gen_length} do not fit; shorten "
                "them, or use a device with more memory"
            ) from error
        return None


def _halve(num_active: int) -> int:
    """Free the memory of the failed batch and return half the number of its sequences."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = num_active // 2
    LOG.warning("out of memory with %d sequences at a time; continuing with %d", num_active, half)
    return half


def _is_out_of_memory(error: Exception) -> bool:
    """Return True if memory ran out; torch has no exception class for the memory of the CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(text in str(error) for text in ("DefaultCPUAllocator", "not enough memory", "out of memory"))


def _advance(active: Sequence[SequenceState], result: BlockResult) -> None:
    """Move each sequence to its next block."""
    for sequence, canvas, num_steps in zip(active, result.canvases, result.num_steps, strict=True):
        sequence.canvas = canvas[len(canvas) - len(sequence.canvas) :]
        sequence.num_forward += num_steps
        sequence.block += 1


def is_finished(sequence: SequenceState, config: SamplingConfig) -> bool:
    """Return True if no token of the answer up to its first end-of-text can change any more."""
    if sequence.block == config.num_blocks:
        return True
    if not config.early_stop:
        return False
    closed = sequence.answer[: sequence.block * config.block_length]
    if config.eos_token_id not in closed:
        return False
    # A position at which the mask token itself was predicted may be filled in later.
    return config.mask_token_id not in closed[: closed.index(config.eos_token_id)]


def _finish(sequence: SequenceState, config: SamplingConfig) -> Answer:
    """Return the answer, filled with end-of-text behind the last denoised block."""
    closed = sequence.block * config.block_length
    ids = sequence.answer
    if closed < config.gen_length:
        assert config.eos_token_id is not None, "only an answer with end-of-text ends early"
        ids[closed:] = [config.eos_token_id] * (config.gen_length - closed)
    return Answer(sequence.index, ids, sequence.num_forward, closed < config.gen_length)


def _split_by_sequence(callback: StepCallback, batch: CanvasBatch) -> BatchCallback:
    """Return a callback for steps of a batch that calls another one for each sequence."""

    def call_for_each_sequence(step: BatchStep) -> None:
        entropy = step.prediction.entropy
        assert entropy is not None, "with a callback the entropy is computed"
        columns, num_masked = step.columns - batch.prompt_length, step.is_masked.sum(dim=1).tolist()
        tensors = (columns, *step.prediction[:2], entropy, step.is_revealed)
        for row, sequence in enumerate(batch.sequences):
            shown = (columns[row] >= 0) & step.is_masked[row]
            order = columns[row][shown].argsort()
            if num_masked[row]:
                values = (tensor[row][shown][order].tolist() for tensor in tensors)
                callback(StepOutput(sequence.index, sequence.block, step.step_in_block, *values))

    return call_for_each_sequence


def _check_model(
    model: Predictor, config: SamplingConfig, noise: HashedNoise | None, batch_size: int
) -> None:
    """Raise SamplingError if model, settings and noise do not fit together."""
    if batch_size < 1:
        raise SamplingError(f"batch_size must be at least 1, got {batch_size}")
    if getattr(model, "training", False):
        raise SamplingError(
            "the model must be in evaluation mode, got one in training mode; call model.eval()"
        )
    if config.kv_cache and not hasattr(model, "logit_shift"):
        raise SamplingError(
            f"model must be a mask predictor of weft.model for a kv_cache, got {type(model).__name__} "
            "without logit_shift"
        )
    if config.needs_noise and noise is None:
        raise SamplingError(
            "noise must be given for a temperature or random remasking, got None; give a seed"
        )
    vocab_size = _of_config(model, "vocab_size")
    used = {"mask_token_id": config.mask_token_id}
    if config.early_stop:
        used["eos_token_id"] = -1 if config.eos_token_id is None else config.eos_token_id
    for name, token_id in used.items():
        if vocab_size is not None and not 0 <= token_id < vocab_size:
            raise SamplingError(f"{name} must be from 0 to {vocab_size - 1}, got {token_id}")


def _check_prompt(model: Predictor, prompt: Prompt, config: SamplingConfig) -> None:
    """Raise SamplingError if the model cannot answer a prompt."""
    vocab_size, context = _of_config(model, "vocab_size"), _of_config(model, "max_position_embeddings")
    ids = prompt.token_ids
    if context is not None and len(ids) + config.gen_length > context:
        raise SamplingError(
            f"prompt and answer must have at most {context} tokens together, the model's context; got "
            f"{len(ids)} + {config.gen_length} for {prompt}; choose a smaller gen_length or leave it out"
        )
    if vocab_size is not None and len(ids) and not 0 <= min(ids) <= max(ids) < vocab_size:
        raise SamplingError(
            f"token ids must be from 0 to {vocab_size - 1}, got {min(ids)} to {max(ids)} in {prompt}; "
            "check that the tokenizer belongs to the model"
        )
    if config.kv_cache and (not len(ids) or config.mask_token_id in ids):
        raise SamplingError(
            f"a prompt must have tokens and no mask token for a kv_cache, got {len(ids)} tokens in {prompt}; "
            "sample it without a cache"
        )


def _of_config(model: Predictor, name: str) -> int | None:
    """Return a number from the model's configuration; None if there is no such number."""
    return getattr(getattr(model, "config", None), name, None)
