"""One answer step by step: which token was revealed when, how sure the model was, what else it considered.

Here are the plain data, collected from the steps of `weft.sampling.stream`; `weft.trace.terminal`
prints them and `weft.trace.page` makes a page of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from transformers import PreTrainedTokenizerBase

from weft.sampling.decoding import Decoding
from weft.sampling.stream import Answer, StepView

SIGNS = {"\n": "↵", "\t": "⇥"}
SPACE_SIGN = "␣"
END_SIGN = "∎"
"""Stands for end-of-text, which otherwise would fill the canvas with its long name."""


@dataclass(frozen=True)
class TraceStep:
    """What one denoising step considered and kept; one entry per position asked about, ascending.

    With random remasking only the positions drawn are asked about, otherwise all masked ones are.

    Attributes:
        block: number of the block, from 0.
        columns: positions in the answer, from 0.
        token_ids: the most probable token of each; with a temperature the drawn one.
        confidence: probability of that token, whatever decided where to reveal.
        entropy: of each prediction, in nats.
        is_revealed: whether the prediction was kept.
    """

    block: int
    columns: list[int]
    token_ids: list[int]
    confidence: list[float]
    entropy: list[float]
    is_revealed: list[bool]

    @property
    def num_revealed(self) -> int:
        """Predictions that were kept."""
        return sum(self.is_revealed)


@dataclass(frozen=True)
class TracedToken:
    """A position of the finished answer.

    Attributes:
        column: from 0.
        token_id: what stands there.
        step: number of the step, from 0, that revealed it; None where none did: the position stayed masked,
            or was filled with end-of-text after the end.
        confidence: probability in that step.
        entropy: of the prediction in that step, in nats.
    """

    column: int
    token_id: int
    step: int | None = None
    confidence: float | None = None
    entropy: float | None = None


@dataclass(frozen=True)
class Subject:
    """What was answered.

    Attributes:
        question: as it is shown.
        prompt: all that the model saw before its answer, special tokens included.
        name: of the example; empty for a question of one's own.
        benchmark: that it belongs to; empty for a question of one's own.
        reference: the expected answer, if there is one.
    """

    question: str
    prompt: str
    name: str = ""
    benchmark: str = ""
    reference: Any = None


@dataclass(frozen=True)
class Trace:
    """How one answer came about.

    Attributes:
        subject: what was answered.
        decoding: settings of the reverse process.
        token_ids: the finished answer.
        steps: in order.
        texts: token id to its text, for all that occur.
        ended_early: whether the rest after an end-of-text was filled in.
    """

    subject: Subject
    decoding: Decoding
    token_ids: Sequence[int]
    steps: Sequence[TraceStep]
    texts: dict[int, str]
    ended_early: bool = False

    @cached_property
    def tokens(self) -> list[TracedToken]:
        """The positions of the answer, from left to right."""
        tokens = [TracedToken(column, token_id) for column, token_id in enumerate(self.token_ids)]
        for number, step in enumerate(self.steps):
            for index, column in enumerate(step.columns):
                final_id = self.token_ids[column]
                is_final = step.token_ids[index] == final_id != self.decoding.mask_token_id
                if step.is_revealed[index] and is_final:
                    values = step.confidence[index], step.entropy[index]
                    tokens[column] = TracedToken(column, final_id, number, *values)
        return tokens

    @property
    def in_order(self) -> list[TracedToken]:
        """The revealed positions in the order of unmasking; within a step the surest first."""
        revealed = [token for token in self.tokens if token.step is not None]
        return sorted(revealed, key=lambda token: (token.step, -(token.confidence or 0.0), token.column))

    @property
    def answer(self) -> str:
        """Text of the answer up to the first end-of-text."""
        ids = list(self.token_ids)
        end = self.decoding.eos_token_id
        return "".join(self.texts[one] for one in (ids[: ids.index(end)] if end in ids else ids))

    def canvases(self) -> list[list[int]]:
        """Give the token ids of the answer's canvas after each step."""
        canvas = [self.decoding.mask_token_id] * len(self.token_ids)
        canvases = []
        for step in self.steps:
            for column, token_id, is_revealed in zip(
                step.columns, step.token_ids, step.is_revealed, strict=True
            ):
                if is_revealed:
                    canvas[column] = token_id
            canvases.append(list(canvas))
        return canvases

    def sign(self, token_id: int) -> str:
        """Show a token among others, where room is short: safe to print, never empty, one line."""
        if token_id == self.decoding.eos_token_id:
            return END_SIGN
        return visible(self.texts[token_id]) or f"token {token_id}"

    def label(self, token_id: int) -> str:
        """Show a token by itself, by its own name; one of spaces only by a sign for each."""
        text = visible(self.texts[token_id]) or f"token {token_id}"
        return text if text.strip(" ") else SPACE_SIGN * len(text)


