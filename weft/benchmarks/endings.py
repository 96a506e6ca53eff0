"""The end of an answer, which is its first end-of-text or end-of-turn token.

    18.</answer><|eot_id|><|endoftext|><|endoftext|>     ends after </answer>, with 3 end tokens

A diffusion model fills its whole canvas, so that end tokens follow the answer up to the end of the canvas.
"""

import re

END_TOKENS = ("<|endoftext|>", "<|eot_id|>", "<|im_end|>")
"""End-of-text and end-of-turn tokens of the tokenizers of LLaDA and Dream."""

ANSWER_END = "</answer>"

_END = re.compile("|".join(map(re.escape, END_TOKENS)))


def cut_at_end(generation: str) -> str:
    """Return the text before the first end token."""
    match = _END.search(generation)
    return generation if match is None else generation[: match.start()]


def has_end(generation: str) -> bool:
    """Return True if the text has an end token."""
    return _END.search(generation) is not None


def describe_ending(generation: str, gen_length: int | None) -> dict[str, int | bool | None]:
    """Describe how an answer ends.

    Args:
        generation: the model's answer, special tokens included.
        gen_length: length of the canvas, in tokens, if known.

    Returns:
        `effective_length`: number of tokens of the canvas that are not end tokens; None if the length
        of the canvas is unknown or smaller than the number of end tokens. `has_end`: True if there is an
        end token. `is_closed`: True if the answer tag is closed before it.
    """
    num_end_tokens = sum(1 for _ in _END.finditer(generation))
    is_known = gen_length is not None and num_end_tokens <= gen_length
    return {
        "effective_length": gen_length - num_end_tokens if is_known and gen_length is not None else None,
        "has_end": num_end_tokens > 0,
        "is_closed": ANSWER_END in cut_at_end(generation),
    }
