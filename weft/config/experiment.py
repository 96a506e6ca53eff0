"""The experiment file: what is compared, and every number that changes the result."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from weft.config.base import Section, read_yaml, validate
from weft.config.methods import Method
from weft.config.sources import BaseModelSource, BenchmarkSource, CustomBenchmark, DataSource, Task
from weft.errors import ConfigError, find_by_name

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$")]
BASE_RUN = "base"
"""Run of the untrained base model."""
PUBLISHED_RUN = "published"
"""Run of generations that are read from files."""
RESERVED_BENCHMARK = "average"
"""What the tables call the mean over benchmarks."""
Scoring = Literal["d1", "strict"]

TargetModule = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Lora(Section):
    """Low-rank adapters, made by PEFT."""

    rank: int = Field(gt=0)
    """Rank r of the update."""
    alpha: int = Field(gt=0)
    """Scale; the update is multiplied by alpha/r."""
    dropout: float = Field(ge=0, lt=1)
    """Dropout in front of the adapters."""
    target_modules: list[TargetModule] = Field(min_length=1)
    """Modules that get an adapter, in Llama's names."""


class Training(Section):
    """Fine-tuning, the same for all methods."""

    epochs: int = Field(gt=0)
    """Passes over the training examples."""
    batch_size: int = Field(gt=0)
    """Examples per optimiser step, over all processes and accumulation steps."""
    micro_batch_size: int = Field(gt=0)
    """Examples per forward pass and process."""
    learning_rate: float = Field(gt=0)
    """Initial learning rate of AdamW."""
    lr_scheduler: Literal["linear", "cosine", "constant"]
    """Decay of the learning rate."""
    warmup_steps: int = Field(ge=0)
    """Optimiser steps of linear warm-up."""
    weight_decay: float = Field(ge=0)
    """AdamW's weight decay."""
    max_grad_norm: float = Field(gt=0)
    """Gradients are clipped to this norm."""
    max_length: int = Field(gt=0)
    """Tokens per example; longer ones are cut on the right, shorter ones padded."""
    t_min: float = Field(gt=0, lt=1)
    """Smallest diffusion time, t = (1 - t_min) u + t_min."""
    dtype: Literal["float32", "bfloat16"]
    """Type of the base model's parameters and of the forward pass; adapters are kept in float32."""
    lora: Lora | None
    """Low-rank adapters; all parameters are trained when empty."""
    zero_stage: Literal[0, 1, 2, 3]
    """DeepSpeed ZeRO stage, what is sharded over the processes: optimiser states (1), gradients too (2),
    parameters too (3)."""
    offload_optimizer: bool
    """Keep optimiser states in CPU memory (from stage 1 on)."""
    offload_parameters: bool = False
    """Keep parameters in CPU memory (stage 3)."""
    gradient_checkpointing: bool
    """Recompute activations in the backward pass."""
    save_every: int = Field(gt=0)
    """Optimiser steps between checkpoints for resuming."""
    heldout_share: float = Field(ge=0, lt=1)
    """Share of the examples, from the front, that is not trained on (d1: 0.01)."""
    example_layout: Literal["exact", "d1"] = "exact"
    """How an example becomes tokens; exact: prompt and answer tokenised apart, ending with the end of turn;
    d1: the tokens of d1's text, with a second assistant header at its end and a boundary that may be off by
    one token."""

    @model_validator(mode="after")
    def _fits_deepspeed(self) -> "Training":
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"batch_size to be a multiple of micro_batch_size={self.micro_batch_size}, "
                f"got {self.batch_size}"
            )
        if self.offload_optimizer and self.zero_stage == 0:
            raise ValueError("zero_stage from 1 on when offload_optimizer is set")
        if self.offload_parameters and self.zero_stage != 3:
            raise ValueError("zero_stage 3 when offload_parameters is set")
        if self.lora is None and self.dtype == "bfloat16" and self.zero_stage == 0:
            raise ValueError(
                "zero_stage from 1 on when all parameters are trained in bfloat16: it keeps the float32 copy "
                "without which small steps are rounded away"
            )
        return self


