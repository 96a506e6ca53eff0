"""The HF Trainer with its order, its corruption and its loss replaced, and nothing else."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Sampler
from transformers import Trainer

from weft.config.methods import Method
from weft.data.collate import example_key
from weft.errors import TrainingError
from weft.training.corruption import SeededDraws
from weft.training.objective import (
    RECORD_FIELDS,
    NoisyBatch,
    corrupt,
    noisy_loss,
    scale_rows,
    scheme_positions,
    step_totals,
)
from weft.training.order import EpochSampler, PlacedExamples
from weft.training.probe_cache import Collate, KnownUncertainty, known_uncertainty, probe_examples


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """How examples are corrupted.

    Attributes:
        method: the row of settings.
        t_min: smallest diffusion time.
        mask_token_id: id of the mask token.
        seed: seed of order, times and masks.
        batch_size: examples per optimiser step, over all processes.
        known: the frozen probe's values, for methods that have one.
        probes: folder for the values of probes that are refreshed in training.
    """

    method: Method
    t_min: float
    mask_token_id: int
    seed: int
    batch_size: int
    known: KnownUncertainty | None = None
    probes: Path | None = None


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One micro-batch, corrupted, and the factor of each of its rows."""

    number: int
    noisy: NoisyBatch
    row_scale: Tensor
    example_keys: Tensor


