"""The experiment file: what is compared, and every number that changes the result."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from weft.config.methods import Method
from weft.config.sampling import Sampling
from weft.config.section import Section, invalid, read_yaml, validate
from weft.config.sources import BaseModelSource, BenchmarkSource, CustomBenchmark, DataSource, Task
from weft.config.training import GradientStudy, Training
from weft.errors import find_by_name

Name = Annotated[str, Field(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$")]
BASE_RUN = "base"
"""Run of the untrained base model."""
PUBLISHED_RUN = "published"
"""Run of generations that are read from files."""
RESERVED_BENCHMARK = "average"
"""What the tables call the mean over benchmarks."""
Scoring = Literal["d1", "strict"]


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
            raise ValueError(f"scoring rules must differ from each other, got {scoring}")
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
            raise ValueError(f"seeds must differ from each other, got {seeds}")
        return seeds

    @field_validator("benchmarks")
    @classmethod
    def _rules_are_known(cls, benchmarks: dict[str, BenchmarkSource]) -> dict[str, BenchmarkSource]:
        for name, source in benchmarks.items():
            is_custom = isinstance(source, CustomBenchmark)
            if not is_custom and name not in get_args(Task):
                raise ValueError(
                    f"a benchmark must be one of {list(get_args(Task))} or have source 'custom', got {name!r}"
                )
            if is_custom and name in (*get_args(Task), RESERVED_BENCHMARK):
                raise ValueError(f"a custom benchmark must not have a name in use, got {name!r}; rename it")
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
                raise ValueError(
                    f"{place} must name two of the methods {sorted(self.methods)}, got {contrast}"
                )
            if {*contrast} in [{*other} for other in self.contrasts[:index]]:
                raise ValueError(f"{place} must differ from the pairs before it, got {contrast} again")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> "FineTuning":
        if BASE_RUN in self.methods:
            raise ValueError(f"a method must not be named {BASE_RUN!r}, the name of the untrained model")
        if len(set(self.run_ids)) < len(self.run_ids):
            raise ValueError(
                f"names of methods and datasets must give each run another name, got {sorted(self.run_ids)}"
            )
        if self.sampling.merge_adapters and self.training.lora is None:
            raise ValueError("training.lora must be given with sampling.merge_adapters, got none")
        recipe = getattr(self.base_model, "recipe", None)
        longest = max(self.training.max_length, *self.sampling.gen_lengths)
        if recipe is not None and longest > recipe.architecture.max_length:
            raise ValueError(
                f"lengths must be at most max_length={recipe.architecture.max_length} of the base model, "
                f"got {longest}"
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
        fields = sorted(re.findall(r"{(\w*)}", pattern))
        if fields != ["benchmark", "gen_length", "shard"]:
            raise ValueError(
                f"pattern must hold the fields {{benchmark}}, {{gen_length}} and {{shard}} once each, "
                f"got {pattern!r}"
            )
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
        expected = f"name: the name must be {file.stem!r}, as that of the file, got {experiment.name!r}"
        raise invalid(str(file), [expected])
    return experiment


def _read_experiment(file: Path) -> dict[str, Any]:
    """Read an experiment file; keys that it lacks come from the file that it extends, if any."""
    content = read_yaml(file)
    if "extends" not in content:
        return content
    extended = content.pop("extends")
    base_file = file.parent / str(extended)
    if not isinstance(extended, str) or not base_file.is_file():
        raise invalid(
            str(file),
            [f"extends: the value must be the path of a file, relative to this one, got {extended!r}"],
        )
    base = read_yaml(base_file)
    if "extends" in base:
        raise invalid(str(file), [f"extends: the other file must not extend a file itself, got {extended!r}"])
    return base | content
