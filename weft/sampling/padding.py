"""Prompts padded as d1 pads them: on the left, in batches, and visible to the model.

Source:
    d1 @ 837888f, eval/eval.py.  Its batches are those of each process; here they are those of the whole
    question file, so that shards, interruptions and the order of completion change nothing.
"""

from collections.abc import Sequence


def pad_batchwise(prompts: Sequence[Sequence[int]], *, batch_size: int, pad_token_id: int) -> list[list[int]]:
    """Pad each prompt on the left to the longest of its batch; what comes out are prompts like any other.

    Args:
        prompts: token ids, of all questions, in file order.
        batch_size: prompts of a batch; the last may be smaller.
        pad_token_id: the padding token.
    """
    padded = []
    for start in range(0, len(prompts), batch_size):
        batch = prompts[start : start + batch_size]
        longest = max(len(prompt) for prompt in batch)
        padded += [[pad_token_id] * (longest - len(prompt)) + list(prompt) for prompt in batch]
    return padded
