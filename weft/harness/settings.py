"""Settings of a model in lm-evaluation-harness: ``--model_args``, and the ``--gen_kwargs`` of a task.

Names that the published evaluation code of LLaDA and the harness's own models use are understood as well. The
module does not import the harness.
"""

import difflib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from weft.config.numbers import Seed, Size
from weft.config.sampling import KvCache, Remasking
from weft.config.section import Section
from weft.errors import ConfigError, SamplingError
from weft.records import JsonObject
from weft.sampling.config import SamplingConfig

LOG = logging.getLogger(__name__)
SectionT = TypeVar("SectionT", bound=Section)

OTHER_NAMES = {
    "model": "pretrained",
    "model_path": "pretrained",
    "peft": "adapter",
    "cfg": "cfg_scale",
    "diffusion_steps": "steps",
    "max_new_tokens": "gen_length",
    "block_size": "block_length",
    "threshold": "confidence_threshold",
    "torch_dtype": "dtype",
}
"""Names of model arguments in LLaDA's evaluation, dllm, Fast-dLLM and the harness -> their names here."""
LENGTH_NAMES = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
"""Names of the largest number of tokens in ``gen_kwargs``, in the order in which the harness reads them."""
WITHOUT_EFFECT = {
    "num_beams": (1,),
    "num_return_sequences": (1,),
    "repetition_penalty": (1,),
    "length_penalty": (1,),
    "use_cache": (True, False),
}
"""Arguments of other generators -> values that change nothing here."""
ONLY_WITH_NOISE = ("top_p", "top_k", "min_p")
"""Arguments that restrict the choice of a token, which change nothing at temperature 0."""
NEUTRAL = {"top_p": (1,), "top_k": (0, -1, None), "min_p": (0, None)}
"""Values of these arguments that restrict nothing."""
DEFAULT_GEN_LENGTH = 256
"""Length of answers if neither the model's arguments nor the task give one; that of the harness."""
DEFAULT_BLOCK_LENGTH = 32
DEFAULT_TOKENS_PER_STEP = 2
"""As in the paper and in d1."""


class SamplerArguments(Section):
    """Arguments of the sampler, which ``--gen_kwargs`` can override for a task."""

    gen_length: Size | None = None
    """Length of the answers, in tokens; by default the largest number of tokens that the task asks for."""
    block_length: Size | None = None
    """Length of a block, in tokens; by default 32, or the length of the answer if that is shorter."""
    steps: Size | None = None
    """Denoising steps of an answer; by default, a step reveals two tokens."""
    tokens_per_step: Size | None = None
    """Tokens revealed by a step, instead of ``steps``."""
    remasking: Remasking = "low_confidence"
    """Predictions that are kept: the most confident, or those at random positions."""
    cfg_scale: float = Field(default=0.0, ge=0)
    """Scale of classifier-free guidance in sampling and likelihoods; 0 for none."""
    early_stop: bool = True
    """Stop after the block with the first end-of-text token; changes no token before it."""
    kv_cache: KvCache | None = None
    """Approximate: reuse keys and values within a block."""
    confidence_threshold: float | None = Field(default=None, gt=0, le=1)
    """Approximate: in every step reveal all predictions with at least this confidence."""
    seed: Seed = 0
    """Seed of temperature, random remasking and the masks of likelihoods."""

    @model_validator(mode="after")
    def _one_way_to_give_steps(self) -> "SamplerArguments":
        if self.steps is not None and self.tokens_per_step is not None:
            raise ValueError(
                f"either steps or tokens_per_step must be given, got {self.steps} and {self.tokens_per_step}"
            )
        return self