class GradientStudy(Section):
    """Gradients of all methods at fixed parameters: those of the base model."""

    num_examples: int = Field(gt=0)
    """Training examples whose gradient is looked at."""
    num_draws: int = Field(ge=8)
    """Draws of times and masks."""
    seed: int
    """Seed of the draws."""


class Sampling(Section):
    """The reverse process."""

    gen_lengths: list[Annotated[int, Field(gt=0)]] = Field(min_length=1)
    """Lengths of the answer canvas, in tokens."""
    block_length: int = Field(gt=0)
    """Length of one semi-autoregressive block, in tokens."""
    tokens_per_step: int | None = Field(default=None, gt=0)
    """Tokens revealed per step; diffusion steps = gen_length / tokens_per_step (paper: 2). Required unless
    there is a confidence_threshold, which decides instead."""
    remasking: Literal["low_confidence", "random"]
    """Which predictions are kept: the surest (paper), or those at random positions."""
    temperature: float = Field(ge=0)
    """Temperature of the Gumbel noise on the logits; 0 for none (paper)."""
    cfg_scale: float = Field(default=0.0, ge=0)
    """Scale of classifier-free guidance, with a second forward pass per step in which the prompt is masked;
    0 for none."""
    seed: int | None = None
    """Seed of the noise; given if and only if temperature is above 0 or remasking is random."""
    early_stop: bool
    """End an answer with the block that holds its first end-of-text; all behind is filled with end-of-text.
    Exact up to the first end-of-text."""
    prefill: str
    """Text put after the assistant header (d1: the opening reasoning tag)."""
    dtype: Literal["float32", "bfloat16"]
    """Type of parameters and forward pass."""
    batch_size: int = Field(gt=0)
    """Answers that are made side by side; a matter of speed and memory only, but for attend_padding."""
    attend_padding: bool = False
    """Pad each prompt on the left to the longest of its batch, batch_size consecutive questions of the file,
    and let the answer attend to the padding (d1)."""
    merge_adapters: bool = False
    """Add adapters to the weights before sampling, which saves their products. In float32 the answers are
    the same; in bfloat16 the sums are rounded, and as many answers change as by bfloat16 itself (of 768 of a
    tuned tiny model 50 and 51)."""
    kv_cache: Literal["prefix", "dual"] | None = None
    """APPROXIMATE: keep keys and values, within a block, of what lies before it (prefix) or on both sides of
    it (dual). Tables and figures say so."""
    confidence_threshold: float | None = Field(default=None, gt=0, le=1)
    """APPROXIMATE: reveal all predictions at least this sure, and at least one, in every step. Tables and
    figures say so."""

    @property
    def approximation(self) -> str | None:
        """Name what makes the answers approximate; None for the published process."""
        modes = []
        if self.kv_cache is not None:
            modes.append(f"{self.kv_cache} cache")
        if self.confidence_threshold is not None:
            modes.append(f"threshold {self.confidence_threshold!r}".removesuffix(".0"))
        return ", ".join(modes) or None

    def decisive(self) -> dict[str, Any]:
        """Pick the values that an answer depends on, as JSON types; its length is one of gen_lengths."""
        indecisive = {"gen_lengths"} if self.attend_padding else {"gen_lengths", "batch_size"}
        return self.model_dump(mode="json", exclude=indecisive)

    @model_validator(mode="after")
    def _divisible(self) -> "Sampling":
        if len(set(self.gen_lengths)) < len(self.gen_lengths):
            raise ValueError("different gen_lengths")
        for length in self.gen_lengths:
            if length % self.block_length:
                raise ValueError(
                    f"gen_lengths that are multiples of block_length={self.block_length}, got {length}"
                )
        if self.tokens_per_step is not None and self.block_length % self.tokens_per_step:
            raise ValueError(
                f"a block_length that is a multiple of tokens_per_step={self.tokens_per_step}, "
                f"got {self.block_length}"
            )
        return self

    @model_validator(mode="after")
    def _has_effect(self) -> "Sampling":
        """Refuse settings that would do nothing beside the others, and those that need another."""
        has_threshold = self.confidence_threshold is not None
        if has_threshold and self.tokens_per_step is not None:
            raise ValueError(
                "no tokens_per_step together with a confidence_threshold, which decides how many tokens a "
                f"step reveals; got {self.tokens_per_step} and {self.confidence_threshold}"
            )
        if not has_threshold and self.tokens_per_step is None:
            raise ValueError("a tokens_per_step, since there is no confidence_threshold; got neither")
        if has_threshold and self.remasking != "low_confidence":
            raise ValueError(f"remasking: low_confidence with a confidence_threshold, got {self.remasking!r}")
        if self.kv_cache is not None and self.cfg_scale > 0:
            raise ValueError(f"cfg_scale: 0 with a kv_cache, got {self.cfg_scale:g}")
        needs_noise = self.temperature > 0 or self.remasking == "random"
        if needs_noise and self.seed is None:
            raise ValueError("a seed, since temperature is above 0 or remasking is random; got none")
        if not needs_noise and self.seed is not None:
            raise ValueError(
                "no seed, which has no effect at temperature 0 with remasking: low_confidence; "
                f"got {self.seed}"
            )
        if self.attend_padding and self.batch_size == 1:
            raise ValueError(
                "a batch_size above 1 with attend_padding: in a batch of one there is no padding"
            )
        return self


