"""Rows of pretraining: random texts as token ids, with the tokens to predict and those to hide.

A row depends on the seed and on its index only, so that an interrupted training continues with the rows
that it would have seen.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerFast

from weft.config.sources import Part, Pretraining
from weft.data.encoding import encode_prompt, turn_end_id
from weft.data.tasks import TASKS
from weft.data.tasks.parts import Text, sample_text
from weft.data.tasks.problem import join_answer, sample_of_split
from weft.errors import DataError

WINDOW = 8
"""Tokens that are predicted together in an answer, as in a block of the sampler."""
FULL_WINDOW_SHARE = 0.4
"""Share of these windows that are masked in whole; the others are masked at a random rate."""
PLAIN_SHARE = 0.25
"""Share of the answers in which tokens are masked at a random rate, as in fine-tuning."""
PADDING_SHARE = 0.15
"""Share of these answers whose padding is predicted to the end; otherwise, its first two tokens are."""
RESULT_BONUS = 0.25
"""Advantage of the last token of a line, its result, when a token per line is chosen to be masked."""
SHORTEST_BODY = 16
"""Least tokens of separate lines in a row of random length."""
HIDDEN_LINES_SHARE = 0.8
"""Share of the texts with steps after a question in which the lines after a random one are hidden."""


def tokenizer_texts(recipe: Pretraining) -> Iterator[str]:
    """Yield the texts from which the tokenizer is trained: all numbers, texts of pretraining, and problems.

    The problems of fine-tuning are included without special tokens, so that their words are single tokens.
    """
    rng = random.Random(f"{recipe.seed}/tokenizer")
    yield from (f"{number}=" for number in range(100) for _ in range(200))
    for _ in range(recipe.num_tokenizer_texts):
        text = sample_text(_sample_part(recipe, rng), rng)
        yield text.body if text.question is None else _dialogue(text.question, text.body)
        problem = sample_of_split(TASKS[rng.choice(list(TASKS))], "train", rng)
        yield _dialogue(problem.question, join_answer(problem.rationale, problem.answer))


def _sample_part(recipe: Pretraining, rng: random.Random) -> Part:
    return rng.choices(list(recipe.parts), list(recipe.parts.values()))[0]


def _dialogue(question: str, answer: str) -> str:
    return f"user\n\n{question}\nassistant\n\n{answer}"


class PretrainingRow(TypedDict):
    """A row of pretraining.

    Attributes:
        input_ids: token ids with the mask token at all predicted and all hidden positions.
        clean_ids: token ids.
        is_predicted: True where the token is predicted.
        is_row: True up to the end of the row.
    """

    input_ids: Tensor
    clean_ids: Tensor
    is_predicted: Tensor
    is_row: Tensor


@dataclass(frozen=True)
class Masks:
    """Positions of a row that are predicted, and positions that are hidden without being predicted."""

    predicted: set[int]
    hidden: set[int] = field(default_factory=set)


class PretrainingRows(Dataset[PretrainingRow]):
    """The rows of a phase of a pretraining, generated when they are needed.

    Args:
        recipe: the recipe.
        tokenizer: tokenizer with a chat template and with mask and padding tokens.
        phase: index of the phase.
    """

    def __init__(self, recipe: Pretraining, tokenizer: PreTrainedTokenizerFast, *, phase: int) -> None:
        self.recipe, self.tokenizer, self.phase = recipe, tokenizer, recipe.phases[phase]
        self.num_earlier = sum(earlier.num_steps for earlier in recipe.phases[:phase]) * recipe.batch_size
        self.newline_id = tokenizer("\n", add_special_tokens=False)["input_ids"][0]
        self.turn_end_id = turn_end_id(tokenizer)

    def __len__(self) -> int:
        return self.phase.num_steps * self.recipe.batch_size

    def text(self, index: int) -> tuple[Text, random.Random]:
        """Return the text of a row, and the random numbers that draw its masks."""
        rng = random.Random(f"{self.recipe.seed}/{self.num_earlier + index}")
        return sample_text(_sample_part(self.recipe, rng), rng), rng

    def __getitem__(self, index: int) -> PretrainingRow:
        text, rng = self.text(index)
        ids, start = self._encode(text)
        length = self._row_length(text, ids, start, rng)
        ids = ids[:length]
        if not text.has_separate_lines:
            masks = mask_answer(range(start, len(ids)), length, rng)
        elif text.question is None:
            masks = mask_document(self._split_lines(ids, start), self.recipe.single_mask_share, rng)
        else:
            masks = mask_steps(self._split_lines(ids, start), length, rng)
        padding = [self.tokenizer.pad_token_id] * (self.phase.max_length - len(ids))
        clean_ids = torch.tensor(ids + padding)
        is_predicted, input_ids = torch.zeros(len(clean_ids), dtype=torch.bool), clean_ids.clone()
        is_predicted[list(masks.predicted)] = True
        input_ids[list(masks.predicted | masks.hidden)] = self.tokenizer.mask_token_id
        is_row = torch.arange(len(clean_ids)) < length
        return PretrainingRow(
            input_ids=input_ids, clean_ids=clean_ids, is_predicted=is_predicted, is_row=is_row
        )

    def _row_length(self, text: Text, ids: list[int], start: int, rng: random.Random) -> int:
        """Return the number of tokens of a row, which a text of separate lines may exceed."""
        if not self.phase.random_lengths:
            return self.phase.max_length
        shortest = min(start + SHORTEST_BODY, len(ids)) if text.has_separate_lines else len(ids)
        return rng.randint(shortest, self.phase.max_length)

    def _encode(self, text: Text) -> tuple[list[int], int]:
        """Return the tokens of a text and the position at which its body begins."""
        head = [] if text.question is None else encode_prompt(self.tokenizer, text.question + text.remark)
        body = self.tokenizer(text.body, add_special_tokens=False)["input_ids"]
        if text.has_separate_lines:
            return [*head, *body][: self.phase.max_length], len(head)
        ids = [*head, *body, self.turn_end_id]
        if len(ids) > self.phase.max_length:
            raise DataError(
                f"base_model.recipe.phases: max_length must be at least {len(ids)}, the tokens of the "
                f"question {text.question!r} and its answer, got {self.phase.max_length}"
            )
        return ids, len(head)

    def _split_lines(self, ids: list[int], start: int) -> list[range]:
        """Return the positions of each line from ``start`` on, without those of the line breaks."""
        breaks = [i for i in range(start, len(ids)) if ids[i] == self.newline_id]
        edges = itertools.pairwise([start - 1, *breaks, len(ids)])
        return [line for left, right in edges if (line := range(left + 1, right))]


def mask_document(lines: Sequence[range], single_share: float, rng: random.Random) -> Masks:
    """Mask one token of each line, or, with probability 1 - ``single_share``, tokens at a random rate."""
    if rng.random() < single_share:
        return Masks({_choose_token(line, rng) for line in lines})
    rate = rng.uniform(0.05, 0.6)
    return Masks({i for line in lines for i in line if rng.random() < rate})


def mask_steps(lines: Sequence[range], length: int, rng: random.Random) -> Masks:
    """Mask one token of each line up to a random one, and mostly hide all that follows, as in sampling."""
    if rng.random() >= HIDDEN_LINES_SHARE:
        return Masks({_choose_token(line, rng) for line in lines})
    last = rng.randrange(len(lines))
    predicted = {_choose_token(line, rng) for line in lines[: last + 1]}
    return Masks(predicted, set(range(lines[last].stop, length)))


def mask_answer(answer: range, length: int, rng: random.Random) -> Masks:
    """Mask an answer at a random rate, or as the sampler sees it when it fills a block.

    In the second case, the tokens before a random position are visible, `WINDOW` tokens from this position
    on are masked, in whole or at a random rate, and all tokens after them are hidden.
    """
    if rng.random() < PLAIN_SHARE:
        rate = rng.uniform(0.02, 1.0)
        end = length if rng.random() < PADDING_SHARE else min(answer.stop + 2, length)
        return Masks({i for i in range(answer.start, end) if rng.random() < rate}, set(range(end, length)))
    first = rng.choice(answer)
    stop = min(first + WINDOW, length, answer.stop + 2)
    rate = 1.0 if rng.random() < FULL_WINDOW_SHARE else rng.random()
    predicted = {first, *(i for i in range(first, stop) if rng.random() < rate)}
    return Masks(predicted, set(range(stop, length)))


def _choose_token(line: range, rng: random.Random) -> int:
    return max(line, key=lambda i: rng.random() + RESULT_BONUS * (i == line[-1]))