class ModelArguments(SamplerArguments):
    """Arguments of the model, ``--model_args`` and the harness's ``--device`` and ``--batch_size``."""

    pretrained: str = Field(min_length=1)
    """Checkpoint directory of LLaDA or Dream, or its name on the hub as owner/name."""
    adapter: str | None = None
    """LoRA adapter or fine-tuned checkpoint: a directory, or a name on the hub."""
    revision: str = "main"
    """Commit, tag or branch of ``pretrained`` on the hub."""
    adapter_revision: str = "main"
    """Commit, tag or branch of ``adapter`` on the hub."""
    merge_adapter: bool = False
    """Add the adapter to the weights, which is faster and, in bfloat16, rounds the sums."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the parameters; auto: that of the checkpoint on a GPU, float32 on a CPU."""
    device: str | None = None
    """cpu, cuda or cuda:N; by default a GPU if there is one."""
    batch_size: int | str = 1
    """Sequences of a forward pass; auto: as many as fit into memory, up to ``max_batch_size``."""
    max_batch_size: Size | None = None
    """Largest batch that auto tries; by default 64 on a GPU and 16 on a CPU."""
    max_length: Size | None = None
    """Longest sequence of prompt and answer, in tokens; by default the context of the model."""
    too_long: Literal["error", "truncate"] = "error"
    """What to do with a prompt that leaves no room for the answer: stop, or cut off its beginning."""
    mc_num: int = Field(default=128, gt=0)
    """Masks drawn for the likelihood of an answer."""
    enumerate_short: bool = True
    """Compute the likelihood bound of answers with at most ``mc_num`` sets of masked tokens exactly."""
    is_check_greedy: bool = True
    """Find out whether an answer is the one that the model samples; otherwise report that it is not."""

    @model_validator(mode="after")
    def _batch_size_is_known(self) -> "ModelArguments":
        size = self.batch_size
        is_auto = isinstance(size, str) and size.split(":")[0] == "auto"
        is_number = str(size).isascii() and str(size).isdigit() and int(size) > 0
        if not is_auto and not is_number:
            raise ValueError(f"batch_size must be a whole number above 0 or auto, got {size!r}")
        return self

    def first_batch_size(self, device: str) -> int:
        """Return the batch size with which to begin; it is halved when memory runs out."""
        if isinstance(self.batch_size, str) and self.batch_size.startswith("auto"):
            return self.max_batch_size or (64 if device.startswith("cuda") else 16)
        return int(self.batch_size)


@dataclass(frozen=True, kw_only=True)
class GenerationRequest:
    """What a task asks the sampler for.

    Attributes:
        config: settings of the sampler.
        max_tokens: number of tokens after which the answer is cut.
        until: texts before which the answer is cut.
        seed: seed of the random numbers, if the settings use any.
    """

    config: SamplingConfig
    seed: int
    max_tokens: int
    until: tuple[str, ...]


def read_model_arguments(given: JsonObject) -> ModelArguments:
    """Check the arguments of the model.

    Args:
        given: names and values from ``--model_args``, with the harness's own additions.

    Returns:
        The arguments.

    Raises:
        ConfigError: an argument is unknown, missing or not valid.
    """
    values = dict(given)
    if values.pop("trust_remote_code", False):
        LOG.warning("trust_remote_code has no effect: weft reads LLaDA and Dream without running their code")
    if "temperature" in values:
        raise ConfigError(
            "temperature belongs to the task and not to the model; give it as "
            "--gen_kwargs do_sample=True,temperature=..."
        )
    return _check(ModelArguments, _renamed(values), origin="--model_args")


