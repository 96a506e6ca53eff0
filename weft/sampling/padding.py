"""Pad prompts as d1 does: on the left, batch by batch, and visible to the model.

Source:
    d1 @ 837888f, eval/eval.py, where each process has its own batches. Here the batches are those of the
    whole question file, so that shards, interruptions and the order of completion do not affect answers.
"""

from collections.abc import Sequence

from weft.errors import SamplingError


def pad_batchwise(prompts: Sequence[Sequence[int]], *, batch_size: int, pad_token_id: int) -> list[list[int]]:
    """Pad each prompt on the left to the longest of its batch.

    Args:
        prompts: token ids of all questions, in file order.
        batch_size: number of prompts of a batch; the last batch may be smaller.
        pad_token_id: id of the padding token.

    Returns:
        Token ids of the padded prompts.

    Raises:
        SamplingError: the batch size is below 1.
    """
    if batch_size < 1:
        raise SamplingError(f"batch_size must be at least 1, got {batch_size}")
    padded = []
    for start in range(0, len(prompts), batch_size):
        batch = prompts[start : start + batch_size]
        longest = max(len(prompt) for prompt in batch)
        padded += [[pad_token_id] * (longest - len(prompt)) + list(prompt) for prompt in batch]
    return padded
