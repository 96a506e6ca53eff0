"""Experiments: which runs are compared, and every setting that changes a result."""

import itertools
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import Field, field_validator, model_validator

from weft.config.methods import Method
from weft.config.models import EvaluatedModel
from weft.config.numbers import Seed, Size
from weft.config.places import CHECKOUT, UserPath
from weft.config.sampling import Sampling
from weft.config.section import Distinct, Name, Section, invalid, validate
from weft.config.sources import (
    BaseModelSource,
    BenchmarkSource,
    CustomBenchmark,
    DataSource,
    GeneratedBenchmark,
    HubModel,
    LocalModel,
    ScratchModel,
    SpecialTokens,
    Task,
)
from weft.config.training import GradientStudy, LearningCurve, TooLong, Training
from weft.config.yaml_file import YamlFile, read_yaml_file
from weft.errors import find_by_name, show
from weft.records.base import JsonObject

BASE_RUN = "base"
"""Name of the run of the base model, which is not fine-tuned."""
PUBLISHED_RUN = "published"
"""Name of the run of an experiment that reads generations from files."""
CUSTOM_SCORING = "custom"
"""Name of the scoring of a custom benchmark, which is the function in its file, in score files and tables."""
MAX_RUNS = 10_000
"""Largest number of trainings in an experiment."""
RESERVED_BENCHMARK = "average"
"""Name under which the tables show the mean over benchmarks."""
WITHOUT_BENCHMARKS: JsonObject = {
    "forbid_test_questions": True,
    "sampling": {
        "gen_lengths": [256],
        "block_length": 32,
        "tokens_per_step": 2,
        "remasking": "low_confidence",
        "temperature": 0.0,
        "early_stop": True,
        "prefill": "",
        "dtype": "bfloat16",
        "batch_size": 8,
    },
    "scoring": ["d1"],
    "statistics": {"confidence": 0.95},
}
"""Keys that a fine-tuning without benchmarks may lack -> values for commands that sample with its models."""

Scoring = Literal["d1", "strict"]
Pair = Annotated[tuple[str, str], Field(strict=False)]
"""Treatment and control of a paired test."""


class Statistics(Section):
    """Confidence intervals and paired tests."""

    confidence: float = Field(gt=0.5, lt=1)
    """Confidence level of all intervals."""


@dataclass(frozen=True, order=True)
class Run:
    """A model that is scored: the base model, or a model fine-tuned by a method on a data set with a seed.

    Attributes:
        method: name of the method, or of the model if the experiment reads stored generations.
        dataset: name of the training set; None if the experiment does not train the model.
        seed: training seed.
        folder: name of the run's folders; None to form it from the other attributes.
    """

    method: str
    dataset: str | None = None
    seed: int | None = None
    folder: str | None = None

    @property
    def run_id(self) -> str:
        """Name of the run's folders, for example ``weft-s1k-seed1``."""
        is_trained = self.dataset is not None
        return self.folder or (f"{self.method}-{self.dataset}-seed{self.seed}" if is_trained else self.method)


