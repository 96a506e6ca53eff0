"""Special tokens, such as the mask token, in texts of questions and answers.

A tokenizer encodes the name of a special token as this token wherever it stands. The chat template relies on
that. In a text, however, ``<|mdm_mask|>`` would become a mask that is trained as a target, and
``<|endoftext|>`` would end the answer. Such a text is therefore an error, or its special tokens are encoded
as ordinary text, as the setting ``special_tokens`` of an experiment says.
"""

import functools
import re

from transformers import PreTrainedTokenizerBase

from weft.config.sources import SpecialTokens
from weft.errors import DataError

TURN_END_TOKENS = ("<|eot_id|>", "<|im_end|>")
"""Tokens that end an answer in the chat templates of LLaDA and Dream."""
GUARD = "\U0010fffe"
"""Mark in front of a special token that belongs to a text; this code point is never assigned."""
SHOWN_CHARACTERS = 30
"""Characters on both sides of a special token that a message shows."""


def list_special_tokens(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Return the special tokens of a tokenizer, and those that end an answer, the longest first."""
    added = [
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if token.special or token.content in TURN_END_TOKENS
    ]
    tokens = {*added, *map(str, tokenizer.all_special_tokens)} - {""}
    return sorted(tokens, key=lambda token: (-len(token), token))


@functools.lru_cache(maxsize=8)
def _pattern(tokenizer: PreTrainedTokenizerBase, mask_token: str | None) -> re.Pattern[str]:
    """Return a pattern for the special tokens, of which the mask token may be set later."""
    tokens = list_special_tokens(tokenizer)
    return re.compile(f"{GUARD}?(?:{'|'.join(map(re.escape, tokens))})" if tokens else r"(?!)")


def guard_text(tokenizer: PreTrainedTokenizerBase, text: str, rule: SpecialTokens, *, part: str) -> str:
    """Prepare a text for a chat template.

    Args:
        tokenizer: the tokenizer.
        text: the text.
        rule: what to do with special tokens in it.
        part: name of the text in messages, such as "answer".

    Returns:
        The text, with a mark in front of each special token.

    Raises:
        DataError: the text contains a special token and the rule is ``error``.
    """
    pattern = _pattern(tokenizer, tokenizer.mask_token)
    if rule == "plain_text":
        if GUARD in text:
            raise DataError(
                f"the {part} must not contain U+10FFFE with special_tokens: plain_text, which marks "
                "special tokens by it; remove it"
            )
        return pattern.sub(lambda match: f"{GUARD}{match[0]}", text)
    if (match := pattern.search(text)) is not None:
        start, end = max(0, match.start() - SHOWN_CHARACTERS), match.end() + SHOWN_CHARACTERS
        raise DataError(
            f"the {part} must not contain special tokens of the tokenizer, got {match[0]!r} in "
            f"{text[start:end]!r}; remove it, or set special_tokens: plain_text in the experiment to encode "
            "such tokens as ordinary text"
        )
    return text


def tokenize(
    tokenizer: PreTrainedTokenizerBase, text: str, rule: SpecialTokens, *, add_special_tokens: bool = False
) -> list[int]:
    """Tokenize a text in which special tokens with a mark are ordinary text.

    Args:
        tokenizer: the tokenizer.
        text: a text, or a conversation under a chat template, of texts from `guard_text`.
        rule: the rule that `guard_text` has followed.
        add_special_tokens: add the tokens that the tokenizer puts around every text.

    Returns:
        The token ids.
    """
    if rule == "error" or GUARD not in text:
        return list(tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"])
    ids = list(tokenizer("", add_special_tokens=add_special_tokens)["input_ids"])
    start = 0
    for match in _pattern(tokenizer, tokenizer.mask_token).finditer(text):
        if not match[0].startswith(GUARD):  # a token of the template
            ids += _tokenize_plainly(tokenizer, text[start : match.start()])
            ids += tokenizer(match[0], add_special_tokens=False)["input_ids"]
            start = match.end()
    return ids + _tokenize_plainly(tokenizer, text[start:])


def _tokenize_plainly(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    plain = text.replace(GUARD, "")
    ids = list(tokenizer(plain, add_special_tokens=False, split_special_tokens=True)["input_ids"])
    names = {*list_special_tokens(tokenizer)} & {*tokenizer.convert_ids_to_tokens(ids)}
    if names:
        raise DataError(
            f"the tokenizer must be able to encode special tokens as ordinary text, got {sorted(names)} for "
            f"{plain!r:.80}; remove them from the text"
        )
    return ids
