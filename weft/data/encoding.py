"""Training examples and prompts as token ids, with a known boundary between prompt and answer."""

from collections.abc import Sequence
from typing import Literal

from transformers import PreTrainedTokenizerBase

from weft.data.collate import PreparedExample
from weft.errors import DataError
from weft.records import Example, Message

TURN_END_TOKENS = ("<|eot_id|>", "<|im_end|>")
"""Tokens that end an answer in the chat templates of LLaDA and Dream."""

Layout = Literal["exact", "d1"]


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase, question: str, *, prefill: str = "", history: Sequence[Message] = ()
) -> list[int]:
    """Tokenize a prompt: the turns before the answer, the assistant header, and the prefill.

    Args:
        tokenizer: tokenizer with a chat template.
        question: text of the user's last turn.
        prefill: beginning of the answer.
        history: turns before the question.

    Returns:
        The token ids.
    """
    text = _apply_template(tokenizer, [*history, Message(role="user", content=question)])
    return list(tokenizer(text + prefill, add_special_tokens=False)["input_ids"])


def encode_example(
    tokenizer: PreTrainedTokenizerBase, example: Example, *, layout: Layout = "exact"
) -> PreparedExample:
    """Tokenize a training example, without truncation or padding.

    Args:
        tokenizer: tokenizer of the base model, with a chat template.
        example: the example.
        layout: ``exact`` tokenizes prompt and answer separately, so that the boundary is exact, and
            ends with the end-of-turn token; ``d1`` gives the same tokens as d1's training.

    Returns:
        The token ids of prompt and answer.

    Source:
        For ``d1``: d1 @ 837888f, SFT/sft_trainer.py, preprocess_dataset (as found in two forks of d1).
    """
    if layout == "d1":
        prompt_ids, answer_ids = _encode_as_d1(tokenizer, example)
    else:
        prompt_ids = encode_prompt(tokenizer, example.question, history=example.history)
        answer_ids = tokenizer(example.answer, add_special_tokens=False)["input_ids"]
        answer_ids = [*answer_ids, turn_end_id(tokenizer)]
    return PreparedExample(
        example_id=example.example_id, prompt_ids=prompt_ids, answer_ids=answer_ids, source=example.source
    )


def _encode_as_d1(tokenizer: PreTrainedTokenizerBase, example: Example) -> tuple[list[int], list[int]]:
    """Tokenize prompt and answer as d1's fine-tuning of LLaDA does, including its three peculiarities.

    - The chat template of the whole conversation is tokenized as a single text. LLaDA's template always
      appends an assistant header, so a second header follows the end of the answer's turn. The model is
      trained on this header as on the padding after it.
    - The prompt length is that of the template of the prompt *plus a newline*, which the text does not
      contain there. If the tokenizer does not merge three newlines into a single token, the length is too
      large by 1, and the first token of the answer is never masked.
    - No example is dropped. An answer that exceeds ``max_length`` is truncated and trained on.
    """
    answer = Message(role="assistant", content=example.answer)
    text = _apply_template(tokenizer, [*example.prompt, answer])
    prompt = _apply_template(tokenizer, example.prompt) + "\n"
    ids, length = list(tokenizer(text)["input_ids"]), len(tokenizer(prompt)["input_ids"])
    return ids[:length], ids[length:]


def turn_end_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id of the token that ends an answer: the first of `TURN_END_TOKENS` in the vocabulary."""
    vocabulary = tokenizer.get_vocab()
    for token in TURN_END_TOKENS:
        if token in vocabulary:
            return int(vocabulary[token])
    raise DataError(
        f"the tokenizer must have one of the tokens {TURN_END_TOKENS} to end an answer, got none; "
        "use the tokenizer of LLaDA or Dream"
    )


def _apply_template(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> str:
    """Return the text of a conversation and the assistant header, which some templates always append."""
    turns = [message.as_object() for message in messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