class Statistics(Section):
    """Intervals and tests."""

    confidence: float = Field(gt=0.5, lt=1)
    """Level of all intervals."""
    num_resamples: int = Field(ge=100)
    """Bootstrap resamples."""
    seed: int
    """Seed of the bootstrap."""


@dataclass(frozen=True, order=True)
class Run:
    """A model whose answers are scored: the base model, or a method on a data set with a seed.

    Attributes:
        method: name of the method; for stored generations, of the model that made them.
        dataset: name of the training set; None if the model is not trained here.
        seed: training seed.
        folder: name of the run's folders, if the other attributes do not make it.
    """

    method: str
    dataset: str | None = None
    seed: int | None = None
    folder: str | None = None

    @property
    def run_id(self) -> str:
        """Name of the run's folders, for example ``weft-s1k-seed1``."""
        if self.folder is not None:
            return self.folder
        return self.method if self.dataset is None else f"{self.method}-{self.dataset}-seed{self.seed}"


class _AnyKind(Section):
    """Keys and properties that both kinds of experiment share.

    Code that serves both kinds uses the properties, so that it need not ask which kind it has. Both
    also have ``gen_lengths``, the lengths of the answers in tokens.
    """

    name: Name
    """Name of the folder below results/; equal to the file's name."""
    title: str
    """One line for captions and the head of the report."""
    caption: str
    """What the numbers are and are not; printed under every table and figure."""
    scoring: list[Scoring] = Field(min_length=1)
    """Scoring rules; the first set decides the headline, each further one gets tables beside it."""
    statistics: Statistics
    """Intervals and tests."""

    @property
    def runs(self) -> list[Run]:
        """All runs, in the order of the tables."""
        raise NotImplementedError

    @property
    def run_ids(self) -> list[str]:
        """Names of the runs' folders, in the order of `runs`."""
        return [run.run_id for run in self.runs]

    @property
    def trained_runs(self) -> list[Run]:
        """The runs that this experiment trains."""
        return [run for run in self.runs if run.dataset is not None]

    @property
    def traced_runs(self) -> list[Run]:
        """The runs whose answers are shown step by step."""
        return []

    @property
    def dataset_names(self) -> list[str]:
        """Names of the training sets."""
        return []

    @property
    def benchmark_names(self) -> list[str]:
        """Names of the benchmarks, in the order of the tables."""
        raise NotImplementedError

    @property
    def contrasts(self) -> list[tuple[str, str]]:
        """All paired tests as (treatment, control), the main one first."""
        return []

    @property
    def approximation(self) -> str | None:
        """Name of what makes the answers approximate, for captions; None for exact sampling."""
        return None

    def num_questions(self, benchmark: str) -> int | None:
        """Return the number of questions that the experiment asks for; None for all there are."""
        return None

    @field_validator("scoring")
    @classmethod
    def _scoring_once(cls, scoring: list[Scoring]) -> list[Scoring]:
        if len(set(scoring)) < len(scoring):
            raise ValueError("different scoring rules")
        return scoring


