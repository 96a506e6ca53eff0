"""Prompts and answers of the harness as token ids, and sampled token ids as answers."""

from collections.abc import Mapping, Sequence
from itertools import takewhile

from transformers import PreTrainedTokenizerBase

from weft.data.special_tokens import TURN_END_TOKENS, list_special_tokens
from weft.errors import ConfigError, DataError, describe_error


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Tokenize a prompt of the harness, in which a chat template may have written special tokens.

    Args:
        tokenizer: the tokenizer.
        text: the prompt.

    Returns:
        Token ids. A tokenizer that puts a start-of-text token before every text adds none if the text begins
        with it.

    Raises:
        DataError: the text contains the mask token.
    """
    is_started = bool(tokenizer.bos_token) and text.startswith(str(tokenizer.bos_token))
    ids = list(tokenizer(text, add_special_tokens=not is_started)["input_ids"])
    if tokenizer.mask_token_id in ids:
        raise DataError(
            f"a text of the task must not contain the mask token {tokenizer.mask_token}, which the model "
            f"would fill in, got {text!r:.80}; leave the document out with --samples"
        )
    return ids


def encode_pair(
    tokenizer: PreTrainedTokenizerBase, context: str, continuation: str
) -> tuple[list[int], list[int]]:
    """Tokenize a context and its continuation together, as the harness and LLaDA's evaluation do.

    White space at the end of the context belongs to the continuation, because tokens often begin with a
    space.

    Args:
        tokenizer: the tokenizer.
        context: text of the prompt; may be empty.
        continuation: text of the answer.

    Returns:
        Token ids of the prompt and of the answer.
    """
    stripped = context.rstrip()
    whole = encode(tokenizer, stripped + context[len(stripped) :] + continuation)
    length = len(encode(tokenizer, stripped)) if stripped else 0
    return whole[:length], whole[length:]


def cut_answer(
    tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int], *, until: Sequence[str], max_tokens: int
) -> str:
    """Return the text of a sampled answer up to its end.

    Args:
        tokenizer: the tokenizer.
        token_ids: the sampled tokens.
        until: texts at which the answer ends; they are not part of it.
        max_tokens: number of tokens after which the answer is cut.

    Returns:
        The text before the first end-of-text or end-of-turn token and before the first of these texts,
        without special tokens.
    """
    ends = {tokenizer.eos_token_id, *map(tokenizer.get_vocab().get, TURN_END_TOKENS)}
    kept = list(takewhile(lambda token_id: token_id not in ends, token_ids[:max_tokens]))
    text = str(tokenizer.decode(kept, skip_special_tokens=False))
    for end in until:
        text = text.split(end, maxsplit=1)[0]
    for token in list_special_tokens(tokenizer):
        text = text.replace(token, "")
    return text


def choose_template(tokenizer: PreTrainedTokenizerBase, name: bool | str) -> str:
    """Return the chat template of a tokenizer, or the one with a name if it has several.

    Args:
        tokenizer: the tokenizer.
        name: name of the template; True for the default.

    Returns:
        The template.

    Raises:
        ConfigError: there is no template of that name.
    """
    templates = tokenizer.chat_template
    if not isinstance(templates, Mapping):
        if isinstance(name, str):
            raise ConfigError(
                f"--apply_chat_template must be given without a name, because the tokenizer has only one "
                f"template, got {name!r}"
            )
        return str(templates)
    wanted = name if isinstance(name, str) else "default"
    if wanted not in templates:
        raise ConfigError(f"--apply_chat_template must be one of {sorted(templates)}, got {wanted!r}")
    return str(templates[wanted])


def format_chat(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Mapping[str, str]],
    template: str,
    *,
    is_complete: bool,
) -> str:
    """Format a conversation by a chat template.

    Args:
        tokenizer: the tokenizer.
        messages: turns with role and content.
        template: the template.
        is_complete: True if the assistant's turn follows; False if the last turn is the beginning of it.

    Returns:
        The prompt as a text.

    Raises:
        DataError: the template refuses the turns.
    """
    try:
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            chat_template=template,
            tokenize=False,
            add_generation_prompt=is_complete,
            continue_final_message=not is_complete,
        )
    except Exception as error:  # a template is a program that may fail in any way
        roles = [message.get("role") for message in messages]
        raise DataError(
            f"the chat template must accept turns of {roles}, got {describe_error(error)}; try "
            "--fewshot_as_multiturn false, or leave out --system_instruction"
        ) from error
    return str(text)
