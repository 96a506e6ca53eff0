"""The data of a trace: how an answer is unmasked step by step, and how confident the model is.

`weft.trace.job` samples answers and records their steps, `weft.trace.terminal` prints a trace, and
`weft.trace.page` writes an HTML page with several traces.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from transformers import PreTrainedTokenizerBase

from weft.records import Question
from weft.report.shown_text import END_SIGN
from weft.sampling.config import SamplingConfig
from weft.sampling.remasking import num_transfer_tokens
from weft.sampling.stream import Answer, StepOutput

SIGNS = {"\n": "↵", "\t": "⇥"}
SPACE_SIGN = "␣"


@dataclass(frozen=True)
class TracedToken:
    """A position of the finished answer.

    Attributes:
        column: position, from 0.
        token_id: id of the token at this position.
        step: number of the step that revealed the token, from 0; None if the position stayed masked or was
            filled with end-of-text after the end.
        confidence: probability of the token in that step.
        entropy: entropy of the prediction in that step, in nats.
    """

    column: int
    token_id: int
    step: int | None = None
    confidence: float | None = None
    entropy: float | None = None


@dataclass(frozen=True)
class Trace:
    """An answer and the denoising steps that unmasked it.

    Attributes:
        question: the question; example_id and benchmark are empty if it is not from a question file.
        prompt: text that the model saw before its answer, special tokens included.
        config: settings of the sampler.
        token_ids: the finished answer.
        steps: denoising steps, in order.
        texts: token id -> text, for all tokens that occur.
        ended_early: True if the blocks after an end-of-text token were filled in without denoising.
    """

    question: Question
    prompt: str
    config: SamplingConfig
    token_ids: Sequence[int]
    steps: Sequence[StepOutput]
    texts: dict[int, str]
    ended_early: bool = False

    @cached_property
    def tokens(self) -> list[TracedToken]:
        """The positions of the answer, from left to right."""
        tokens = [TracedToken(column, token_id) for column, token_id in enumerate(self.token_ids)]
        for number, step in enumerate(self.steps):
            for index, column in enumerate(step.columns):
                final_id = self.token_ids[column]
                is_final = step.token_ids[index] == final_id != self.config.mask_token_id
                if step.is_revealed[index] and is_final:
                    values = step.confidence[index], step.entropy[index]
                    tokens[column] = TracedToken(column, final_id, number, *values)
        return tokens

    @property
    def in_order(self) -> list[TracedToken]:
        """The revealed positions in the order of unmasking; within a step the most confident first."""
        revealed = [token for token in self.tokens if token.step is not None]
        return sorted(revealed, key=lambda token: (token.step, -(token.confidence or 0.0), token.column))

    @property
    def answer(self) -> str:
        """Text of the answer up to the first end-of-text token."""
        ids = list(self.token_ids)
        end = self.config.eos_token_id
        return "".join(self.texts[token_id] for token_id in (ids[: ids.index(end)] if end in ids else ids))

    def canvases(self) -> list[list[int]]:
        """Return the token ids of the answer after each step."""
        canvas = [self.config.mask_token_id] * len(self.token_ids)
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
        """Return a short text for a token within an answer: safe to print, not empty, on a single line."""
        if token_id == self.config.eos_token_id:
            return END_SIGN
        return visible(self.texts[token_id]) or f"token {token_id}"

    def label(self, token_id: int) -> str:
        """Return a text for a token outside an answer; a token that consists of spaces is shown as signs."""
        text = visible(self.texts[token_id]) or f"token {token_id}"
        return text if text.strip(" ") else SPACE_SIGN * len(text)


def make_trace(
    question: Question,
    prompt_ids: Sequence[int],
    answer: Answer,
    steps: Sequence[StepOutput],
    *,
    config: SamplingConfig,
    tokenizer: PreTrainedTokenizerBase,
) -> Trace:
    """Combine an answer and its steps into a trace, with the text of every token that occurs.

    Args:
        question: the question.
        prompt_ids: token ids that the model saw before its answer.
        answer: the finished answer.
        steps: its denoising steps, in order.
        config: settings of the sampler.
        tokenizer: tokenizer of the model.

    Returns:
        The trace.
    """

    def decode(ids: Sequence[int]) -> str:
        return str(tokenizer.decode(list(ids), skip_special_tokens=False))

    considered = (token_id for step in steps for token_id in step.token_ids)
    ids = sorted({config.mask_token_id, *answer.token_ids, *considered})
    texts = {token_id: decode([token_id]) for token_id in ids}
    return Trace(question, decode(prompt_ids), config, answer.token_ids, steps, texts, answer.ended_early)


def describe(config: SamplingConfig) -> dict[str, str]:
    """Return the settings of the sampler by name in readable form; options that are off are left out."""
    counts = sorted(set(num_transfer_tokens(config.block_length, config.steps_per_block)))
    described = {"tokens per answer": str(config.gen_length)}
    if config.confidence_threshold is None:
        described["tokens revealed per step"] = " or ".join(map(str, counts))
    described["process"] = f"approximate: {config.approximation}" if config.approximation else "exact"
    for name, value in config.options().items():
        if name == "temperature" or value not in (None, False, 0.0):
            described[name.replace("_", " ")] = f"{value:g}" if isinstance(value, float) else str(value)
    return described


def describe_confidence(config: SamplingConfig) -> str:
    """Return a description of the numbers shown as confidence, and of how positions are chosen."""
    token = "most probable token" if config.temperature == 0 else "token drawn, without the noise"
    is_random = config.remasking == "random"
    return f"probability of the {token}" + "; positions are chosen at random" * is_random


def visible(text: str, *, keep: str = "") -> str:
    r"""Return text that is safe to print: control and formatting characters become signs or escapes.

    Args:
        text: any text.
        keep: characters that are not replaced, such as line feeds.

    Returns:
        The text with ↵ for a line feed, ⇥ for a tab, and escapes such as ``\u202e`` for other characters
        that cannot be seen.
    """
    return "".join(
        character if character in keep or character.isprintable() else _sign_of(character)
        for character in text
    )


def _sign_of(character: str) -> str:
    return SIGNS.get(character) or character.encode("unicode_escape").decode("ascii")
