"""Answer prompts in batches, and yield each answer as soon as it is finished.

All sequences of a batch are denoised block by block. A finished sequence leaves the batch and is replaced by
the next sequence of a queue.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from weft.errors import SamplingError
from weft.model import Predictor
from weft.sampling.config import SamplingConfig
from weft.sampling.denoise import (
    BatchStep,
    BlockResult,
    CanvasBatch,
    Prompt,
    SequenceState,
    denoise_block,
)
from weft.sampling.models import find_device, require_callable
from weft.sampling.noise import HashedNoise

LOG = logging.getLogger("weft.sampling")


@dataclass(frozen=True)
class Answer:
    """A finished answer.

    Attributes:
        index: number of the prompt.
        token_ids: ``gen_length`` token ids.
        num_forward: number of denoising steps of this answer.
        ended_early: True if the blocks after an end-of-text token were filled in without denoising.
    """

    index: int
    token_ids: list[int]
    num_forward: int
    ended_early: bool


@dataclass(frozen=True)
class StepOutput:
    """A denoising step of a sequence. The lists have an entry for each predicted position, in order.

    With random remasking only the drawn positions are predicted, otherwise all masked positions up to the
    end of the block. Masks in the prompt, which the published loop also predicts, are not included.

    Attributes:
        index: number of the prompt.
        block: number of the block, from 0.
        step_in_block: number of the step in its block, from 0.
        columns: positions in the answer, from 0.
        token_ids: the most probable token of each position or, with a temperature, the sampled token.
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
        prompts: prompts to answer.
        config: settings of the sampler.
        batch_size: sequences denoised together; halved, with a warning in the log, when memory runs out.
        noise: random numbers; required if the settings use them.
        callback: called for every sequence after every step.

    Yields:
        The answers.

    Raises:
        SamplingError: a prompt does not fit the model, or a single sequence does not fit into memory.
    """
    _check_model(model, config, noise, batch_size)
    for prompt in prompts:
        _check_prompt(model, prompt, config)
    # The longest prompts come first, so that insufficient memory shows in the first batch.
    longest_first = sorted(prompts, key=lambda prompt: (-len(prompt), prompt.index))
    waiting = deque(SequenceState(prompt, config) for prompt in longest_first)
    active: list[SequenceState] = []
    assume_no_mask_predicted = callback is None  # else the callback could get a block twice
    while waiting or active:
        while waiting and len(active) < batch_size:
            active.append(waiting.popleft())
        result = _denoise_if_it_fits(
            model, active, config, noise, callback, assume_no_mask_predicted=assume_no_mask_predicted
        )
        if result is None:
            torch.cuda.empty_cache()
            batch_size = len(active) // 2
            LOG.warning(
                "out of memory with %d sequences at a time; continuing with %d", len(active), batch_size
            )
            waiting.extendleft(reversed(active[batch_size:]))
            del active[batch_size:]
        elif not result.assumption_held:
            assume_no_mask_predicted = False
        else:
            for sequence, canvas, num_steps in zip(active, result.canvases, result.num_steps, strict=True):
                sequence.canvas = canvas[len(canvas) - len(sequence.canvas) :]
                sequence.num_forward += num_steps
                sequence.block += 1
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
    """Denoise the next block without changing the sequences; return None if it does not fit into memory."""
    try:
        batch = CanvasBatch(active, config, find_device(model))
        return denoise_block(
            model,
            batch,
            noise=noise,
            assume_no_mask_predicted=assume_no_mask_predicted,
            callback=None if callback is None else partial(_call_for_each_sequence, callback, batch),
        )
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        if len(active) == 1:
            raise SamplingError(
                f"the memory of the device must hold at least one sequence, but a prompt of "
                f"{len(active[0].prompt)} tokens with an answer of {config.gen_length} tokens does not fit; "
                "shorten them, or use a device with more memory"
            ) from error
    return None


def is_out_of_memory(error: Exception) -> bool:
    """Return True if memory ran out; for CPU memory torch raises a plain RuntimeError."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(text in str(error) for text in ("DefaultCPUAllocator", "not enough memory", "out of memory"))


