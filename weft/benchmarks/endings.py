"""Where an answer ends: at the first token that says so.

    18.</answer><|eot_id|><|endoftext|><|endoftext|>     ends behind </answer>, with 3 end tokens

A diffusion model fills its whole canvas, so behind the answer stand end tokens up to the canvas' length.
"""

import re

END_TOKENS = ("<|endoftext|>", "<|eot_id|>", "<|im_end|>")
"""End of text and end of turn in LLaDA's and in Dream's tokenizer; each is one token."""

ANSWER_END = "</answer>"

_END = re.compile("|".join(map(re.escape, END_TOKENS)))


def cut_at_end(generation: str) -> str:
    """Drop the first end token and everything behind it."""
    match = _END.search(generation)
    return generation if match is None else generation[: match.start()]


def has_end(generation: str) -> bool:
    """Say whether there is an end token."""
    return _END.search(generation) is not None


def describe_ending(generation: str, gen_length: int | None) -> dict[str, int | bool | None]:
    """Say how an answer ends.

    Args:
        generation: the model's answer, special tokens included.
        gen_length: length of the canvas, in tokens, if known.

    Returns:
        `effective_length`, the tokens of the canvas that are no end tokens (None if the canvas' length
        is not known, or too short for the end tokens in the text); `has_end`, whether there is an end
        token; `is_closed`, whether the answer tag is closed before it.
    """
    num_end_tokens = sum(1 for _ in _END.finditer(generation))
    is_known = gen_length is not None and num_end_tokens <= gen_length
    return {
        "effective_length": gen_length - num_end_tokens if is_known and gen_length is not None else None,
        "has_end": num_end_tokens > 0,
        "is_closed": ANSWER_END in cut_at_end(generation),
    }
