"""The objective of a single batch, for training loops of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from weft.axes import FlatFloats, Scalar
from weft.config.methods import Method
from weft.config.section import validate
from weft.data.collate import TrainingBatch, move_to_device
from weft.errors import ConfigError, DataError, TrainingError
from weft.model import Predictor
from weft.training.metrics import metric_means
from weft.training.objective import (
    ForwardProcess,
    NoisyBatch,
    add_noise,
    masked_token_loss,
    normalize_weights,
)
from weft.training.uniforms import KeyedUniforms

MethodLike = Method | str | Mapping[str, Any]
"""A method: its settings, the name of a preset, or a preset with changed settings."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The value of the objective for a batch.

    Attributes:
        loss: the loss in nats per counted token, a scalar with its gradient.
        token_nll: negative log-likelihood of each masked token in nats, detached, in row-major order.
        noisy: the batch with noise: its masked token ids, and the weights of the masked tokens.
    """

    loss: Scalar
    token_nll: FlatFloats
    noisy: NoisyBatch

    @property
    def metrics(self) -> dict[str, float | None]:
        """Masked share, mean time, mean masking rate, mean uncertainty in nats, share of bounded rates."""
        return metric_means(self.noisy.metric_sums)


def objective(
    model: Predictor,
    batch: TrainingBatch,
    method: MethodLike = "weft",
    *,
    seed: int | None = None,
    epoch: int = 0,
    generator: torch.Generator | None = None,
    probe_model: Predictor | None = None,
    mask_token_id: int | None = None,
    t_min: float = 1e-3,
) -> Objective:
    """Draw times and masks for a batch and compute the loss of a method.

    Args:
        model: a mask predictor, possibly wrapped by PEFT or for data parallelism.
        batch: a batch from `weft.PadToLength`; it is moved to the device of the model.
        method: name of a preset, settings such as ``{"preset": "weft", "exponent": 0.25}``, or a `Method`.
        seed: seed of the noise, which is then a function of seed, epoch and example, as in
            `DiffusionTrainer`. None draws a seed, so that every call has noise of its own.
        epoch: number of the pass over the data; give another one in each pass if ``seed`` is given.
        generator: generator from which a seed is drawn; by default torch's global generator.
        probe_model: model of the probe pass; required for methods whose probe model is not ``live``.
        mask_token_id: id of the mask token; by default that of the model's configuration.
        t_min: smallest diffusion time.

    Returns:
        The loss and its details. The divisor counts the tokens of this batch.

    Raises:
        ConfigError: the method is not valid.
        TrainingError: the method needs a probe model, or a probe of the whole data set.
        MaskingError: an example has no answer token.
    """
    chosen = as_method(method)
    if chosen.reference == "dataset":
        raise TrainingError("method.reference must not be 'dataset' for a batch; use DiffusionTrainer")
    if chosen.has_probe and chosen.probe_model != "live" and probe_model is None:
        raise TrainingError(
            f"probe_model must be given for a method whose probe model is {chosen.probe_model!r}, got None; "
            "give the model that measures the uncertainties, such as the base model"
        )
    if seed is None:
        seed = int(torch.randint(2**62, (), generator=generator).item())
    process = ForwardProcess(
        method=chosen,
        t_min=t_min,
        mask_token_id=find_mask_token(model) if mask_token_id is None else mask_token_id,
    )
    batch = move_to_device(_require_batch(batch), _find_device(model, batch))
    uniforms = KeyedUniforms(
        seed=seed,
        epoch=epoch,
        example_keys=batch["example_key"].cpu(),
        index_in_epoch=_index_in_epoch(batch),
        batch_size=len(batch["example_key"]),
        length=batch["clean_ids"].shape[1],
        t_sampling=chosen.t_sampling,
    )
    noisy = add_noise(model if probe_model is None else probe_model, batch, uniforms, process)
    noisy = normalize_weights([noisy], chosen)[0]
    loss, token_nll = masked_token_loss(model, noisy)
    return Objective(loss=loss, token_nll=token_nll, noisy=noisy)


def as_method(method: MethodLike) -> Method:
    """Return the checked settings of a method.

    Args:
        method: settings, the name of a preset, or a preset with changed settings.

    Returns:
        The settings.

    Raises:
        ConfigError: a key or value is not allowed.
    """
    if isinstance(method, Method):
        return method
    if not isinstance(method, str | Mapping):
        raise ConfigError(
            "method must be the name of a preset, a dictionary of settings or a weft.Method, "
            f"got {method!r:.80}"
        )
    content = {"preset": method} if isinstance(method, str) else dict(method)
    return validate(Method, content, origin="method", remedy="Correct the method")


def find_mask_token(model: Any) -> int:
    """Return the id of the mask token in a model's configuration; the model may be wrapped."""
    inner = getattr(model, "module", model)
    mask_token_id = getattr(getattr(inner, "config", None), "mask_token_id", None)
    if not isinstance(mask_token_id, int):
        raise TrainingError(
            "mask_token_id must be given for a model whose configuration has none, got "
            f"{type(model).__name__}; give tokenizer.mask_token_id"
        )
    return mask_token_id


def _require_batch(batch: Any) -> TrainingBatch:
    if isinstance(batch, Mapping) and batch.keys() >= TrainingBatch.__required_keys__:
        return batch  # type: ignore[return-value]
    raise DataError(
        f"batch must be made by weft.PadToLength from encoded examples, got {type(batch).__name__}; encode "
        "the rows with weft.encode and collate them with weft.PadToLength"
    )


def _find_device(model: Any, batch: TrainingBatch) -> torch.device:
    parameters = model.parameters() if isinstance(model, torch.nn.Module) else ()
    return next((parameter.device for parameter in parameters), batch["clean_ids"].device)


def _index_in_epoch(batch: TrainingBatch) -> torch.Tensor:
    """Return indices by which times are spread over the batch, for methods that spread them.

    A data loader of one's own does not number the examples. A hash of the first example then separates the
    pairs of this batch from those of others.
    """
    given = batch["index_in_epoch"].cpu()
    num_rows = len(given)
    if bool((given != 0).any()) or num_rows == 1:
        return given
    return torch.arange(num_rows) + 2 * num_rows * (int(batch["example_key"][0]) % 2**32)
