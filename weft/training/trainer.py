"""A Hugging Face Trainer with the noise and the loss of `weft.training.objective`."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor
from torch.utils.data import Sampler
from transformers import Trainer

from weft.axes import FlatFloats
from weft.data.collate import Collate, PreparedExample, TrainingBatch, move_to_device
from weft.errors import TrainingError
from weft.model import Predictor
from weft.records.ids import example_key
from weft.training.metrics import metric_means
from weft.training.objective import (
    ForwardProcess,
    NoisyBatch,
    add_noise,
    masked_token_loss,
    normalize_weights,
)
from weft.training.order import EpochSampler, IndexedExamples
from weft.training.probe_cache import CachedUncertainty, load_or_compute, probe_examples
from weft.training.uniforms import KeyedUniforms


class MicroBatch(TypedDict):
    """A noisy micro-batch with normalized weights, and its index in the optimiser step."""

    number: int
    noisy: NoisyBatch


class DiffusionTrainer(Trainer):
    """Trainer of a mask predictor with the settings of a method.

    Args:
        process: settings of the noise and the loss.
        seed: seed of order, times and masks.
        batch_size: examples per optimiser step, over all processes.
        collate: function that makes a batch of prepared examples.
        train_dataset: prepared examples.
        cached: uncertainties of a frozen probe, for methods that have one.
        probe_folder: folder for the values of refreshed probes, for methods that have them.
        **kwargs: as for ``transformers.Trainer``.
    """

    def __init__(
        self,
        *,
        process: ForwardProcess,
        seed: int,
        batch_size: int,
        collate: Collate,
        train_dataset: Sequence[PreparedExample],
        cached: CachedUncertainty | None = None,
        probe_folder: Path | None = None,
        **kwargs: Any,
    ) -> None:
        self.examples = train_dataset
        self.seed, self.batch_size = seed, batch_size
        super().__init__(
            train_dataset=IndexedExamples(train_dataset),
            data_collator=collate,  # type: ignore[arg-type]
            **kwargs,
        )
        self.process, self.collate, self.probe_folder = process, collate, probe_folder
        self.metric_sums: list[Tensor] = []
        self.step_began = 0.0
        # `normalize_weights` divides the loss of a step; the Trainer only averages over its micro-batches.
        self.model_accepts_loss_kwargs = False
        self._cached, self._probed_epoch = cached, -1

    @property
    def finished_epochs(self) -> int:
        """Number of epochs that are finished."""
        return int((self.state.epoch or 0) + 1e-6)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler:
        del train_dataset
        return EpochSampler(
            len(self.examples),
            batch_size=self.batch_size,
            seed=self.seed,
            epoch=lambda: self.finished_epochs,
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator, num_batches: int, device: torch.device
    ) -> tuple[list[MicroBatch], None]:
        """Return the noisy micro-batches of an optimiser step; their tokens are counted together."""
        self.step_began = time.perf_counter()
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        self.model_wrapped.train()
        if self.process.method.probe_model == "refreshed":
            self._refresh_probe()
        noisy = []
        for number, batch in enumerate(batches):
            self._seed_dropout(f"probe/{number}")
            with self.compute_loss_context_manager():
                uniforms = self._uniforms(batch)
                on_device = move_to_device(batch, device)
                part = add_noise(self.model_wrapped, on_device, uniforms, self.process, cached=self._cached)
            noisy.append(part)
        normalized = normalize_weights(
            noisy,
            self.process.method,
            sum_over_processes=lambda counts: self.accelerator.reduce(counts, reduction="sum"),
            num_processes=self.accelerator.num_processes,
        )
        # The tensors are inside an object, because the Trainer would round bare tensors to the model's dtype.
        return [MicroBatch(number=number, noisy=part) for number, part in enumerate(normalized)], None

    def compute_loss(  # type: ignore[override]
        self,
        model: Predictor,
        inputs: MicroBatch,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Tensor:
        """Return the loss of a micro-batch; raise a TrainingError if it is not finite."""
        del return_outputs, num_items_in_batch
        noisy = inputs["noisy"]
        self._seed_dropout(str(inputs["number"]))
        loss, token_nll = masked_token_loss(model, noisy)
        self.metric_sums.append(noisy.metric_sums)
        if not torch.isfinite(loss):
            raise TrainingError(self._describe_loss(loss, token_nll, noisy))
        return loss

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return 0, because the Trainer's estimate does not include probes."""
        del inputs
        return 0

    def pop_metrics(self) -> dict[str, float | None]:
        """Return the metrics of all micro-batches since the last call, over all processes."""
        sums = torch.stack(self.metric_sums).sum(dim=0)
        self.metric_sums = []
        return metric_means(self.accelerator.reduce(sums, reduction="sum"))

    def _uniforms(self, batch: TrainingBatch) -> KeyedUniforms:
        return KeyedUniforms(
            seed=self.seed,
            epoch=self.finished_epochs,
            example_keys=batch["example_key"],
            index_in_epoch=batch["index_in_epoch"].cpu(),
            batch_size=self.batch_size,
            length=batch["clean_ids"].shape[1],
            t_sampling=self.process.method.t_sampling,
        )

    def _seed_dropout(self, purpose: str) -> None:
        """Seed dropout with the number of the optimiser step, so that resumed runs draw the same dropout."""
        key = f"{self.seed}/{self.state.global_step}/{self.args.process_index}/{purpose}"
        torch.manual_seed(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 1)

    def _refresh_probe(self) -> None:
        """Probe the trained model if an epoch begins in which the uncertainties are refreshed."""
        method = self.process.method
        due = self.finished_epochs - self.finished_epochs % method.refresh_epochs
        if due == self._probed_epoch:
            return
        assert self.probe_folder is not None, "refreshed probes need probe_folder"
        path = self.probe_folder / f"probe-epoch{due}.safetensors"

        def compute() -> dict[int, FlatFloats]:
            if (self.state.epoch or 0) > due:
                raise TrainingError(
                    f"resuming within an epoch requires the probe from the start of the epoch, but {path} "
                    f"is missing; remove {self.probe_folder} to train this run from the beginning"
                )
            with self.compute_loss_context_manager():
                return probe_examples(
                    self.model_wrapped,
                    self.examples,
                    self.collate,
                    method=method,
                    mask_token_id=self.process.mask_token_id,
                    batch_size=self.args.per_device_train_batch_size,
                    device=self.args.device,
                )

        self._cached, self._probed_epoch = load_or_compute(path, compute), due

    def _describe_loss(self, loss: Tensor, token_nll: FlatFloats, noisy: NoisyBatch) -> str:
        """Return a message that names the examples with a loss that is not finite."""
        is_broken = ~torch.isfinite(token_nll * noisy.weight[noisy.is_predicted])
        rows = noisy.is_predicted.nonzero()[:, 0][is_broken].unique()
        ids = {example_key(example["example_id"]): example["example_id"] for example in self.examples}
        names = sorted(
            {ids[key] for key in (noisy.example_keys[rows].tolist() or noisy.example_keys.tolist())}
        )
        return (
            f"the loss must be finite, got {loss.item()} after optimiser step {self.state.global_step} on "
            f"examples {names}; lower training.learning_rate or max_grad_norm, raise "
            "min_token_masking_rate, set max_weight, train in float32, or inspect these examples"
        )