class FineTuning(_AnyKind):
    """Train, sample, score and compare."""

    kind: Literal["fine-tuning"]
    """What kind of experiment this is."""
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    """Training seeds; each is one run per method and data set."""
    base_model: BaseModelSource
    """The model that is fine-tuned."""
    datasets: dict[Name, DataSource] = Field(min_length=1)
    """Training sets by name."""
    methods: dict[Name, Method] = Field(min_length=1)
    """Methods by name."""
    forbid_test_questions: bool
    """Stop if a test question is in a training set; if false, only count them."""
    contrast: tuple[Name, Name] = Field(strict=False)
    """The two methods of the paired test: treatment, then control."""
    further_contrasts: list[Annotated[tuple[Name, Name], Field(strict=False)]] = Field(default=[])
    """Further paired tests, shown behind the first; all are then corrected for their number."""
    training: Training
    """Fine-tuning, the same for all methods."""
    benchmarks: dict[Name, BenchmarkSource] = Field(min_length=1)
    """Test sets by name: sudoku, countdown, gsm8k and math500 have rules here, others bring their own."""
    sampling: Sampling
    """The reverse process."""
    gradient_study: GradientStudy | None = None
    """Compare the gradients of the methods; not done when empty."""

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("different seeds")
        return seeds

    @field_validator("benchmarks")
    @classmethod
    def _rules_are_known(cls, benchmarks: dict[str, BenchmarkSource]) -> dict[str, BenchmarkSource]:
        for name, source in benchmarks.items():
            has_rules, is_custom = name in get_args(Task), isinstance(source, CustomBenchmark)
            if not has_rules and not is_custom:
                raise ValueError(f"{name!r} to be one of {list(get_args(Task))}, or to have source: custom")
            if is_custom and (has_rules or name == RESERVED_BENCHMARK):
                raise ValueError(f"another name for the custom benchmark {name!r}, which is taken")
        return benchmarks

    @property
    def runs(self) -> list[Run]:
        """The base model and every training run, in the order of the tables."""
        grid = itertools.product(self.methods, self.datasets, self.seeds)
        return [Run(BASE_RUN), *(Run(method, dataset, seed) for method, dataset, seed in grid)]

    @property
    def traced_runs(self) -> list[Run]:
        """The runs whose answers are shown step by step: base model, control, treatment."""
        dataset, seed = next(iter(self.datasets)), self.seeds[0]
        return [Run(BASE_RUN), *(Run(method, dataset, seed) for method in reversed(self.contrast))]

    def find_run(self, run_id: str) -> Run:
        """Return the run of this name.

        Raises:
            ConfigError: there is no such run; the message lists those that exist.
        """
        return find_by_name("the run", run_id, {run.run_id: run for run in self.runs})

    @property
    def gen_lengths(self) -> list[int]:
        """Lengths of the answers, in tokens."""
        return self.sampling.gen_lengths

    @property
    def dataset_names(self) -> list[str]:
        """Names of the training sets."""
        return list(self.datasets)

    @property
    def benchmark_names(self) -> list[str]:
        """Names of the benchmarks, in the order of the tables."""
        return list(self.benchmarks)

    @property
    def contrasts(self) -> list[tuple[str, str]]:
        """All paired tests as (treatment, control), the main one first."""
        return [self.contrast, *self.further_contrasts]

    @property
    def approximation(self) -> str | None:
        """Name of what makes the answers approximate; None for exact sampling."""
        return self.sampling.approximation

    def num_questions(self, benchmark: str) -> int | None:
        """Return the number of questions that the experiment asks for; None for all there are."""
        return self.benchmarks[benchmark].num_examples

    @model_validator(mode="after")
    def _contrasts_name_methods(self) -> "FineTuning":
        for index, contrast in enumerate(self.contrasts):
            place = f"further_contrasts[{index - 1}]" if index else "contrast"
            unknown = [name for name in contrast if name not in self.methods]
            if unknown or contrast[0] == contrast[1]:
                raise ValueError(f"{place} to name two of the methods {sorted(self.methods)}, got {contrast}")
            if {*contrast} in [{*other} for other in self.contrasts[:index]]:
                raise ValueError(f"{place} to be another pair than those before it, got {contrast} again")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> "FineTuning":
        if BASE_RUN in self.methods:
            raise ValueError(f"no method named {BASE_RUN!r}: the untrained model has that name")
        if len(set(self.run_ids)) < len(self.run_ids):
            raise ValueError("names of methods and datasets that give every run a name of its own")
        if self.sampling.merge_adapters and self.training.lora is None:
            raise ValueError("training.lora when sampling.merge_adapters is set: without it there are none")
        recipe = getattr(self.base_model, "recipe", None)
        longest = max(self.training.max_length, *self.sampling.gen_lengths)
        if recipe is not None and longest > recipe.architecture.max_length:
            raise ValueError(
                f"lengths up to base_model's max_length={recipe.architecture.max_length}, got {longest}"
            )
        return self