class TraceCollector:
    """An observer of `weft.sampling.stream.stream_answers` that keeps the steps of every request.

    Masks in the prompt, which the published loop fills as well, are left out.

    Attributes:
        steps: request index to its steps, in order.
    """

    def __init__(self) -> None:
        self.steps: dict[int, list[TraceStep]] = {}

    def __call__(self, view: StepView) -> None:
        """Keep one step of one row."""
        in_answer = view.columns >= 0
        step = TraceStep(
            view.block,
            view.columns[in_answer].tolist(),
            view.token_ids[in_answer].tolist(),
            view.confidence[in_answer].tolist(),
            view.entropy[in_answer].tolist(),
            view.is_revealed[in_answer].tolist(),
        )
        self.steps.setdefault(view.index, []).append(step)


def make_trace(
    subject: Subject,
    answer: Answer,
    steps: Sequence[TraceStep],
    *,
    decoding: Decoding,
    tokenizer: PreTrainedTokenizerBase,
) -> Trace:
    """Put together what is known about one answer.

    Args:
        subject: what was answered.
        answer: the finished answer.
        steps: its steps, from a `TraceCollector`.
        decoding: settings of the reverse process.
        tokenizer: of the model.

    Returns:
        The trace, with the text of every token that occurs in it.
    """
    considered = (token_id for step in steps for token_id in step.token_ids)
    ids = {decoding.mask_token_id, *answer.token_ids, *considered}
    return Trace(
        subject,
        decoding,
        answer.token_ids,
        steps,
        {one: str(tokenizer.decode([one], skip_special_tokens=False)) for one in sorted(ids)},
        answer.ended_early,
    )


def describe(decoding: Decoding) -> dict[str, str]:
    """Say in words how an answer is made."""
    counts = " or ".join(str(count) for count in sorted(set(decoding.transfers)))
    chosen = "the surest" if decoding.remasking == "low_confidence" else "at positions chosen at random"
    revealed = f"{counts} token{'' if counts == '1' else 's'} per step, {chosen}"
    if decoding.confidence_threshold is not None:
        revealed = f"per step all from a confidence of {decoding.confidence_threshold:g} on, at least one"
    answers = "exact" if decoding.is_exact else "approximate, not what the published loop would say"
    described = {
        "answer": f"{decoding.gen_length} tokens in blocks of {decoding.block_length}",
        "revealed": revealed,
        "process": answers if decoding.kv_cache is None else f"{answers} ({decoding.kv_cache} cache)",
        "temperature": f"{decoding.temperature:g}",
    }
    if decoding.cfg_scale > 0:
        described["guidance"] = f"scale {decoding.cfg_scale:g}"
    if decoding.early_stop:
        described["end"] = "with the block that holds the first end of text"
    return described


def describe_confidence(decoding: Decoding) -> str:
    """Say in words what the numbers shown as confidence are, and whether they decide anything."""
    token = "most probable token" if decoding.temperature == 0 else "token drawn, without the noise"
    is_random = decoding.remasking == "random"
    return f"probability of the {token}" + "; positions are chosen at random" * is_random


def visible(text: str, *, keep: str = "") -> str:
    r"""Make text safe to print: control and formatting characters, halves of characters become signs.

    Args:
        text: anything.
        keep: characters that stay as they are, such as line ends.

    Returns:
        The text with ↵ for a line end, ⇥ for a tab, and ``\u202e`` for what cannot be seen.
    """
    return "".join(one if one in keep or one.isprintable() else _sign_of(one) for one in text)


def _sign_of(character: str) -> str:
    return SIGNS.get(character) or character.encode("unicode_escape").decode("ascii")
