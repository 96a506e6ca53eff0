"""Collate prepared examples into the padded tensors of a training batch, without any noise."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NotRequired, Protocol, TypedDict, runtime_checkable

import torch

from weft.axes import BatchIds, BatchMask, TokenIds, TokenMask
from weft.errors import DataError
from weft.records.ids import example_key


class PreparedExample(TypedDict):
    """A training example as token ids, neither truncated nor padded; a row of the prepared Arrow data set.

    The last two keys are added by the order of an epoch (`weft.training.order`).

    Attributes:
        example_id: id of the example, see `weft.records.Example`.
        prompt_ids: token ids before the answer, the assistant header included.
        answer_ids: token ids of the answer, the end of the turn included.
        source: name of the data set or generator.
        index_in_epoch: index of the example in the order of the epoch, from 0.
        is_pad_row: True for a repetition that completes the last batch of an epoch.
    """

    example_id: str
    prompt_ids: list[int]
    answer_ids: list[int]
    source: NotRequired[str]
    index_in_epoch: NotRequired[int]
    is_pad_row: NotRequired[bool]


@runtime_checkable
class Examples(Protocol):
    """Tokenized examples in training order: a list or a `datasets.Dataset`, which is not a ``Sequence``."""

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def __getitem__(self, index: int, /) -> PreparedExample:
        """Return an example."""
        ...

    def __iter__(self) -> Iterator[PreparedExample]:
        """Iterate over the examples."""
        ...


class TrainingBatch(TypedDict):
    """A collated batch of training examples.

    At run time this is a dictionary, because the data loaders of transformers and accelerate move
    mappings of tensors to a device.

    Attributes:
        clean_ids: token ids, padded on the right, batch x length.
        is_maskable: True on the answer and the padding behind it, False on the prompt, batch x length.
        is_padding: True on the padding, batch x length.
        example_key: integer that identifies each example, see `weft.records.ids.example_key`.
        index_in_epoch: index of each example in the order of the epoch; 0 outside training.
        is_pad_row: True in rows that only complete the last batch of an epoch and have weight 0.
    """

    clean_ids: TokenIds
    is_maskable: TokenMask
    is_padding: TokenMask
    example_key: BatchIds
    index_in_epoch: BatchIds
    is_pad_row: BatchMask


Collate = Callable[[Sequence[PreparedExample]], TrainingBatch]
"""A function that collates prepared examples into a training batch."""


@dataclass(frozen=True, kw_only=True)
class PadToLength:
    """Collate prepared examples to a fixed length, padded on the right.

    As in d1, the padding is a part of the answer: it is masked and predicted, so that the model learns to
    end its answers. ``is_padding`` marks the padding for methods that treat it differently.

    Attributes:
        max_length: length of every row, in tokens; longer examples are truncated on the right.
        pad_token_id: id of the padding token (LLaDA: the end-of-text token).
    """

    max_length: int
    pad_token_id: int

    def __call__(self, examples: Sequence[PreparedExample]) -> TrainingBatch:
        """Return a batch with a row per example; every prompt must be shorter than ``max_length``."""
        shape = (len(examples), self.max_length)
        clean_ids = torch.full(shape, self.pad_token_id)
        is_maskable = torch.zeros(shape, dtype=torch.bool)
        is_padding = torch.zeros(shape, dtype=torch.bool)
        for row, example in enumerate(examples):
            if "prompt_ids" not in example or "answer_ids" not in example:
                raise DataError(
                    f"every example must have prompt_ids and answer_ids, got the keys {[*example]}; encode "
                    "the rows with weft.encode"
                )
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
        return TrainingBatch(
            clean_ids=clean_ids,
            is_maskable=is_maskable,
            is_padding=is_padding,
            example_key=torch.tensor([example_key(example["example_id"]) for example in examples]),
            index_in_epoch=torch.tensor([example.get("index_in_epoch", 0) for example in examples]),
            is_pad_row=torch.tensor([example.get("is_pad_row", False) for example in examples]),
        )


def move_to_device(batch: TrainingBatch, device: torch.device | str) -> TrainingBatch:
    """Return the batch with all tensors on a device."""
    return TrainingBatch(**{name: tensor.to(device) for name, tensor in batch.items()})  # type: ignore
