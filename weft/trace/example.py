"""A training example as the model gets it: its tokens, the boundary between prompt and answer, and its masks.

`weft.trace.example_text` prints it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from weft.axes import BatchFloats
from weft.config.methods import Method
from weft.data.collate import PadToLength, PreparedExample, TrainingBatch, move_to_device
from weft.errors import ConfigError
from weft.model import Predictor
from weft.training.objective import ForwardProcess, draw_masks, relative_rates
from weft.training.probe import has_token_rate, probe_uncertainty
from weft.training.probe_table import token_texts
from weft.training.uniforms import KeyedUniforms

Part = Literal["prompt", "answer", "padding", "cut off"]
"""What a token is in training; the tokens that are cut off have no part in it."""


@dataclass(frozen=True, kw_only=True)
class MaskedBy:
    """The masks of an example that a method draws at a time.

    Attributes:
        is_masked: for each token within the limit, whether it is masked.
        rate: probability with which it is masked.
        uncertainty: H_i in nats; empty if the method needs none.
    """

    is_masked: Sequence[bool]
    rate: Sequence[float]
    uncertainty: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class ExampleView:
    """A training example as tokens.

    Attributes:
        token_ids: ids of all tokens, padded to the limit, or longer than it.
        texts: text of each token; together they are the text that the tokenizer has encoded.
        parts: what each token is.
        boundary: index of the first token of the answer.
        max_length: limit in tokens.
        t: diffusion time of the masks.
        masks: name of a method -> its masks; empty if the prompt leaves no room for an answer.
        unknown: names of the methods whose rates need a model, if none is given.
    """

    token_ids: Sequence[int]
    texts: Sequence[str]
    parts: Sequence[Part]
    boundary: int
    max_length: int
    t: float
    masks: Mapping[str, MaskedBy] = field(default_factory=dict)
    unknown: Sequence[str] = ()

    @property
    def is_too_long(self) -> bool:
        """True if the prompt leaves no room for an answer."""
        return self.boundary >= self.max_length

    def text_of(self, *parts: Part) -> str:
        """Return the text of all tokens of these parts."""
        return "".join(text for text, part in zip(self.texts, self.parts, strict=True) if part in parts)

    def count(self, part: Part) -> int:
        """Return the number of tokens of a part."""
        return sum(other == part for other in self.parts)


@dataclass(frozen=True, kw_only=True)
class _AtTime(KeyedUniforms):
    """The random numbers of training, except that the diffusion time is given."""

    t: float

    def time(self, copy: int) -> BatchFloats:
        """Return the time, from which `time_from_uniform` makes the same number with t_min = 0."""
        return torch.full((len(self.example_keys),), self.t)


def view_example(
    encoded: PreparedExample,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    methods: Mapping[str, Method],
    t: float,
    seed: int,
    model: Predictor | None = None,
) -> ExampleView:
    """Describe the tokens of an example, and draw masks as training does.

    Args:
        encoded: the example as token ids.
        tokenizer: tokenizer of the model, with a mask token.
        max_length: limit in tokens.
        methods: name of a method -> its settings.
        t: diffusion time.
        seed: seed of the masks. A training with this seed draws the masks of its first epoch from the same
            random numbers, but at another time.
        model: the model that the rates of a method depend on; without it, only methods that do not need
            one draw masks.

    Returns:
        The description.

    Raises:
        ConfigError: the rates of a method depend on more than one example.
    """
    ids = [*encoded["prompt_ids"], *encoded["answer_ids"]]
    boundary = len(encoded["prompt_ids"])
    num_padding = max(0, max_length - len(ids))
    kinds: list[tuple[Part, int]] = [("prompt", boundary), ("answer", len(ids) - boundary)]
    parts: list[Part] = [part for part, count in kinds for _ in range(count)]
    parts[max_length:] = ["cut off"] * len(parts[max_length:])
    ids += [tokenizer.pad_token_id] * num_padding
    parts += ["padding"] * num_padding
    view = ExampleView(
        token_ids=ids,
        texts=_decode_each(tokenizer, ids, boundary),
        parts=parts,
        boundary=boundary,
        max_length=max_length,
        t=t,
    )
    if view.is_too_long:
        return view
    assert tokenizer.mask_token_id is not None, "load_tokenizer sets the mask token"
    collate = PadToLength(max_length=max_length, pad_token_id=tokenizer.pad_token_id)
    batch = collate([encoded])
    uniforms = _AtTime(seed=seed, epoch=0, example_keys=batch["example_key"], length=max_length, t=t)
    batch = move_to_device(batch, getattr(model, "device", "cpu"))
    known = {name: method for name, method in methods.items() if model is not None or not method.has_probe}
    masks = {
        name: _draw(batch, uniforms, method, name, model, mask_token_id=tokenizer.mask_token_id)
        for name, method in known.items()
    }
    return ExampleView(**{**vars(view), "masks": masks, "unknown": sorted(methods.keys() - known.keys())})


def _decode_each(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], boundary: int) -> list[str]:
    """Return the text of each token; prompt and answer are texts of their own."""

    def decode(part: tuple[int, ...]) -> str:
        return str(
            tokenizer.decode(list(part), skip_special_tokens=False, clean_up_tokenization_spaces=False)
        )

    return [*token_texts(decode, ids[:boundary]), *token_texts(decode, ids[boundary:])]


def _draw(
    batch: TrainingBatch,
    uniforms: _AtTime,
    method: Method,
    name: str,
    model: Predictor | None,
    *,
    mask_token_id: int,
) -> MaskedBy:
    if method.has_probe and method.reference == "dataset":
        raise ConfigError(
            f"the method must have rates that depend on one example, got {name!r} with reference 'dataset'; "
            "choose other methods by --method"
        )
    clean_ids, is_noised = batch["clean_ids"], batch["is_maskable"]
    if not method.padding_masked:
        is_noised = is_noised & ~batch["is_padding"]
    uncertainty, relative = None, torch.ones(clean_ids.shape, device=clean_ids.device)
    if method.has_probe:
        assert model is not None, "methods with a probe are left out without a model"
        uncertainty = probe_uncertainty(model, batch, method=method, mask_token_id=mask_token_id)
        relative = relative_rates(uncertainty, has_token_rate(batch, method), uniforms, method=method)
    process = ForwardProcess(method=method, t_min=0.0, mask_token_id=mask_token_id)
    copy = draw_masks(clean_ids, is_noised, relative, uniforms, process)[0]
    return MaskedBy(
        is_masked=copy.is_masked[0].tolist(),
        rate=torch.where(is_noised, copy.rate, 0)[0].tolist(),
        uncertainty=_as_list(uncertainty),
    )


def _as_list(values: Tensor | None) -> list[float]:
    return [] if values is None else [float(value) for value in values[0]]
