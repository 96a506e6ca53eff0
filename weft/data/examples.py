"""Training examples as text, and as tokens with a known boundary between prompt and answer."""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from transformers import PreTrainedTokenizerBase

from weft.data.tasks import TASKS, Problem, draw_problems
from weft.errors import DataError

TURN_END_TOKENS = ("<|eot_id|>", "<|im_end|>")
"""What ends an answer in LLaDA's and in Dream's chat template."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One question with the answer to learn.

    Attributes:
        example_id: sixteen hex digits.
        question: text of the user's turn.
        answer: text of the assistant's turn.
        source: where it comes from.
    """

    example_id: str
    question: str
    answer: str
    source: str

    def as_record(self) -> dict[str, Any]:
        """Return the example as a JSON object."""
        return asdict(self)


def lay_out_answer(trajectory: str, attempt: str) -> str:
    """Put reasoning and final answer between the paper's tags."""
    return f"<reasoning>{trajectory}</reasoning>\n<answer>{attempt}</answer>"


def worked_example(problem: Problem) -> Example:
    """Turn a generated problem into an example with its working."""
    return Example(
        example_id=problem.example_id,
        question=problem.question,
        answer=lay_out_answer(problem.working, problem.answer),
        source=f"generated/{problem.benchmark}",
    )


def terse_example(problem: Problem) -> Example:
    """Turn a generated problem into an example that answers at once."""
    return Example(
        example_id=problem.example_id,
        question=problem.question,
        answer=lay_out_answer("", problem.answer),
        source=f"generated/{problem.benchmark}/terse",
    )


def generate_mixture(
    shares: Mapping[Any, float], *, worked_share: float, num_examples: int, seed: int
) -> Iterator[Example]:
    """Draw examples of several tasks from the training side, questions repeating as they may.

    Args:
        shares: task -> share, any positive numbers.
        worked_share: probability that an example shows its working.
        num_examples: how many.
        seed: seed of everything.

    Yields:
        The examples.
    """
    rng = random.Random(seed)
    streams = {
        task: draw_problems(TASKS[task], split="train", seed=rng.randrange(2**32), distinct=False)
        for task in shares
    }
    for task in rng.choices(list(shares), weights=list(shares.values()), k=num_examples):
        make = worked_example if rng.random() < worked_share else terse_example
        yield make(next(streams[task]))


def generate_examples(counts: Mapping[Any, int], *, seed: int) -> list[Example]:
    """Draw distinct worked examples of several tasks from the training side, shuffled."""
    examples = [
        worked_example(problem)
        for task, count in counts.items()
        for problem in itertools.islice(draw_problems(TASKS[task], split="train", seed=seed), count)
    ]
    random.Random(seed).shuffle(examples)
    return examples


def encode_prompt(tokenizer: PreTrainedTokenizerBase, question: str, *, prefill: str = "") -> list[int]:
    """Tokenise the user's turn and the assistant header, and what the answer is made to begin with.

    LLaDA's template appends the assistant header whether asked or not; asking for it gives the same
    text under both kinds of template.
    """
    messages = [{"role": "user", "content": question}]
    text: Any = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return list(tokenizer(text + prefill, add_special_tokens=False)["input_ids"])


def encode_example(tokenizer: PreTrainedTokenizerBase, example: Example) -> dict[str, Any]:
    """Tokenise an example; prompt and answer separately, so that the boundary is exact.

    Returns:
        example_id, prompt_ids, answer_ids (ending with the end of the turn) and source.
    """
    answer_ids = list(tokenizer(example.answer, add_special_tokens=False)["input_ids"])
    return {
        "example_id": example.example_id,
        "prompt_ids": encode_prompt(tokenizer, example.question),
        "answer_ids": [*answer_ids, turn_end_id(tokenizer)],
        "source": example.source,
    }


def turn_end_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id of the token that ends an answer.

    Raises:
        DataError: the tokenizer knows none of the known end-of-turn tokens.
    """
    vocabulary = tokenizer.get_vocab()
    for token in TURN_END_TOKENS:
        if token in vocabulary:
            return int(vocabulary[token])
    raise DataError(
        f"the tokenizer must know one of {TURN_END_TOKENS} to end an answer, it knows none of them"
    )