class _AnyKind(Section):
    """Keys and properties that all kinds of experiment share; all also have ``gen_lengths``."""

    name: Name
    """Name of the folder below results/; must equal the name of the file."""
    title: str
    """Title of the report and of its tables, one line."""
    caption: str
    """Note below every table and figure, which explains what the numbers refer to."""
    scoring: Annotated[list[Scoring], Distinct] = Field(min_length=1)
    """Sets of scoring rules. The main table uses the first set; every other set has a table of its own."""
    statistics: Statistics
    """Confidence intervals and paired tests."""

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
        """The runs whose answers are shown step by step on a page."""
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
    def comparisons(self) -> list[tuple[str, str]]:
        """All paired tests as (treatment, control); the main test is the first."""
        return []

    @property
    def main_contrast(self) -> tuple[str, str] | None:
        """Treatment and control of the main paired test; None if nothing is compared."""
        return next(iter(self.comparisons), None)

    @property
    def num_seeds(self) -> int:
        """Number of training seeds; 0 if the experiment trains no model."""
        return 0

    @property
    def is_sampled(self) -> bool:
        """True if the experiment samples its answers; False if it reads them from files."""
        return True

    @property
    def model_names(self) -> list[str]:
        """Names of the models that are placed in the results as they are, to be scored."""
        return []

    @property
    def approximation(self) -> str | None:
        """Description of the sampler's approximations, for captions; None for exact sampling."""
        return None

    @property
    def has_gradient_study(self) -> bool:
        """True if the methods' gradients are compared."""
        return False

    @property
    def curve_benchmarks(self) -> list[str]:
        """Benchmarks on whose validation questions learning curves are measured; empty without curves."""
        return []

    @property
    def custom_benchmarks(self) -> list[str]:
        """Benchmarks that have a scoring of their own, to which ``scoring`` does not apply."""
        return []

    @property
    def applied_scorings(self) -> list[str]:
        """The sets of scoring rules that may differ: only the first, if all benchmarks are custom."""
        is_custom = len(self.custom_benchmarks) == len(self.benchmark_names)
        return [str(scoring) for scoring in (self.scoring[:1] if is_custom else self.scoring)]

    def num_questions(self, benchmark: str) -> int | None:
        """Return the number of questions of a benchmark; None for all questions of its source."""
        return None

    def is_generated(self, benchmark: str) -> bool:
        """Return True if the questions of a benchmark are generated and not the published questions."""
        return False


class _SampledKind(_AnyKind):
    """Keys and properties of the kinds of experiment whose answers are sampled."""

    if TYPE_CHECKING:  # the keys that each kind declares, in its own order, with which the page shows them
        special_tokens: SpecialTokens
        sampling: Sampling
        benchmarks: dict[Name, BenchmarkSource]

    @field_validator("benchmarks", check_fields=False)
    @classmethod
    def _have_scoring_rules(cls, benchmarks: dict[str, BenchmarkSource]) -> dict[str, BenchmarkSource]:
        for name, source in benchmarks.items():
            is_custom = isinstance(source, CustomBenchmark)
            if not is_custom and name not in get_args(Task):
                raise ValueError(
                    f"a benchmark must be one of {list(get_args(Task))} or have source 'custom', got {name!r}"
                )
            if is_custom and name in (*get_args(Task), RESERVED_BENCHMARK):
                raise ValueError(f"a custom benchmark must not have a name in use, got {name!r}; rename it")
        return benchmarks

    def find_run(self, run_id: str) -> Run:
        """Find a run by its name.

        Args:
            run_id: name of the run, for example ``weft-s1k-seed1``.

        Returns:
            The run.

        Raises:
            ConfigError: no run has this name; the message lists the names of all runs.
        """
        return find_by_name("the run", run_id, {run.run_id: run for run in self.runs})

    def is_finetuned(self, run: Run) -> bool:
        """Return True if the model of a run is the result of a fine-tuning beside its base model."""
        raise NotImplementedError

    @property
    def gen_lengths(self) -> list[int]:
        """Lengths of the answers, in tokens."""
        return self.sampling.gen_lengths

    @property
    def benchmark_names(self) -> list[str]:
        """Names of the benchmarks, in the order of the tables."""
        return list(self.benchmarks)

    @property
    def approximation(self) -> str | None:
        """Description of the sampler's approximations; None for exact sampling."""
        return self.sampling.approximation

    @property
    def custom_benchmarks(self) -> list[str]:
        """Benchmarks with questions and scoring from a file of the user."""
        return [name for name, source in self.benchmarks.items() if isinstance(source, CustomBenchmark)]

    def num_questions(self, benchmark: str) -> int | None:
        """Return the number of questions of a benchmark; None for all questions of its source."""
        return self.benchmarks[benchmark].num_examples

    def is_generated(self, benchmark: str) -> bool:
        """Return True if the questions of a benchmark are generated and not the published questions."""
        return isinstance(self.benchmarks.get(benchmark), GeneratedBenchmark)

    def lengths_beyond(self, context: int) -> list[str]:
        """Return a sentence for each key with a length that a model with this context cannot have."""
        too_long = [length for length in self.gen_lengths if length >= context]
        if not too_long or not self.benchmarks:
            return []
        return [
            f"sampling.gen_lengths must be below {context}, the longest sequence of the base model, "
            f"which also contains the prompt, got {', '.join(map(str, too_long))}"
        ]


