"""Training examples and prompts as token ids, with a known boundary between prompt and answer."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import ValidationError
from transformers import PreTrainedTokenizerBase

from weft.config.sources import SpecialTokens
from weft.data.collate import PreparedExample
from weft.data.special_tokens import TURN_END_TOKENS, guard_text, tokenize
from weft.errors import DataError, describe_error
from weft.records import Example, Message, Question

Layout = Literal["exact", "d1"]


def encode_prompt(
    tokenizer: PreTrainedTokenizerBase,
    question: str,
    *,
    prefill: str = "",
    history: Sequence[Message | Mapping[str, str]] = (),
    special_tokens: SpecialTokens = "error",
) -> list[int]:
    """Tokenize a prompt: the turns before the answer, the assistant header, and the prefill.

    Args:
        tokenizer: tokenizer with a chat template.
        question: text of the user's last turn.
        prefill: beginning of the answer.
        history: turns before the question, for instance ``[{"role": "system", "content": "Be brief."}]``.
        special_tokens: what to do with special tokens in the texts.

    Returns:
        The token ids.

    Raises:
        DataError: a text contains a special token, a turn is not valid, or the chat template refuses the
            turns or leaves out a text.
    """
    turns = [*map(_as_message, history), _as_message({"role": "user", "content": question})]
    text = _apply_template(tokenizer, turns, special_tokens)
    text += guard_text(tokenizer, prefill, special_tokens, part="prefill")
    return tokenize(tokenizer, text, special_tokens)


def encode_question(
    tokenizer: PreTrainedTokenizerBase, question: Question, *, prefill: str, special_tokens: SpecialTokens
) -> list[int]:
    """Tokenize the prompt of a test question, as `encode_prompt` does; errors name the question."""
    try:
        return encode_prompt(tokenizer, question.prompt, prefill=prefill, special_tokens=special_tokens)
    except DataError as error:
        name = f"{question.benchmark}, example_id {question.example_id}" if question.benchmark else "question"
        raise DataError(f"{name}: {error}") from error


def encode_example(
    tokenizer: PreTrainedTokenizerBase,
    example: Example,
    *,
    layout: Layout = "exact",
    special_tokens: SpecialTokens = "error",
) -> PreparedExample:
    """Tokenize a training example, without truncation or padding.

    Args:
        tokenizer: tokenizer of the base model, with a chat template.
        example: the example.
        layout: ``exact`` tokenizes prompt and answer separately, so that the boundary is exact, and
            ends with the end-of-turn token; ``d1`` gives the same tokens as d1's training.
        special_tokens: what to do with special tokens in the texts.

    Returns:
        The token ids of prompt and answer.

    Raises:
        DataError: a text contains a special token, or the chat template refuses the turns.

    Source:
        For ``d1``: d1 @ 837888f, SFT/sft_trainer.py, preprocess_dataset (as found in two forks of d1).
    """
    if layout == "d1":
        prompt_ids, answer_ids = _encode_as_d1(tokenizer, example, special_tokens)
    else:
        prompt_ids = encode_prompt(
            tokenizer, example.question, history=example.history, special_tokens=special_tokens
        )
        answer = guard_text(tokenizer, example.answer, special_tokens, part="answer")
        answer_ids = [*tokenize(tokenizer, answer, special_tokens), turn_end_id(tokenizer)]
    if tokenizer.mask_token_id in answer_ids:  # whatever the text was, a mask must not be a target
        raise DataError(f"the answer must not contain the mask token, got {example.answer!r:.80}; remove it")
    return PreparedExample(
        example_id=example.example_id, prompt_ids=prompt_ids, answer_ids=answer_ids, source=example.source
    )


def _encode_as_d1(
    tokenizer: PreTrainedTokenizerBase, example: Example, special_tokens: SpecialTokens
) -> tuple[list[int], list[int]]:
    """Tokenize prompt and answer as d1's fine-tuning of LLaDA does, including its three peculiarities.

    - The chat template of the whole conversation is tokenized as a single text. LLaDA's template always
      appends an assistant header, so a second header follows the end of the answer's turn. The model is
      trained on this header as on the padding after it.
    - The prompt length is that of the template of the prompt *plus a newline*, which the text does not
      contain there. If the tokenizer does not merge three newlines into a single token, the length is too
      large by 1, and the first token of the answer is never masked.
    - No example is dropped. An answer that exceeds ``max_length`` is truncated and trained on.

    Unlike in d1, a tokenizer that puts a start-of-text token before every text (LLaDA's declares that it
    does not) adds none if the template has written it.
    """
    answer = Message(role="assistant", content=example.answer)
    text = _apply_template(tokenizer, [*example.prompt, answer], special_tokens)
    prompt = _apply_template(tokenizer, example.prompt, special_tokens) + "\n"
    is_started = bool(tokenizer.bos_token) and text.startswith(str(tokenizer.bos_token))
    ids = tokenize(tokenizer, text, special_tokens, add_special_tokens=not is_started)
    length = len(tokenize(tokenizer, prompt, special_tokens, add_special_tokens=not is_started))
    return ids[:length], ids[length:]


def turn_end_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id of the token that ends an answer: the first of `TURN_END_TOKENS` in the vocabulary.

    It is called for every example, so it asks for single tokens. A copy of LLaDA's vocabulary takes 0.1 s.
    """
    for token in TURN_END_TOKENS:
        token_id = tokenizer.convert_tokens_to_ids(token)  # that of the unknown token, if there is one
        if isinstance(token_id, int) and tokenizer.convert_ids_to_tokens(token_id) == token:
            return token_id
    raise DataError(
        f"the tokenizer must have one of the tokens {TURN_END_TOKENS} to end an answer, got none; "
        "use the tokenizer of LLaDA or Dream"
    )


def _as_message(turn: Message | Mapping[str, Any]) -> Message:
    try:
        return turn if isinstance(turn, Message) else Message.model_validate(turn)
    except ValidationError as error:
        raise DataError(
            "a turn must have a role (system, user or assistant) and a text as content, got "
            f"{turn!r:.80}; give the last question as a text and the turns before it as history"
        ) from error


def _apply_template(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], special_tokens: SpecialTokens
) -> str:
    """Return the text of a conversation and the assistant header, which some templates always append."""
    turns = [
        {
            "role": message.role,
            "content": guard_text(tokenizer, message.content, special_tokens, part=_part_name(message)),
        }
        for message in messages
    ]
    try:
        text = str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    except Exception as error:  # a template is a program that may fail in any way
        raise DataError(
            f"the chat template of {tokenizer.name_or_path or 'the tokenizer'} must accept turns of "
            f"{[message.role for message in messages]}, got {describe_error(error)}; change the turns or the "
            "template"
        ) from error
    for turn in turns:
        # Templates may remove space around a text, and the reasoning from earlier answers.
        if turn["role"] != "assistant" and turn["content"].strip() not in text:
            raise DataError(
                f"the chat template of {tokenizer.name_or_path or 'the tokenizer'} must write the text of "
                f"every turn, got a prompt of {len(text)} characters without the text of the {turn['role']} "
                f"{turn['content']!r:.60}; restore the template of the published model (chat_template.jinja, "
                "which may be empty)"
            )
    return text


def _part_name(message: Message) -> str:
    return {"system": "system message", "user": "question", "assistant": "answer"}[message.role]