class DiffusionTrainer(Trainer):
    """Train a mask predictor under a method's settings.

    Args:
        corruption: the method, and what it needs.
        collate: makes batches of prepared examples.
        train_dataset: prepared examples.
        **kwargs: as for ``transformers.Trainer``.
    """

    def __init__(
        self, *, corruption: Corruption, collate: Collate, train_dataset: Any, **kwargs: Any
    ) -> None:
        self.placed = PlacedExamples(train_dataset)
        super().__init__(train_dataset=self.placed, data_collator=_with_places(collate), **kwargs)
        self.corruption = corruption
        self.collate = collate
        self.record_sums: list[Tensor] = []
        self.step_began = 0.0
        # The loss of a step is divided here; the Trainer only averages over the parts of it.
        self.model_accepts_loss_kwargs = False
        self._known, self._probed_epoch = corruption.known, -1

    @property
    def whole_epochs(self) -> int:
        """Count the epochs that are finished."""
        return int((self.state.epoch or 0) + 1e-6)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        del train_dataset
        return EpochSampler(
            len(self.placed),
            batch_size=self.corruption.batch_size,
            seed=self.corruption.seed,
            epoch=lambda: self.whole_epochs,
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator, num_batches: int, device: torch.device
    ) -> tuple[list, None]:
        """Corrupt all micro-batches of one optimiser step, since their tokens are counted together."""
        self.step_began = time.perf_counter()
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        method = self.corruption.method
        self.model_wrapped.train()
        if method.probe_model == "refreshed":
            self._refresh_probe()
        noisy = []
        for number, batch in enumerate(batches):
            self._seed_dropout(f"probe/{number}")
            with self.compute_loss_context_manager():
                noisy.append(self._corrupt({name: tensor.to(device) for name, tensor in batch.items()}))
        totals = torch.stack([step_totals(part) for part in noisy]).sum(dim=0)
        totals = self.accelerator.reduce(totals, reduction="sum").to(torch.float32)
        num_parts = len(noisy) * self.accelerator.num_processes
        # In a dictionary and an object, since the Trainer would round loose tensors to the model's type.
        parts = [
            {
                "part": _Part(
                    number=number,
                    noisy=part,
                    row_scale=scale_rows(part, method, totals, num_parts=num_parts),
                    example_keys=batch["example_key"],
                )
            }
            for number, (part, batch) in enumerate(zip(noisy, batches, strict=True))
        ]
        return parts, None

    def compute_loss(  # type: ignore[override]
        self,
        model: Any,
        inputs: dict[str, _Part],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Tensor:
        """Return the diffusion loss of one micro-batch."""
        del return_outputs, num_items_in_batch
        part = inputs["part"]
        self._seed_dropout(str(part.number))
        loss, token_nll = noisy_loss(model, part.noisy, part.row_scale)
        self.record_sums.append(part.noisy.sums)
        if not torch.isfinite(loss):
            raise TrainingError(self._not_finite(part, loss, token_nll))
        return loss

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Count nothing: the Trainer's estimate knows neither probes nor masks."""
        del inputs
        return 0

    def take_record(self) -> dict[str, float | None]:
        """Return RECORD_FIELDS over all that was trained on since the last call, on all ranks."""
        sums = torch.stack(self.record_sums).sum(dim=0)
        self.record_sums = []
        pairs = self.accelerator.reduce(sums, reduction="sum").reshape(-1, 2).tolist()
        return {
            name: above / below if below else None
            for name, (above, below) in zip(RECORD_FIELDS, pairs, strict=True)
        }

    def _corrupt(self, batch: dict[str, Tensor]) -> NoisyBatch:
        corruption = self.corruption
        known, reference = None, None
        if self._known is not None:
            known = self._known.spread(batch["example_key"], scheme_positions(batch, corruption.method))
            if corruption.method.reference == "dataset":
                reference = self._known.mean_beta(corruption.method.exponent)
        draws = SeededDraws(
            seed=corruption.seed,
            epoch=self.whole_epochs,
            example_keys=batch["example_key"],
            positions=batch["position"].cpu(),
            batch_size=corruption.batch_size,
            length=batch["clean_ids"].shape[1],
            t_sampling=corruption.method.t_sampling,
        )
        return corrupt(
            self.model_wrapped,
            batch,
            draws,
            method=corruption.method,
            t_min=corruption.t_min,
            mask_token_id=corruption.mask_token_id,
            known_uncertainty=known,
            dataset_reference=reference,
        )

    def _seed_dropout(self, purpose: str) -> None:
        """Make dropout a function of the step, so that an interruption does not change it."""
        place = f"{self.corruption.seed}/{self.state.global_step}/{self.args.process_index}/{purpose}"
        torch.manual_seed(int.from_bytes(hashlib.sha256(place.encode()).digest()[:8]) >> 1)

    def _refresh_probe(self) -> None:
        """Ask the model in training anew, when the time has come."""
        corruption = self.corruption
        due = self.whole_epochs - self.whole_epochs % corruption.method.refresh_epochs
        if due == self._probed_epoch:
            return
        assert corruption.probes is not None, "a refreshed probe keeps its values in a folder"
        path = corruption.probes / f"probe-epoch{due}.safetensors"

        def compute() -> dict[int, Tensor]:
            if (self.state.epoch or 0) > due:
                raise TrainingError(
                    f"resuming within an epoch needs the values of the probe at its beginning in {path}, not "
                    f"found; remove {corruption.probes} to train this run from the beginning"
                )
            with self.compute_loss_context_manager():
                return probe_examples(
                    self.model_wrapped,
                    self.placed.examples,
                    self.collate,
                    method=corruption.method,
                    mask_token_id=corruption.mask_token_id,
                    batch_size=self.args.per_device_train_batch_size,
                    device=self.args.device,
                )

        self._known, self._probed_epoch = known_uncertainty(path, compute), due

    def _not_finite(self, part: _Part, loss: Tensor, token_nll: Tensor) -> str:
        """Say where a loss is not finite, and what to try."""
        contribution = token_nll * part.noisy.weight
        rows = part.noisy.is_predicted.nonzero()[:, 0][~torch.isfinite(contribution)]
        keys = part.example_keys[rows.unique() % len(part.example_keys)].tolist()
        ids = {example_key(one["example_id"]): one["example_id"] for one in self.placed.examples}
        named = sorted({ids[key] for key in keys or part.example_keys.tolist()})
        return (
            f"the loss must be finite, got {loss.item()} after optimiser step {self.state.global_step} on "
            f"examples {named}; lower training.learning_rate or max_grad_norm, raise "
            "min_token_masking_rate or set max_weight, train in float32, or look at these examples"
        )


def _with_places(collate: Collate) -> Callable[[list[dict[str, Any]]], dict[str, Tensor]]:
    def collate_with_places(examples: list[dict[str, Any]]) -> dict[str, Tensor]:
        places = {name: torch.tensor([e[name] for e in examples]) for name in ("position", "is_filler")}
        return collate(examples) | places

    return collate_with_places
