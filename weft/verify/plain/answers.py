"""The plain loop for prompts of different lengths, and a wrapper that counts forward passes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from weft.verify.plain.loop import generate_plainly


class Counted:
    """Mask predictor that counts its forward passes.

    Args:
        model: the mask predictor.

    Attributes:
        num_passes: number of forward passes, counted for each sequence.
        num_positions: number of positions in these passes.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.num_passes = 0
        self.num_positions = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def __call__(self, *, input_ids: Tensor, **kwargs: Any) -> Any:
        """Count the sequences and positions and return the prediction of the model."""
        self.num_passes += input_ids.shape[0]
        self.num_positions += input_ids.numel()
        return self.model(input_ids=input_ids, **kwargs)


def answer_plainly(
    model: Any, prompts: Sequence[Sequence[int]], *, batch_size: int, pad_token_id: int, **settings: Any
) -> list[list[int]]:
    """Answer prompts by the plain loop, in batches that are padded on the left.

    The padding is hidden, as in LLaDA's code since October 2025; positions are counted from the first token.

    Args:
        model: the mask predictor; it computes logits at all positions.
        prompts: token ids of each prompt.
        batch_size: number of prompts in a batch.
        pad_token_id: id of the padding token.
        **settings: settings of `generate_plainly`, without noise.

    Returns:
        The token ids of each answer.
    """
    answers: list[list[int]] = []
    for start in range(0, len(prompts), batch_size):
        batch = prompts[start : start + batch_size]
        longest = max(map(len, batch))
        pads = torch.tensor([longest - len(prompt) for prompt in batch], device=model.device)
        padded = [[pad_token_id] * (longest - len(prompt)) + list(prompt) for prompt in batch]
        prompt_ids = torch.tensor(padded, device=model.device)
        predict = _Predict(model, pads, longest + settings["gen_length"])
        answers += generate_plainly(predict, prompt_ids, **settings).tolist()
    return answers


class _Predict:
    """Function from canvases to their logits, with the padding hidden."""

    def __init__(self, model: Any, pads: Tensor, length: int) -> None:
        positions = torch.arange(length, device=pads.device) - pads[:, None]
        self.model = model
        self.position_ids = positions.clamp(min=0)
        # As in the sampler, no mask is passed without padding, so that attention can use a faster kernel.
        self.attention_mask = positions >= 0 if bool(pads.any()) else None

    def __call__(self, canvas_ids: Tensor) -> Tensor:
        logits: Tensor = self.model(
            input_ids=canvas_ids, attention_mask=self.attention_mask, position_ids=self.position_ids
        ).logits
        return logits
