"""A Hugging Face Trainer with the noise and the loss of `weft.training.objective`."""

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypedDict

import torch
from torch import Tensor
from torch.utils.data import Sampler
from transformers import (
    EvalPrediction,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from weft.axes import FlatFloats
from weft.config.sources import SpecialTokens
from weft.data.collate import Examples, PadToLength, PreparedExample, TrainingBatch, move_to_device
from weft.data.training_set import count_tokens, encode, is_encoded
from weft.errors import DataError, TrainingError, explain_arguments
from weft.loading import load_tokenizer
from weft.model import Predictor
from weft.records.ids import example_key
from weft.training.adapters import add_adapters
from weft.training.arguments import check_arguments, check_method_arguments
from weft.training.batch_objective import MethodLike, as_method
from weft.training.callbacks import HistoryCallback
from weft.training.checkpoints import weights_only
from weft.training.clipping import clip_gradients
from weft.training.deepspeed import pickle_stage_by_value
from weft.training.evaluation import example_sums, mean_loss, require_live_probe
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
from weft.training.saving import load_for_training, save_trained
from weft.training.uniforms import KeyedUniforms

LOG = logging.getLogger(__name__)
EVALUATION = -1
"""Number in place of the epoch in the random numbers of an evaluation, which are always the same."""
COLUMNS = [*PreparedExample.__annotations__]
OTHER_NAMES = {
    "tokenizer": "processing_class",
    "max_seq_length": "max_length",
    "block_size": "max_length",
    "lora_config": "peft_config",
    "loss_type": "method",
    "dataset": "train_dataset",
}
"""Names of arguments in other trainers -> their names here."""


class MicroBatch(TypedDict):
    """A noisy micro-batch with normalized weights, and its index in the optimiser step."""

    number: int
    noisy: NoisyBatch


class DiffusionTrainer(Trainer):
    """Trainer of a mask predictor with the settings of a method.

    It is a ``transformers.Trainer``: optimiser, learning rate, accumulation, checkpoints and logging are set
    by ``transformers.TrainingArguments``. Order, times and masks depend on ``args.seed`` (or ``data_seed``)
    and on the examples, and not on the number of processes or the division of a batch.

    Args:
        model: a mask predictor from `weft.load_model`, or its directory or name on the hub. A model that is
            loaded here has the stored type with ``peft_config`` and is in float32 without.
        args: arguments of the Trainer; by default those of transformers.
        train_dataset: rows as `weft.encode` takes them, or what it returns.
        eval_dataset: rows for ``evaluate``, or a dictionary of several sets. Their loss is a mean per counted
            token with the same noise in every evaluation.
        processing_class: tokenizer from `weft.load_tokenizer`; may be left out if ``model`` is a name.
        callbacks: as for ``transformers.Trainer``.
        optimizers: as for ``transformers.Trainer``.
        method: name of a preset, settings such as ``{"preset": "weft", "exponent": 0.25}``, or a `Method`.
        peft_config: settings of new adapters, such as ``peft.LoraConfig``; None trains the parameters of the
            model that require a gradient.
        max_length: length to which every example is padded or cut, in tokens; by default that of the longest
            training example, at most the context of the model. Padding is trained like the answer.
        t_min: smallest diffusion time.
        special_tokens: ``error`` or ``plain_text``, see `weft.encode`.
        frozen_probe: file in which the uncertainties of a frozen probe are kept; None keeps none.

    Raises:
        ConfigError: the method is not valid.
        DataError: a row cannot be trained.
        TrainingError: an argument of the Trainer contradicts the method, or is not supported.
    """

    @explain_arguments(TrainingError, OTHER_NAMES)
    def __init__(  # noqa: PLR0917 - the order of the first arguments is the Trainer's
        self,
        model: Any,
        args: TrainingArguments | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        processing_class: PreTrainedTokenizerBase | None = None,
        callbacks: list[TrainerCallback] | None = None,
        optimizers: tuple[Any, Any] = (None, None),
        *,
        method: MethodLike = "weft",
        peft_config: Any = None,
        max_length: int | None = None,
        t_min: float = 1e-3,
        special_tokens: SpecialTokens = "error",
        frozen_probe: Path | None = None,
    ) -> None:
        args = TrainingArguments(output_dir="trainer_output") if args is None else args
        chosen = as_method(method)
        check_arguments(args)
        check_method_arguments(args, chosen)
        if eval_dataset is not None:
            require_live_probe(chosen)
        if isinstance(model, str | Path):
            processing_class = load_tokenizer(model) if processing_class is None else processing_class
            model = load_for_training(model, has_adapters=peft_config is not None)
        self.process = ForwardProcess(
            method=chosen, t_min=_check_t_min(t_min), mask_token_id=_mask_token(processing_class)
        )
        assert processing_class is not None, "a tokenizer with a mask token"
        if not isinstance(model, torch.nn.Module) or not hasattr(model, "config"):
            raise TrainingError(
                "model must be a mask predictor from weft.load_model, or its directory or name on the hub, "
                f"got {type(model).__name__}"
            )
        self.tokenizer, self.special_tokens = processing_class, special_tokens
        self.examples = self._encode(train_dataset)
        context = getattr(model.config, "max_position_embeddings", None)
        self.collate = PadToLength(
            max_length=_longest(self.examples, context)
            if max_length is None
            else _check_max_length(max_length, context),
            pad_token_id=processing_class.pad_token_id,
        )
        _require_room(self.examples, self.collate.max_length)
        self.seed = args.seed if args.data_seed is None else args.data_seed
        self.batch_size = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        self._cached, self._probed_epoch = self._probe_frozen(model, args, frozen_probe), -1
        if peft_config is not None:
            set_seed(args.seed)
            model = add_adapters(model, peft_config)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise TrainingError(
                "model must have parameters that require a gradient, but all are frozen, as in a model that "
                "weft.load_model has loaded with an adapter; give peft_config for new adapters of the base "
                "model, or call requires_grad_() on the parameters to be trained"
            )
        if args.activation_checkpointing or args.gradient_checkpointing:
            model.enable_input_require_grads()
        super().__init__(
            model=model,
            args=args,
            data_collator=self.collate,  # type: ignore[arg-type]
            train_dataset=IndexedExamples(self.examples),
            eval_dataset=self._encode_all(eval_dataset),
            compute_metrics=self._evaluation_metrics,
            callbacks=callbacks,
            optimizers=optimizers,
        )
        # The Trainer would overwrite token ids in the configuration of the model with those of the tokenizer.
        self.callback_handler.processing_class = processing_class
        self.metric_sums: list[Tensor] = []
        self.step_began = 0.0
        # `normalize_weights` divides the loss of a step; the Trainer only averages over its micro-batches.
        self.model_accepts_loss_kwargs = False
        # Columns that the Trainer keeps; by default they are the arguments of the model.
        self._signature_columns = COLUMNS  # type: ignore[assignment]
        self.callback_handler.callbacks.insert(0, HistoryCallback(self))

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
                uniforms = self._uniforms(batch, epoch=self.finished_epochs)
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

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Return the batches of an evaluation set, which may be rows of text."""
        if eval_dataset is not None and not isinstance(eval_dataset, str):
            require_live_probe(self.process.method)
            eval_dataset = self._encode_all(eval_dataset)
        return super().get_eval_dataloader(eval_dataset)

    def prediction_step(
        self,
        model: Any,
        inputs: Any,
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[None, Tensor, Tensor]:
        """Return the loss of each example of an evaluation batch and the number of tokens to divide it by."""
        del prediction_loss_only, ignore_keys
        batch = move_to_device(inputs, self.args.device)
        with torch.no_grad(), self.compute_loss_context_manager():
            uniforms = self._uniforms(batch, epoch=EVALUATION)
            noisy = add_noise(model, batch, uniforms, self.process)
            token_nll = masked_token_loss(model, noisy)[1]
        return None, *example_sums(noisy, token_nll, num_examples=len(batch["example_key"]))

    def predict(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse, because a mask predictor has no predictions without noise."""
        raise TrainingError("predict is not supported; use evaluate for a loss, or weft.generate for answers")

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the adapter, or the whole model in its published form with the tokenizer.

        `weft.load_model` reads the result. All processes call this method.

        Args:
            output_dir: directory; by default ``args.output_dir``.
            _internal_call: set by the Trainer when it writes a checkpoint for resuming.
        """
        if _internal_call:  # a checkpoint for resuming, in the form of transformers
            super().save_model(output_dir, _internal_call=True)
            return
        tensors = self.accelerator.get_state_dict(self.model_wrapped)  # all ranks gather their parts
        if self.is_world_process_zero():
            save_trained(self, tensors, Path(output_dir or str(self.args.output_dir)))
        self.accelerator.wait_for_everyone()

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return 0, because the Trainer's estimate does not include probes."""
        del inputs
        return 0

    def pop_metrics(self) -> dict[str, float | None]:
        """Return the metrics of all micro-batches since the last call, over all processes."""
        sums = torch.stack(self.metric_sums).sum(dim=0)
        self.metric_sums = []
        return metric_means(self.accelerator.reduce(sums, reduction="sum"))

    def create_accelerator_and_postprocess(self) -> None:
        """Create the accelerator, which under DeepSpeed has the number of micro-batches from the beginning.

        It would take the same number from DeepSpeed's configuration later, with a warning of a mismatch.
        """
        super().create_accelerator_and_postprocess()
        if self.is_deepspeed_enabled:
            self.accelerator.gradient_accumulation_steps = self.args.gradient_accumulation_steps

    def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
        """Prepare the model, and wrap it for several processes even if it was evaluated before.

        An evaluation marks the model as prepared without the wrapper that averages gradients. Accelerate
        would then leave it out, and every process would train a model of its own.
        """
        is_bare = self.model_wrapped is self.model and not self.is_deepspeed_enabled
        if is_bare and self.accelerator.num_processes > 1:
            self.model._is_accelerate_prepared = False  # type: ignore[union-attr]
            self.accelerator._models.clear()
        if self.is_deepspeed_enabled:
            pickle_stage_by_value()
        # The Trainer also loads the checkpoint from which a training resumes here.
        with weights_only(has_deepspeed=self.is_deepspeed_enabled):
            return super()._prepare_for_training(*args, **kwargs)

    def _load_best_model(self) -> None:
        """Load the best checkpoint, which contains tensors and numbers only."""
        with weights_only(has_deepspeed=self.is_deepspeed_enabled):
            super()._load_best_model()

    def _clip_grad_norm(self, model: torch.nn.Module) -> Tensor:
        """Clip the gradients and return their norm, with the rounding of DeepSpeed's ZeRO.

        Torch rounds the factor in another way. A training without DeepSpeed would then leave the history of
        the workflow within some steps.
        """
        if self.is_deepspeed_enabled:
            return super()._clip_grad_norm(model)
        self.accelerator.unscale_gradients()
        return clip_gradients(model, max_norm=float(self.args.max_grad_norm))

    def _uniforms(self, batch: TrainingBatch, *, epoch: int) -> KeyedUniforms:
        t_sampling = self.process.method.t_sampling
        if epoch == EVALUATION and t_sampling != "complementary":
            t_sampling = "uniform"  # the examples of an evaluation have no index in an optimiser step
        return KeyedUniforms(
            seed=self.seed,
            epoch=epoch,
            example_keys=batch["example_key"],
            index_in_epoch=batch["index_in_epoch"].cpu(),
            batch_size=self.batch_size,
            length=batch["clean_ids"].shape[1],
            t_sampling=t_sampling,
        )

    def _encode(self, rows: Any) -> Examples:
        """Return tokenized examples; rows that are tokenized already are not changed."""
        if rows is None:
            raise DataError(
                "train_dataset must be given, got None; give a datasets.Dataset or a list of rows"
            )
        if is_encoded(rows):
            return rows
        return encode(self.tokenizer, rows, special_tokens=self.special_tokens)

    def _encode_all(self, rows: Any) -> Any:
        """Return tokenized examples for evaluation, or a dictionary of such sets."""
        if rows is None:
            return None
        if isinstance(rows, Mapping):
            return {name: self._encode_all(part) for name, part in rows.items()}
        examples = self._encode(rows)
        _require_room(examples, self.collate.max_length)
        return examples

    def _probe_frozen(
        self, model: Any, args: TrainingArguments, file: Path | None
    ) -> CachedUncertainty | None:
        """Return the uncertainties of the model as it is given, for methods with a frozen probe."""
        method = self.process.method
        if not method.has_probe or method.probe_model != "frozen":
            return None

        def compute() -> dict[int, FlatFloats]:
            return probe_examples(
                model.to(args.device),
                self.examples,
                self.collate,
                method=method,
                mask_token_id=self.process.mask_token_id,
                batch_size=args.per_device_train_batch_size,
                device=args.device,
            )

        return CachedUncertainty(compute()) if file is None else load_or_compute(file, compute)

    def _evaluation_metrics(self, prediction: EvalPrediction) -> dict[str, float]:
        return {"loss": mean_loss(prediction.predictions, prediction.label_ids, self.process.method)}

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
        folder = Path(str(self.args.output_dir))
        path = folder / f"probe-epoch{due}.safetensors"
        is_resumed = (self.state.epoch or 0) > due

        def compute() -> dict[int, FlatFloats]:
            if is_resumed:
                raise TrainingError(
                    f"resuming within an epoch requires the probe from the start of the epoch, but {path} "
                    f"is missing; remove {folder} to train this run from the beginning"
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

        self._cached, self._probed_epoch = load_or_compute(path, compute, is_reusable=is_resumed), due

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


def _check_max_length(max_length: int, context: int | None) -> int:
    if not isinstance(max_length, int) or isinstance(max_length, bool) or max_length < 1:
        raise TrainingError(f"max_length must be a whole number of at least 1, got {max_length!r}")
    if context is not None and max_length > context:
        raise TrainingError(
            f"max_length must be at most {context}, the longest sequence of the model, got {max_length}"
        )
    return max_length


def _check_t_min(t_min: float) -> float:
    if not isinstance(t_min, int | float) or not 0 < t_min < 1:
        raise TrainingError(f"t_min must lie between 0 and 1, got {t_min!r}")
    return t_min


def _mask_token(tokenizer: PreTrainedTokenizerBase | None) -> int:
    """Return the id of the mask token of a tokenizer."""
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise TrainingError(
            "processing_class must be the tokenizer of the model, got "
            f"{type(tokenizer).__name__}; load it with weft.load_tokenizer"
        )
    if tokenizer.mask_token_id is None or tokenizer.pad_token_id is None:
        raise TrainingError(
            "processing_class must have a mask token and a padding token; load it with weft.load_tokenizer, "
            "which takes the mask token of LLaDA from the model's configuration"
        )
    return tokenizer.mask_token_id


def _longest(examples: Examples, context: int | None) -> int:
    """Return the length of the longest example, at most the context of the model, in tokens."""
    longest = max(sum(lengths) for lengths in count_tokens(examples))
    length = longest if context is None else min(longest, context)
    LOG.info("every example is padded to max_length=%d tokens; the longest has %d", length, longest)
    return length


def _require_room(examples: Examples, max_length: int) -> None:
    """Check before training that every prompt leaves room for its answer."""
    long = [number for number, (prompt, _) in enumerate(count_tokens(examples)) if prompt >= max_length]
    if long:
        raise DataError(
            f"every prompt must be shorter than max_length={max_length} tokens, got {len(long)} that are "
            f"not, in rows {long[:5]}, counted from 0; raise max_length or leave these rows out"
        )
