"""The HF Trainer with its loss replaced, and nothing else."""

from typing import Any

import torch
from torch import Tensor
from transformers import Trainer

from weft.config.methods import Method
from weft.errors import TrainingError
from weft.training.corruption import draw_uniform
from weft.training.objective import StepRecord, diffusion_loss


class DiffusionTrainer(Trainer):
    """Train a mask predictor under a method's settings.

    Args:
        method: the row of settings.
        t_min: smallest diffusion time.
        mask_token_id: id of the mask token.
        corruption_seed: seed of times and masks.
        **kwargs: as for ``transformers.Trainer``.
    """

    def __init__(
        self, *, method: Method, t_min: float, mask_token_id: int, corruption_seed: int, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.method = method
        self.t_min = t_min
        self.mask_token_id = mask_token_id
        self.corruption_seed = corruption_seed
        self.records: list[StepRecord] = []
        # The loss of a micro-batch is divided here; the Trainer must not rescale it by token counts.
        self.model_accepts_loss_kwargs = False

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Tensor:
        """Return the diffusion loss of one micro-batch."""
        del return_outputs, num_items_in_batch
        draws = draw_uniform(
            seed=self.corruption_seed,
            epoch=int((self.state.epoch or 0) + 1e-6),
            example_keys=inputs["example_key"],
            length=inputs["clean_ids"].shape[1],
        )
        loss, record = diffusion_loss(
            model, inputs, draws, method=self.method, t_min=self.t_min, mask_token_id=self.mask_token_id
        )
        self.records.append(record)
        if not torch.isfinite(loss):
            keys = [f"{key:016x}" for key in inputs["example_key"].tolist()]
            raise TrainingError(
                f"the loss must be finite, got {loss.item()} after optimiser step {self.state.global_step} "
                f"on examples {keys}; lower learning_rate, or look for broken examples"
            )
        return loss
