"""Answers as they are finished: rows from a queue, denoised block by block, refilled as they end."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from weft.sampling.decoding import Decoding
from weft.sampling.noise import Noise


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
        columns: candidates, ascending; below 0 lies the prompt.
        token_ids: the most probable token (with noise: the drawn one) at each candidate.
        confidence: its probability, or the random number that stands for it.
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
    model: Any,
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
    raise NotImplementedError