class FineTuning(_SampledKind):
    """An experiment that fine-tunes a base model, samples answers, and scores and compares them."""

    kind: Literal["fine-tuning"]
    """Kind of the experiment."""
    seeds: Annotated[list[Seed], Distinct] = Field(min_length=1)
    """Training seeds; there is a run for each method, data set and seed."""
    base_model: BaseModelSource
    """Model that is fine-tuned."""
    datasets: dict[Name, DataSource] = Field(min_length=1)
    """Name of a training set -> its source."""
    methods: dict[Name, Method] = Field(min_length=1)
    """Name of a method -> its settings."""
    forbid_test_questions: bool
    """Stop if a test question is in a training set; if false, such questions are only counted."""
    special_tokens: SpecialTokens = "error"
    """Special tokens of the tokenizer, such as <|mdm_mask|>, in the texts of questions, answers and prefill.
    ``error``: stop, and name the text; ``plain_text``: encode them as ordinary text. The tokens that the chat
    template writes are not concerned."""
    too_long: TooLong = "error"
    """Training examples that are longer than ``training.max_length``. ``error``: stop if a prompt leaves no
    room for its answer, and name the examples; ``drop``: leave these examples out. Both truncate longer
    answers; ``drop_truncated`` also leaves out the examples whose answers would be truncated."""
    contrast: Pair | None = None
    """Treatment and control of the main paired test: two methods, or a method and ``base``, the base model.
    Null to compare every method with the base model."""
    further_contrasts: list[Pair] = Field(default=[])
    """Further paired tests; the control may be ``base``, the base model. Both methods of ``contrast`` are
    always compared with the base model. The p-values of all tests are corrected for multiple testing."""
    training: Training
    """Fine-tuning, equal for all methods."""
    benchmarks: dict[Name, BenchmarkSource] = Field(default={})
    """Name of a benchmark -> source of its questions. The scoring rules of sudoku, countdown, gsm8k and
    math500 are built in; any other benchmark has ``source: custom``. Without benchmarks the experiment ends
    with the trained models, and may lack sampling, scoring, statistics and forbid_test_questions."""
    sampling: Sampling
    """The reverse process, which samples the answers."""
    gradient_study: GradientStudy | None = None
    """Comparison of the methods' gradients; null for none."""
    learning_curve: LearningCurve | None = None
    """Accuracy on validation questions during training; null for none."""

    @property
    def runs(self) -> list[Run]:
        """The base model, if there is a benchmark, and every training run, in the order of the tables."""
        grid = itertools.product(self.methods, self.datasets, self.seeds)
        scored = [Run(BASE_RUN)] if self.benchmarks else []
        return [*scored, *(Run(method, dataset, seed) for method, dataset, seed in grid)]

    def is_finetuned(self, run: Run) -> bool:
        """Return True for all runs except that of the base model."""
        return run.method != BASE_RUN

    @property
    def num_seeds(self) -> int:
        """Number of training seeds."""
        return len(self.seeds)

    @property
    def traced_runs(self) -> list[Run]:
        """The runs whose answers are shown step by step on a page: base model, control, treatment."""
        if not self.benchmarks:
            return []
        dataset, seed = next(iter(self.datasets)), self.seeds[0]
        trained = [method for method in reversed(self._main_pair) if method in self.methods]
        return [Run(BASE_RUN), *(Run(method, dataset, seed) for method in trained)]

    @property
    def dataset_names(self) -> list[str]:
        """Names of the training sets."""
        return list(self.datasets)

    @property
    def _main_pair(self) -> tuple[str, str]:
        """Treatment and control; without ``contrast`` the first method and the base model."""
        return self.contrast or (next(iter(self.methods)), BASE_RUN)

    @property
    def comparisons(self) -> list[tuple[str, str]]:
        """All paired tests as (treatment, control): the main test, its methods minus base, and others."""
        if not self.benchmarks:
            return []
        return [*self._given_comparisons, *self.further_contrasts]

    @property
    def _given_comparisons(self) -> list[tuple[str, str]]:
        """The paired tests that follow from ``contrast``."""
        if self.contrast is None:
            return [(method, BASE_RUN) for method in self.methods]
        treatment, control = self.contrast
        if control == BASE_RUN:
            return [self.contrast]
        return [self.contrast, (control, BASE_RUN), (treatment, BASE_RUN)]

    @property
    def gain_control(self) -> str | None:
        """Method relative to whose gain other gains are given; None if the control is the base model."""
        control = self._main_pair[1]
        return control if control in self.methods else None

    @property
    def reference_method(self) -> str:
        """Method with which costs, gradients and speeds are compared.

        It is the control, or the treatment if the control is the base model.
        """
        return self.gain_control or self._main_pair[0]

    @property
    def has_gradient_study(self) -> bool:
        """True if the methods' gradients are compared."""
        return self.gradient_study is not None

    @property
    def curve_benchmarks(self) -> list[str]:
        """Benchmarks on whose validation questions learning curves are measured; empty without curves."""
        if self.learning_curve is None:
            return []
        return [name for name in self.benchmarks if self.is_generated(name)]

    def lengths_beyond(self, context: int) -> list[str]:
        """Return a sentence for each key with a length that a model with this context cannot have."""
        offences = super().lengths_beyond(context)
        if self.training.max_length > context:
            offences.insert(
                0,
                f"training.max_length must be at most {context}, the longest sequence of the base model, "
                f"got {self.training.max_length}",
            )
        return offences

    @model_validator(mode="before")
    @classmethod
    def _fill_in_what_no_benchmark_needs(cls, content: object) -> object:
        if not isinstance(content, dict) or content.get("benchmarks", {}) not in ({}, None):
            return content
        return WITHOUT_BENCHMARKS | content | {"benchmarks": {}}

    @model_validator(mode="after")
    def _contrasts_name_methods(self) -> "FineTuning":
        pairs = self._given_comparisons
        named = [("contrast", self.contrast)] if self.contrast else []
        named += [(f"further_contrasts[{index}]", pair) for index, pair in enumerate(self.further_contrasts)]
        for key, (treatment, control) in named:
            is_known = treatment in self.methods and control in {*self.methods, BASE_RUN} - {treatment}
            if not is_known:
                or_null = ", or be null" if key == "contrast" else ""
                raise ValueError(
                    f"{key} must name two of the methods {sorted(self.methods)}, or a method and "
                    f"{BASE_RUN!r}{or_null}, got {(treatment, control)}"
                )
            if key == "contrast":
                continue
            if {treatment, control} in [{*other} for other in pairs]:
                raise ValueError(
                    f"{key} must differ from the pairs before it, got {(treatment, control)} again"
                )
            pairs.append((treatment, control))
        return self

    @model_validator(mode="after")
    def _consistent(self) -> "FineTuning":
        if BASE_RUN in self.methods:
            raise ValueError(f"a method must not be named {BASE_RUN!r}, the name of the base model's run")
        num_trained = len(self.methods) * len(self.datasets) * len(self.seeds)
        if num_trained > MAX_RUNS:
            raise ValueError(
                f"seeds must give at most {MAX_RUNS:,} runs of methods and datasets, got {num_trained:,}"
            )
        run_ids = self.run_ids
        if len(set(run_ids)) < len(run_ids):
            raise ValueError(
                f"names of methods and datasets must give each run a different name, got {sorted(run_ids)}"
            )
        if self.sampling.merge_adapters and self.training.lora is None:
            raise ValueError("training.lora must be given if sampling.merge_adapters is true, got null")
        if self.learning_curve is not None and (self.training.lora is None or not self.curve_benchmarks):
            raise ValueError(
                "learning_curve requires training.lora and a benchmark with source 'generated', which has "
                f"validation questions, got lora {self.training.lora} and {self.benchmark_names}"
            )
        if isinstance(self.base_model, ScratchModel):
            offences = self.lengths_beyond(self.base_model.recipe.architecture.max_length)
            if offences:
                raise ValueError("; ".join(offences))
        return self


