"""Training examples as text, and as tokens with a known boundary between prompt and answer."""

import itertools
import random
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from transformers import PreTrainedTokenizerBase

from weft.data.tasks import TASKS, Problem, draw_problems
from weft.errors import DataError

TURN_END_TOKENS = ("<|eot_id|>", "<|im_end|>")
"""What ends an answer in LLaDA's and in Dream's chat template."""
ANSWER_TAG = "<answer>"
Layout = Literal["exact", "d1"]
Message = dict[str, str]
"""One turn of a conversation: ``role`` (system, user or assistant) and ``content``."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One question with the answer to learn.

    Attributes:
        example_id: sixteen hex digits.
        question: text of the user's last turn.
        answer: text of the assistant's last turn, the one that is trained.
        source: where it comes from.
        history: turns before the question; they belong to the prompt.
    """

    example_id: str
    question: str
    answer: str
    source: str
    history: tuple[Message, ...] = ()

    @property
    def prompt(self) -> list[Message]:
        """All turns but the answer."""
        return [*self.history, {"role": "user", "content": self.question}]

    @property
    def user_turns(self) -> list[str]:
        """What the user says, in every turn."""
        return [turn["content"] for turn in self.prompt if turn["role"] == "user"]

    def as_record(self) -> dict[str, Any]:
        """Return the example as a JSON object; it has a history only where there is one."""
        record = asdict(self)
        history = record.pop("history")
        return record | ({"history": list(history)} if history else {})

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Example":
        """Make an example of what `as_record` returns."""
        return cls(**{**record, "history": tuple(record.get("history", ()))})


def find_leaks(examples: Iterable[Example], questions: Collection[str]) -> list[str]:
    """Find examples that hold a test question in any turn of the user's.

    An instruction may stand in front of either, so the ends are compared.

    Returns:
        Ids of the examples, sorted.
    """
    ends = tuple({question.strip() for question in questions})
    return sorted(
        example.example_id
        for example in examples
        if any(turn.strip().endswith(ends) for turn in example.user_turns)
    )


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


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase,
    question: str,
    *,
    prefill: str = "",
    history: Iterable[Message] = (),
) -> list[int]:
    """Tokenise the turns before the answer, the assistant header and what the answer is made to begin with.

    LLaDA's template appends the assistant header whether asked or not; asking for it gives the same
    text under both kinds of template.
    """
    text = _apply_template(tokenizer, [*history, {"role": "user", "content": question}])
    return list(tokenizer(text + prefill, add_special_tokens=False)["input_ids"])


def encode_example(
    tokenizer: PreTrainedTokenizerBase, example: Example, *, layout: Layout = "exact"
) -> dict[str, Any]:
    """Tokenise an example in one of two layouts, not yet cut or padded.

    Args:
        tokenizer: of the base model, with a chat template.
        example: the example.
        layout: ``exact`` tokenises prompt and answer apart, so that the boundary is exact, and ends with
            the end of the turn.  ``d1`` gives the tokens that d1 trains on, see `encode_as_d1`.

    Returns:
        example_id, prompt_ids, answer_ids and source.
    """
    if layout == "d1":
        prompt_ids, answer_ids = encode_as_d1(tokenizer, example)
    else:
        prompt_ids = encode_prompt(tokenizer, example.question, history=example.history)
        text_ids = list(tokenizer(example.answer, add_special_tokens=False)["input_ids"])
        answer_ids = [*text_ids, turn_end_id(tokenizer)]
    return {
        "example_id": example.example_id,
        "prompt_ids": prompt_ids,
        "answer_ids": answer_ids,
        "source": example.source,
    }


def encode_as_d1(tokenizer: PreTrainedTokenizerBase, example: Example) -> tuple[list[int], list[int]]:
    """Tokenise an example as d1's fine-tuning does with LLaDA, its three oddities included.

    - The text is the chat template of the whole conversation, tokenised at one go.  The template trims
      every turn and appends an assistant header always, so that one more header stands after the
      answer's end of turn; it is trained like the padding behind it.
    - The prompt counts as long as the template of the prompt *plus one more newline*, which the text does
      not have there.  Where the tokenizer does not merge the three newlines into one token this is one
      too many, and the first token of the answer is never masked.
    - Nothing is dropped: an answer that is cut off by ``max_length`` is trained as far as it goes.

    Under a template that appends the header only when asked, it is asked for, so that the layout means
    the same.

    Returns:
        The tokens before and from the boundary; together they are the text.

    Source:
        d1 @ 837888f, SFT/sft_trainer.py, preprocess_dataset (read in two forks of it).
    """
    whole = _apply_template(tokenizer, [*example.prompt, {"role": "assistant", "content": example.answer}])
    prompt = _apply_template(tokenizer, example.prompt) + "\n"
    ids, length = list(tokenizer(whole)["input_ids"]), len(tokenizer(prompt)["input_ids"])
    return ids[:length], ids[length:]


def _apply_template(tokenizer: PreTrainedTokenizerBase, messages: list[Message]) -> str:
    return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))


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
