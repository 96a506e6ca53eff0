"""Prepare untrusted texts for readers: visible characters, few special tokens, limited length."""

import json
import re

END_SIGN, MASK_SIGN = "∎", "▒"
"""Signs of the end-of-text token, whose long name would fill an answer, and of the mask token."""
SIGNS = {"<|endoftext|>": END_SIGN, "<|mdm_mask|>": MASK_SIGN, "<|mask|>": MASK_SIGN}
"""Special token -> its sign; other special tokens are shown as they are."""
SPECIAL_TOKENS = re.compile(r"(<\|[^<>|\s]{1,40}\|>)\1*")


def shorten_tokens(text: str) -> str:
    """Replace end-of-text and mask tokens by signs, and a run of equal special tokens by their number."""
    return SPECIAL_TOKENS.sub(_shorten, text)


def _shorten(run: re.Match[str]) -> str:
    token = run[1]
    count = len(run[0]) // len(token)
    sign = SIGNS.get(token, token)
    return sign if count == 1 else f"[{sign} × {count}]"


def printable(text: str) -> str:
    """Replace control characters, which can change the order of a text, and lone surrogates."""
    return "".join(
        character if character.isprintable() or character in "\n\t " else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


def cut_middle(text: str, limit: int) -> str:
    """Cut the middle of a text that has more characters than a limit, and say how many are missing."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]} [… {len(text) - 2 * half:,} characters …] {text[-half:]}"


def reference_text(reference: object) -> str:
    """Return the right answer of a question as text."""
    return reference if isinstance(reference, str) else json.dumps(reference, ensure_ascii=False)