class Evaluation(_SampledKind):
    """An experiment that scores and compares models as they are: checkpoints, or adapters on a base model."""

    kind: Literal["evaluation"]
    """Kind of the experiment."""
    models: dict[Name, EvaluatedModel] = Field(min_length=1)
    """Name of a model, in files and tables -> its source."""
    benchmarks: dict[Name, BenchmarkSource] = Field(min_length=1)
    """Name of a benchmark -> source of its questions. The scoring rules of sudoku, countdown, gsm8k and
    math500 are built in; any other benchmark has ``source: custom``."""
    special_tokens: SpecialTokens = "error"
    """Special tokens of the tokenizer in the texts of questions and prefill. ``error``: stop, and name the
    text; ``plain_text``: encode them as ordinary text. Each model has its own tokenizer."""
    sampling: Sampling
    """The reverse process, which samples the answers, equal for all models."""
    contrasts: list[Pair] = Field(default=[])
    """Paired tests of two models on the same questions, each as [treatment, control]; the first is the main
    test. The p-values of all tests are corrected for multiple testing."""

    @property
    def runs(self) -> list[Run]:
        """The models, in the order of the tables."""
        return [Run(name) for name in self.models]

    @property
    def traced_runs(self) -> list[Run]:
        """The models, whose answers are shown step by step on a page each."""
        return self.runs

    @property
    def model_names(self) -> list[str]:
        """Names of the models."""
        return list(self.models)

    def is_finetuned(self, run: Run) -> bool:
        """Return True if a model has a base model."""
        return self.models[run.method].base is not None

    def base_source(self, model: str) -> HubModel | LocalModel | None:
        """Return the source of a base model that is not one of the models; None if there is none."""
        base = self.models[model].base
        return None if isinstance(base, str) else base

    @property
    def comparisons(self) -> list[tuple[str, str]]:
        """All paired tests as (treatment, control); the main test is the first."""
        return self.contrasts

    @model_validator(mode="after")
    def _models_are_known(self) -> "Evaluation":
        complete = [name for name, model in self.models.items() if model.base is None]
        for name, model in self.models.items():
            if isinstance(model.base, str) and model.base not in complete:
                raise ValueError(
                    f"models.{name}.base must be one of the models without a base of its own, {complete}, or "
                    f"a source such as {{source: path, path: DIRECTORY}}, got {model.base!r}"
                )
        for index, pair in enumerate(self.contrasts):
            if len(self.models.keys() & {*pair}) != 2:
                raise ValueError(
                    f"contrasts[{index}] must name two of the models {sorted(self.models)}, got {pair}"
                )
            if {*pair} in [{*other} for other in self.contrasts[:index]]:
                raise ValueError(f"contrasts[{index}] must differ from the pairs before it, got {pair} again")
        return self