def read_generation(
    arguments: ModelArguments, given: JsonObject, *, mask_token_id: int, eos_token_id: int | None
) -> GenerationRequest:
    """Combine the arguments of the model with those of a task.

    Args:
        arguments: arguments of the model.
        given: generation arguments of the task, as overridden by ``--gen_kwargs``.
        mask_token_id: id of the mask token.
        eos_token_id: id of the end-of-text token.

    Returns:
        The request to the sampler.

    Raises:
        ConfigError: an argument of the task is unknown or has no meaning for this sampler, or the settings do
            not fit together.
    """
    values = dict(given)
    until = _texts("until", values.pop("until", None)) + _texts("stop", values.pop("stop", None))
    temperature = _temperature(values.pop("temperature", None), values.pop("do_sample", None))
    lengths = [values.pop(name) for name in LENGTH_NAMES if values.get(name) is not None]
    for name in LENGTH_NAMES:
        values.pop(name, None)
    _drop_what_has_no_effect(values, temperature)
    overridden = _renamed(values)
    if {"steps", "tokens_per_step"} & overridden.keys():
        overridden = {"steps": None, "tokens_per_step": None, **overridden}
    defaults = arguments.model_dump(include=set(SamplerArguments.model_fields))
    sampler = _check(SamplerArguments, {**defaults, **overridden}, origin="--gen_kwargs and --model_args")
    max_tokens = _whole_number(LENGTH_NAMES[0], lengths[0]) if lengths else None
    gen_length, block_length = _lengths(sampler, max_tokens)
    if sampler.steps is not None:
        steps = sampler.steps
    elif sampler.confidence_threshold is not None and sampler.tokens_per_step is None:
        steps = gen_length  # the largest number, because a step reveals at least one token
    else:
        steps = max(1, gen_length // (sampler.tokens_per_step or min(DEFAULT_TOKENS_PER_STEP, block_length)))
    try:
        config = SamplingConfig(
            gen_length=gen_length,
            block_length=block_length,
            diffusion_steps=steps,
            mask_token_id=mask_token_id,
            eos_token_id=eos_token_id,
            temperature=temperature,
            **sampler.model_dump(
                include={"remasking", "cfg_scale", "early_stop", "kv_cache", "confidence_threshold"}
            ),
        )
    except SamplingError as error:
        raise ConfigError(
            f"the settings of the sampler do not fit together: {error}; correct --model_args or --gen_kwargs"
        ) from error
    limit = gen_length if sampler.gen_length is not None else min(gen_length, max_tokens or gen_length)
    return GenerationRequest(config=config, max_tokens=limit, until=until, seed=sampler.seed)


def _lengths(sampler: SamplerArguments, max_tokens: int | None) -> tuple[int, int]:
    """Return the lengths of answer and block; an answer of a task's length is rounded up to whole blocks."""
    wanted = sampler.gen_length or max_tokens or DEFAULT_GEN_LENGTH
    block_length = sampler.block_length or min(DEFAULT_BLOCK_LENGTH, wanted)
    if sampler.gen_length is not None:
        return wanted, block_length
    return -(-wanted // block_length) * block_length, block_length


def _temperature(temperature: object, do_sample: object) -> float:
    """Return the temperature as the harness reads it: sampling is off unless a temperature is above 0."""
    if do_sample is False or temperature is None:
        return 0.0
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not temperature >= 0:
        raise ConfigError(f"temperature must be a number that is at least 0, got {temperature!r}")
    return float(temperature)


def _texts(name: str, value: object) -> tuple[str, ...]:
    """Return the texts at which an answer ends, given as one text, a list or nothing."""
    texts = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ConfigError(f"{name} must be a text or a list of texts, got {value!r:.80}")
    return tuple(text for text in texts if text)


def _drop_what_has_no_effect(values: JsonObject, temperature: float) -> None:
    """Remove arguments whose values change nothing, and refuse those that would change the answers."""
    for name, neutral in {**WITHOUT_EFFECT, **NEUTRAL}.items():
        if name not in values:
            continue
        value = values.pop(name)
        if value in neutral or (name in ONLY_WITH_NOISE and temperature == 0):
            continue
        raise ConfigError(
            f"{name} is not supported in --gen_kwargs, because a masked diffusion model does not sample "
            f"token by token; got {value!r}; remove it, or override it with --gen_kwargs {name}={neutral[0]}"
        )


def _whole_number(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigError(f"{name} must be a whole number above 0, got {value!r}")
    return value


def _renamed(values: JsonObject) -> JsonObject:
    """Return the arguments under the names that they have here."""
    renamed: JsonObject = {}
    for name, value in values.items():
        ours = OTHER_NAMES.get(name, name)
        if ours in renamed:
            raise ConfigError(f"{ours} must be given once, got it also as {name}; remove one of them")
        renamed[ours] = value
    return renamed


def _check(section: type[SectionT], values: JsonObject, *, origin: str) -> SectionT:
    """Check arguments; the message names every argument with what was expected."""
    try:
        return section.model_validate(dict(values))
    except ValidationError as error:
        offences = [
            _describe(offence["type"], offence["loc"], offence["msg"], offence["input"], section)
            for offence in error.errors(include_url=False)
        ]
        raise ConfigError(f"{origin}: {'; '.join(dict.fromkeys(offences))}") from error


def _describe(kind: str, place: Iterable[object], message: str, value: object, section: type[Section]) -> str:
    name = str(next(iter(place), ""))
    names = list(section.model_fields)
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
        return f"there is no argument {name} ({hint})"
    if kind == "missing":
        return f"{name} must be given"
    if not name:
        return message.removeprefix("Value error, ")
    return f"{name} {message.replace('Input should', 'must', 1)}, got {value!r:.80}"
