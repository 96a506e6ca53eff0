"""Settings of the reverse process: the sampler's options, and the section of an experiment.

`SamplingOptions` defines the type, the range and the constraints of each option. An experiment file adds
the lengths of the answers and settings such as the batch size (`Sampling`); the sampler adds the length of
a single answer and the token ids of a model (`weft.sampling.config.SamplingConfig`).
"""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from weft.config.numbers import Seed, Size
from weft.config.section import Distinct, Section
from weft.config.yaml_file import TYPOGRAPHIC_QUOTES
from weft.records.base import JsonObject

Remasking = Literal["low_confidence", "random"]
KvCache = Literal["prefix", "dual"]


class SamplingOptions(Section):
    """Options of the reverse process that depend neither on the model nor on the length of the answer."""

    block_length: Size
    """Length of one semi-autoregressive block, in tokens."""
    remasking: Remasking
    """Predictions that are kept: the most confident (paper), or those at random positions."""
    temperature: float = Field(ge=0)
    """Temperature of the Gumbel noise on the logits; 0 for no noise (paper)."""
    cfg_scale: float = Field(default=0.0, ge=0)
    """Scale of classifier-free guidance, which needs a second forward pass per step with the prompt masked;
    0 for no guidance."""
    early_stop: bool
    """End an answer with the block that contains its first end-of-text token, and fill the rest with
    end-of-text. Exact up to the first end-of-text."""
    kv_cache: KvCache | None = None
    """APPROXIMATE: while a block is sampled, reuse the keys and values of the tokens before it (prefix) or on
    both sides of it (dual). Tables and figures say so."""
    confidence_threshold: float | None = Field(default=None, gt=0, le=1)
    """APPROXIMATE: in every step reveal all predictions with at least this confidence, and at least one.
    Tables and figures say so."""

    @property
    def approximation(self) -> str | None:
        """Description of the approximations; None for the published process."""
        modes = []
        if self.kv_cache is not None:
            modes.append(f"{self.kv_cache} cache")
        if self.confidence_threshold is not None:
            modes.append(f"threshold {self.confidence_threshold!r}".removesuffix(".0"))
        return ", ".join(modes) or None

    @property
    def needs_noise(self) -> bool:
        """True if random numbers are used."""
        return self.temperature > 0 or self.remasking == "random"

    def options(self) -> JsonObject:
        """Return the values of the fields of this class, without those that a subclass adds."""
        return {name: getattr(self, name) for name in SamplingOptions.model_fields}

    def require_whole_blocks(self, gen_length: int) -> None:
        """Raise ValueError unless an answer of ``gen_length`` tokens consists of whole blocks."""
        if gen_length % self.block_length:
            raise ValueError(
                f"gen_length must be a multiple of block_length={self.block_length}, got {gen_length}"
            )

    @model_validator(mode="after")
    def _options_fit_together(self) -> "SamplingOptions":
        if self.confidence_threshold is not None and self.remasking != "low_confidence":
            raise ValueError(
                f"remasking must be 'low_confidence' with a confidence_threshold, got {self.remasking!r}"
            )
        if self.kv_cache is not None and self.cfg_scale > 0:
            raise ValueError(f"cfg_scale must be 0 with a kv_cache, got {self.cfg_scale:g}")
        return self


class Sampling(SamplingOptions):
    """The reverse process."""

    gen_lengths: Annotated[list[Size], Distinct] = Field(min_length=1)
    """Lengths of the answers, in tokens; each length is sampled and scored separately."""
    tokens_per_step: Size | None = None
    """Tokens revealed per step; diffusion steps = gen_length / tokens_per_step (paper: 2). Required unless
    a confidence_threshold is given."""
    seed: Seed | None = None
    """Seed of the noise; required if temperature is above 0 or remasking is random, not allowed otherwise."""
    prefill: str
    """Text put after the assistant header (d1: the opening reasoning tag)."""
    dtype: Literal["float32", "bfloat16"]
    """Type of the parameters and of the forward pass."""
    batch_size: Size
    """Answers that are sampled together. Affects speed and memory only, except with attend_padding."""
    attend_padding: bool = False
    """Pad each prompt on the left to the longest of its batch, batch_size consecutive questions of the file,
    and let the answer attend to the padding (d1)."""
    merge_adapters: bool = False
    """Add adapters to the weights before sampling, which saves the adapters' matrix products. In float32 the
    answers are the same; in bfloat16 the sums are rounded, which changes about as many answers as the use of
    bfloat16 itself (50 and 51 of 768 answers of a fine-tuned tiny model)."""

    @field_validator("prefill")
    @classmethod
    def _has_straight_quotes(cls, prefill: str) -> str:
        if prefill[:1] in [*TYPOGRAPHIC_QUOTES] or prefill[-1:] in [*TYPOGRAPHIC_QUOTES]:
            raise ValueError(
                'must be in straight quotes ("), because typographic quotes would be part of every answer, '
                f"got {prefill}"
            )
        return prefill

    def diffusion_steps(self, gen_length: int) -> int:
        """Return the number of denoising steps of an answer; with a confidence threshold, the maximum."""
        return gen_length // (self.tokens_per_step or 1)

    def decisive(self) -> JsonObject:
        """Return the values, other than the length, on which an answer depends, as JSON types."""
        indecisive = {"gen_lengths"} if self.attend_padding else {"gen_lengths", "batch_size"}
        return self.model_dump(mode="json", exclude=indecisive)

    @model_validator(mode="after")
    def _consistent(self) -> "Sampling":
        for gen_length in self.gen_lengths:
            self.require_whole_blocks(gen_length)
        if self.tokens_per_step is not None and self.block_length % self.tokens_per_step:
            raise ValueError(
                f"block_length must be a multiple of tokens_per_step={self.tokens_per_step}, "
                f"got {self.block_length}"
            )
        if (self.tokens_per_step is None) != (self.confidence_threshold is not None):
            raise ValueError(
                "either tokens_per_step or confidence_threshold must be given, "
                f"got {self.tokens_per_step} and {self.confidence_threshold}"
            )
        if self.needs_noise != (self.seed is not None):
            raise ValueError(
                "seed must be given if temperature is above 0 or remasking is 'random', and must be absent "
                f"otherwise, got {'none' if self.seed is None else self.seed}"
            )
        if self.attend_padding and self.batch_size == 1:
            raise ValueError(
                "batch_size must be above 1 with attend_padding, which pads within a batch; got 1"
            )
        return self