class PublishedGenerations(Section):
    """A folder of generation files in the form in which d1 publishes them."""

    folder: UserPath = Field(min_length=1)
    """Path of the folder, relative to the folder of this file or to one of the folders of ``offline`` in
    config.yaml."""
    pattern: str
    """Pattern of the file names, with the fields {benchmark}, {gen_length} and {shard}."""
    model: str
    """Name of the model that made the generations."""

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
    """An experiment that scores generations from files."""

    kind: Literal["generations"]
    """Kind of the experiment."""
    generations: PublishedGenerations
    """Files with the generations."""
    benchmarks: Annotated[list[Task], Distinct] = Field(min_length=1)
    """Benchmarks to score."""
    gen_lengths: Annotated[list[Size], Distinct] = Field(min_length=1)
    """Lengths of the answers to score, in tokens."""

    @property
    def runs(self) -> list[Run]:
        """The model that made the generations."""
        return [Run(self.generations.model, folder=PUBLISHED_RUN)]

    @property
    def is_sampled(self) -> bool:
        """False: the answers are read from files."""
        return False

    @property
    def benchmark_names(self) -> list[str]:
        """Names of the benchmarks, in the order of the tables."""
        return [str(benchmark) for benchmark in self.benchmarks]


Sampled = FineTuning | Evaluation
"""An experiment whose answers are sampled."""
Experiment = FineTuning | Evaluation | StoredGenerations
"""An experiment of any kind; ``experiment.kind`` is ``fine-tuning``, ``evaluation`` or ``generations``."""
KINDS: Mapping[str, type[FineTuning] | type[Evaluation] | type[StoredGenerations]] = {
    "fine-tuning": FineTuning,
    "evaluation": Evaluation,
    "generations": StoredGenerations,
}
"""Value of the key ``kind`` -> class of the experiment."""