def is_finished(sequence: SequenceState, config: SamplingConfig) -> bool:
    """Return True if no token of the answer up to its first end-of-text can change any more."""
    if sequence.block == config.num_blocks:
        return True
    if not config.early_stop:
        return False
    closed = sequence.answer[: sequence.block * config.block_length]
    if config.eos_token_id not in closed:
        return False
    # A position at which the model predicted the mask token may still be predicted later.
    return config.mask_token_id not in closed[: closed.index(config.eos_token_id)]


def _finish(sequence: SequenceState, config: SamplingConfig) -> Answer:
    """Return the answer, filled with end-of-text after the last denoised block."""
    closed = sequence.block * config.block_length
    ids = sequence.answer
    if closed < config.gen_length:
        assert config.eos_token_id is not None, "only an answer with end-of-text ends early"
        ids[closed:] = [config.eos_token_id] * (config.gen_length - closed)
    return Answer(sequence.prompt.index, ids, sequence.num_forward, closed < config.gen_length)


def _call_for_each_sequence(callback: StepCallback, batch: CanvasBatch, step: BatchStep) -> None:
    """Call a callback for each sequence that has a masked position in a step of a batch."""
    entropy = step.prediction.entropy
    assert entropy is not None, "denoise_block computes the entropy for a callback"
    columns, num_masked = step.columns - batch.prompt_length, step.is_masked.sum(dim=1).tolist()
    tensors = (columns, *step.prediction[:2], entropy, step.is_revealed)
    for row, sequence in enumerate(batch.sequences):
        shown = (columns[row] >= 0) & step.is_masked[row]
        order = columns[row][shown].argsort()
        if num_masked[row]:
            values = (tensor[row][shown][order].tolist() for tensor in tensors)
            callback(StepOutput(sequence.prompt.index, sequence.block, step.step_in_block, *values))


def _check_model(
    model: Predictor, config: SamplingConfig, noise: HashedNoise | None, batch_size: int
) -> None:
    """Raise SamplingError if the settings or the noise are not valid for the model."""
    require_callable(model)
    if batch_size < 1:
        raise SamplingError(f"batch_size must be at least 1, got {batch_size}")
    if getattr(model, "training", False):
        raise SamplingError("the model must be in evaluation mode, got training mode; call model.eval()")
    if config.kv_cache and not hasattr(model, "logit_shift"):
        raise SamplingError(
            f"model must be a mask predictor of weft.model for a kv_cache, got {type(model).__name__} "
            "without logit_shift"
        )
    if config.needs_noise and noise is None:
        raise SamplingError("noise must be given for a temperature or random remasking, got None")
    vocab_size = _of_config(model, "vocab_size")
    for name in ["mask_token_id", *(["eos_token_id"] if config.early_stop else [])]:
        token_id = getattr(config, name)
        if vocab_size is not None and not 0 <= token_id < vocab_size:
            raise SamplingError(f"{name} must be from 0 to {vocab_size - 1}, got {token_id}")
        if token_id < 0:
            raise SamplingError(f"{name} must be at least 0, got {token_id}")
    known_mask = _of_config(model, "mask_token_id")
    if known_mask is not None and config.mask_token_id != known_mask:
        raise SamplingError(
            f"mask_token_id must be {known_mask}, the mask token in the model's configuration, got "
            f"{config.mask_token_id}; pass model.config.mask_token_id"
        )


def _check_prompt(model: Predictor, prompt: Prompt, config: SamplingConfig) -> None:
    """Raise SamplingError if the model cannot answer a prompt."""
    vocab_size, context = _of_config(model, "vocab_size"), _of_config(model, "max_position_embeddings")
    ids = prompt.token_ids
    if context is not None and len(prompt) + config.gen_length > context:
        raise SamplingError(
            f"prompt and answer must have at most {context} tokens together, the model's context; got "
            f"{len(prompt)} + {config.gen_length} for {prompt}; choose a smaller gen_length or leave it out"
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
    """Return a number from the model's configuration, or None if the configuration lacks it."""
    value = getattr(getattr(model, "config", None), name, None)
    return value if isinstance(value, int) else None