class PublishedGenerations(Section):
    """A folder of generations as d1 publishes them."""

    folder: str = Field(min_length=1)
    """Folder name below the folders of ``offline`` in config.yaml."""
    pattern: str
    """File names, with {benchmark}, {gen_length} and {shard} (the last may hold several parts)."""
    model: str
    """Name of the model that made them."""

    @field_validator("pattern")
    @classmethod
    def _has_fields(cls, pattern: str) -> str:
        found = sorted(re.findall(r"{(\w*)}", pattern))
        if found != ["benchmark", "gen_length", "shard"]:
            raise ValueError(f"exactly the fields {{benchmark}}, {{gen_length}} and {{shard}}, got {found}")
        return pattern


class StoredGenerations(_AnyKind):
    """Score generations that somebody else made."""

    kind: Literal["generations"]
    """What kind of experiment this is."""
    generations: PublishedGenerations
    """The files to score."""
    benchmarks: list[Task] = Field(min_length=1)
    """Benchmarks to score."""
    gen_lengths: list[Annotated[int, Field(gt=0)]] = Field(min_length=1)
    """Lengths to score."""

    @property
    def runs(self) -> list[Run]:
        """The model that made the generations."""
        return [Run(self.generations.model, folder=PUBLISHED_RUN)]

    @property
    def benchmark_names(self) -> list[str]:
        """Names of the benchmarks, in the order of the tables."""
        return [str(benchmark) for benchmark in self.benchmarks]


Experiment = FineTuning | StoredGenerations
"""Either kind of experiment; ``experiment.kind`` tells them apart."""


def load_experiment(path: str | Path) -> Experiment:
    """Load and check an experiment file, together with the file that it extends, if any.

    Raises:
        ConfigError: a file is missing or malformed, or a value is not allowed.
    """
    file = Path(path)
    content = _read_experiment(file)
    kind: type[FineTuning] | type[StoredGenerations]
    kind = StoredGenerations if content.get("kind") == "generations" else FineTuning
    experiment = validate(kind, content, origin=str(file))
    if experiment.name != file.stem:
        raise ConfigError(
            f"{file} is not valid:\n  name: the name must be {file.stem!r}, as that of the file; "
            f"got {experiment.name!r}"
        )
    return experiment


def _read_experiment(file: Path) -> dict[str, Any]:
    """Read an experiment file; keys that it lacks come from the file that it extends, if any."""
    content = read_yaml(file)
    if "extends" not in content:
        return content
    extended = content.pop("extends")
    base_file = file.parent / str(extended)
    if not isinstance(extended, str) or not base_file.is_file():
        raise ConfigError(
            f"{file} is not valid:\n  extends: the key must name an experiment file, relative to "
            f"{file.parent}; got {extended!r}"
        )
    base = read_yaml(base_file)
    if "extends" in base:
        raise ConfigError(
            f"{file} is not valid:\n  extends: the named file must not extend another file itself; "
            f"got {extended!r}, which extends {base['extends']!r}"
        )
    return base | content