def load_experiment(path: str | Path) -> Experiment:
    """Load and check an experiment file, together with the file that it extends, if any.

    Args:
        path: the experiment file.

    Returns:
        The experiment.

    Raises:
        ConfigError: a file is missing or malformed, or a value is not allowed.
    """
    file = Path(path)
    written = _read_experiment(file)
    content, name = written.content, written.written(["name"])
    if name == file.stem:  # also if YAML reads the name as a number or a Boolean
        content["name"] = name
    kind = content.get("kind", "fine-tuning")
    if kind not in list(KINDS):
        place = written.place(["kind"])
        raise invalid(file, f"{place}kind: expected one of {', '.join(map(repr, KINDS))}; got {show(kind)}")
    experiment = validate(KINDS[kind], content, origin=str(file), file=written)
    if experiment.name != file.stem:
        raise invalid(
            file,
            f"{written.place(['name'])}name: must be the name of the file, {file.stem!r}, got "
            f"{experiment.name!r}",
        )
    return experiment


def _read_experiment(file: Path) -> YamlFile:
    """Read an experiment file, and take the keys that it lacks from the file that it extends, if any."""
    written = read_yaml_file(file)
    if "extends" not in written.content:
        return written
    place = f"{written.place(['extends'])}extends"
    extended = written.content.pop("extends")
    base_file = _find_extended(file, extended)
    if base_file is None:
        raise invalid(
            file,
            f"{place}: must be a file, relative to the folder of this one, or a shipped experiment such as "
            f"tiny.yaml, got {show(extended)}",
        )
    base = read_yaml_file(base_file)
    if "extends" in base.content:
        raise invalid(file, f"{place}: must be a file that does not extend another one, got {show(extended)}")
    return written.over(base)


def _find_extended(file: Path, extended: object) -> Path | None:
    """Return the file that an experiment file extends: beside it, or a shipped experiment."""
    if not isinstance(extended, str):
        return None
    paths = [folder / extended for folder in (file.parent, CHECKOUT / "experiments")]
    # os.path.isfile is False for a name that no file can have, such as one that is too long.
    return next((path for path in paths if os.path.isfile(path)), None)  # noqa: PTH113


def experiment_files(file: Path) -> list[Path]:
    """Return an experiment file, and after it the file that it extends, if any."""
    extended = read_yaml_file(file).content.get("extends")
    base_file = None if extended is None else _find_extended(file, extended)
    return [file] if base_file is None else [file, base_file]
