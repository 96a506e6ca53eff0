"""From prepared examples to a batch of tensors.  No noise here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from weft.errors import DataError


@dataclass(frozen=True, kw_only=True)
class PadToLength:
    """Collate prepared examples to a fixed length, padded on the right.

    The padding belongs to the answer, as in d1: it is masked and trained, so that the model learns
    to stop.  ``is_padding`` tells it apart for methods that treat it otherwise.

    Attributes:
        max_length: length of every row, in tokens; longer examples lose their end.
        pad_token_id: id of the padding (LLaDA: the end-of-text token).
    """

    max_length: int
    pad_token_id: int

    def __call__(self, examples: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """Return clean_ids, is_maskable and is_padding (batch x length) and example_key (batch)."""
        shape = (len(examples), self.max_length)
        clean_ids = torch.full(shape, self.pad_token_id)
        is_maskable = torch.zeros(shape, dtype=torch.bool)
        is_padding = torch.zeros(shape, dtype=torch.bool)
        for row, example in enumerate(examples):
            prompt, answer = example["prompt_ids"], example["answer_ids"]
            if len(prompt) >= self.max_length:
                raise DataError(
                    f"example {example['example_id']}: the prompt must be shorter than max_length="
                    f"{self.max_length}, got {len(prompt)} tokens; raise max_length or drop the example"
                )
            ids = torch.tensor([*prompt, *answer][: self.max_length])
            clean_ids[row, : len(ids)] = ids
            is_maskable[row, len(prompt) :] = True
            is_padding[row, len(ids) :] = True
        keys = torch.tensor([example_key(example["example_id"]) for example in examples])
        return {
            "clean_ids": clean_ids,
            "is_maskable": is_maskable,
            "is_padding": is_padding,
            "example_key": keys,
        }


def example_key(example_id: str) -> int:
    """Turn an example id (hex digits) into a non-negative 63-bit integer that fits a tensor."""
    return int(example_id, 16) % 2**63
