"""Sources of base models, training examples and test questions."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator, model_validator

from weft.config.instructions import Instruction
from weft.config.numbers import CountFromZero, Seed, Size
from weft.config.places import UserPath
from weft.config.section import Section, Sha256
from weft.config.splits import Split, check_split, parse_split
from weft.records.base import MAX_COUNT

SpecialTokens = Literal["error", "plain_text"]
"""What to do with special tokens, such as the mask token, in the texts of questions and answers."""

Task = Literal["sudoku", "countdown", "gsm8k", "math500"]

Part = Literal[
    "steps",
    "boards",
    "copies",
    "steps_after_question",
    "sheets",
    "linked_sheets",
    "story_expressions",
    "single_steps",
    "two_numbers",
    "three_numbers",
    "one_step_stories",
    "two_step_stories",
    "one_step_equations",
    "two_step_equations",
    "easy_sudoku",
    "direct_gsm8k",
    "direct_math500",
]
"""Kinds of texts of pretraining, see `weft.data.tasks.parts`."""


class HubFile(Section):
    """A file in a repository of the Hugging Face hub, or in a folder of that name below ``offline``."""

    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    """Repository as owner/name."""
    file: str = Field(min_length=1)
    """Path in the repository."""
    revision: str = Field(min_length=1)
    """Commit, tag or branch. Its commit at first use is recorded in NAME.lock.json and used from then on."""
    sha256: Sha256 | None = None
    """SHA-256 of the file; if not given, the hash at first use is recorded, and checked from then on."""


class WebFile(Section):
    """A file with a URL."""

    url: str = Field(pattern=r"^https?://")
    """URL of a fixed version."""
    sha256: Sha256
    """SHA-256 of the file."""
    offline: str = Field(min_length=1)
    """Path of a local copy, relative to the folders of ``offline`` in config.yaml."""


def _kind_of_file(value: Any) -> str:
    is_hub = "repo" in value if isinstance(value, dict) else isinstance(value, HubFile)
    return "hub" if is_hub else "web"


AnyFile = Annotated[
    Annotated[WebFile, Tag("web")] | Annotated[HubFile, Tag("hub")], Discriminator(_kind_of_file)
]
"""A file on the hub if the key ``repo`` is given, and otherwise a file with a URL."""


class Architecture(Section):
    """Shape of a LLaDA network that is trained from scratch."""

    hidden_size: Size
    """Width of the residual stream (LLaDA's d_model)."""
    intermediate_size: Size
    """Width of the MLP (LLaDA's mlp_hidden_size)."""
    num_layers: Size
    """Number of transformer blocks."""
    num_heads: Size
    """Number of attention heads."""
    max_length: Size
    """Length of the longest sequence, in tokens."""
    rope_theta: float = Field(gt=0)
    """Base of the rotary position embedding."""
    rms_norm_eps: float = Field(gt=0)
    """Epsilon that RMSNorm adds to the mean square."""
    initializer_std: float = Field(gt=0)
    """Standard deviation of the random parameters, normal with mean 0."""

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "Architecture":
        if self.hidden_size % (2 * self.num_heads):
            raise ValueError(
                f"hidden_size must be a multiple of 2 x num_heads={2 * self.num_heads}, "
                f"got {self.hidden_size}"
            )
        return self


class PretrainingPhase(Section):
    """Phase of a pretraining: lengths of the rows and learning rates.

    Both learning rates are constant after a linear warm-up, and then fall linearly to 0.
    """

    max_length: Size
    """Tokens per row; shorter texts are padded with end-of-text."""
    random_lengths: bool
    """Whether each row ends at a random position, and the others are not attended to."""
    num_steps: Size
    """Optimiser steps."""
    muon_learning_rate: float = Field(gt=0)
    """Peak learning rate of Muon, for updates with the root mean square of AdamW's."""
    adam_learning_rate: float = Field(gt=0)
    """Peak learning rate of AdamW."""
    warmup_steps: CountFromZero
    """Optimiser steps of linear warm-up."""
    decay_steps: CountFromZero
    """Optimiser steps at the end in which the learning rates fall."""


class Pretraining(Section):
    """Recipe of a base model that is trained from scratch on texts with single steps.

    The matrices of the transformer blocks are optimised by Muon and all other parameters by AdamW.
    """

    architecture: Architecture
    """Shape of the network."""
    vocab_size: int = Field(gt=262, le=MAX_COUNT)
    """Entries of the byte-level tokenizer, special tokens and 256 bytes included."""
    num_tokenizer_texts: Size
    """Number of texts from which the tokenizer learns its merges."""
    parts: dict[Part, float] = Field(min_length=1)
    """Kind of text -> share of the texts (any positive numbers)."""
    phases: list[PretrainingPhase] = Field(min_length=1)
    """Phases, in order; each begins with a new optimiser."""
    single_mask_share: float = Field(ge=0, le=1)
    """Share of the documents in which one token of each line is masked, instead of tokens at random."""
    batch_size: Size
    """Texts per optimiser step."""
    seed: Seed
    """Seed of texts, initial parameters and masks."""
    adam_beta1: float = Field(ge=0, lt=1)
    """AdamW's decay rate of the first moment."""
    adam_beta2: float = Field(ge=0, lt=1)
    """AdamW's decay rate of the second moment."""
    muon_momentum: float = Field(ge=0, lt=1)
    """Muon's momentum."""
    weight_decay: float = Field(ge=0)
    """Weight decay of both optimisers."""
    max_grad_norm: float = Field(gt=0)
    """Norm to which gradients are clipped."""


class ScratchModel(Section):
    """A base model that this repository trains from scratch."""

    source: Literal["scratch"]
    """A model trained from scratch."""
    shipped: UserPath | None = None
    """Folder of a checkpoint that was trained by ``recipe`` and is part of the repository."""
    shipped_sha256: Sha256 | None = None
    """SHA-256 of the checkpoint's model.safetensors."""
    use: Literal["shipped", "retrained"] = "shipped"
    """Model that is fine-tuned: the shipped checkpoint, or one that the workflow trains."""
    recipe: Pretraining
    """Recipe of the training."""

    @model_validator(mode="after")
    def _shipped_is_complete(self) -> "ScratchModel":
        if self.use == "shipped" and (self.shipped is None or self.shipped_sha256 is None):
            raise ValueError("shipped and shipped_sha256 must be given with use 'shipped'")
        return self


class HubModel(Section):
    """A published checkpoint of LLaDA or Dream."""

    source: Literal["hub"]
    """A repository of the Hugging Face hub."""
    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    """Repository as owner/name."""
    revision: str = Field(min_length=1)
    """Commit, tag or branch. Its commit at first use is recorded in NAME.lock.json and used from then on."""
    sha256: dict[str, Sha256] = Field(default={})
    """File -> SHA-256; for other files the hash at first use is recorded, and checked from then on."""


class LocalModel(Section):
    """A checkpoint directory of LLaDA or Dream on this machine."""

    source: Literal["path"]
    """A directory."""
    path: UserPath = Field(min_length=1)
    """Path of the directory."""


BaseModelSource = Annotated[ScratchModel | HubModel | LocalModel, Field(discriminator="source")]


class GeneratedData(Section):
    """Generated problems with worked solutions."""

    source: Literal["generated"]
    """Generated problems."""
    tasks: dict[Task, CountFromZero] = Field(min_length=1)
    """Task -> number of examples."""
    seed: Seed
    """Seed of the problems."""
    checked_steps: bool = False
    """Write longer worked answers to the same problems: each step is followed by a check, such as
    17-5=12 after 12+5=17."""


class HubData(Section):
    """Published reasoning traces, by the files that hold them."""

    source: Literal["hub"]
    """Files on the Hugging Face hub."""
    files: list[HubFile] = Field(min_length=1)
    """Files of the data set (JSONL or Parquet), in order."""
    question: str
    """Field with the question."""
    trajectory: str
    """Field with the reasoning; the first entry is used if it is a list."""
    attempt: str
    """Field with the final answer."""
    num_examples: Size | None = None
    """Number of examples to take from the beginning after shuffling; null for all."""
    shuffle_seed: Seed = 42
    """Seed of the shuffle (d1: 42)."""
    split_trajectory_at: str | None = None
    """Text at which a field that holds reasoning and answer is split; rows without this text are left out."""
    trajectory_prefix: str = ""
    """Text that is removed from the beginning of the reasoning; used with ``split_trajectory_at`` only."""
    instruction: Instruction
    """Text that precedes every question."""


Form = Literal["question_answer", "messages", "prompt_completion", "alpaca", "sharegpt"]
"""Form of the rows of a training set, see docs/data.md."""

Column = Literal[
    "question",
    "answer",
    "reasoning",
    "messages",
    "prompt",
    "completion",
    "instruction",
    "input",
    "output",
    "conversations",
    "system",
]
"""Name of a column in one of the forms."""


class _Rows(Section):
    """Keys of a training set whose rows have one of the forms of docs/data.md."""

    columns: dict[Column, str] = Field(default={})
    """Name in the form -> name of the column in the data, such as {question: problem, answer: solution}."""
    form: Form | None = None
    """Form of the rows; recognised from the first row if not given."""
    num_examples: Size | None = None
    """Number of examples to take from the beginning; null for all. More than there are is an error."""
    instruction: Instruction = "none"
    """Text that precedes every question, in the last user turn."""


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class FileData(_Rows):
    """Training examples of the user, from files or from a folder of the library datasets.

    A file is JSON Lines, a JSON list, Parquet, CSV or TSV, each also compressed by gzip. The form of the rows
    (question and answer, messages, prompt and completion, Alpaca, or ShareGPT) is recognised from the first
    row. The model is trained on the last turn only, which is the assistant's. Other columns are ignored, and
    repeated examples are left out.
    """

    source: Literal["file", "jsonl"]
    """Files of the user. ``jsonl`` is an earlier name, with which each row may have another form."""
    path: Annotated[list[UserPath], BeforeValidator(_as_list)]
    """Path of a file or of a folder, or a list of paths, which are read in this order."""
    split: str | None = None
    """Split of a folder, with or without a range of rows, such as train[:1000]; ``train`` or the only one if
    none is given."""
    sha256: Sha256 | None = None
    """SHA-256 of the file; not checked if not given."""

    @model_validator(mode="after")
    def _hash_of_one_file(self) -> "FileData":
        if not self.path or not all(self.path):
            raise ValueError(f"path must name a file, got {self.path}")
        if self.sha256 is not None and len(self.path) > 1:
            raise ValueError(f"sha256 is the hash of one file, but path names {len(self.path)} files")
        return self

    @field_validator("split")
    @classmethod
    def _split_is_readable(cls, split: str | None) -> str | None:
        return check_split(split)


class HubDataset(_Rows):
    """A data set on the hub, by its name.

    The files of the split are found as the library datasets finds them, and read like files of the user. No
    code of the repository is run.
    """

    source: Literal["hub"]
    """A data set on the Hugging Face hub."""
    dataset: str = Field(min_length=1)
    """Repository as owner/name. A split may follow, as in owner/name[train] or owner/name[train:1000]."""
    config: str | None = None
    """Configuration (subset) of the data set; the default one if not given."""
    split: str | None = None
    """Split, with or without a range of rows, such as train[:1000]; ``train`` or the only one if none is
    given."""
    revision: str = Field(default="main", min_length=1)
    """Commit, tag or branch. Its commit at first use is recorded in NAME.lock.json and used from then on."""
    sha256: dict[str, Sha256] = Field(default={})
    """File -> SHA-256; for other files the hash at first use is recorded, and checked from then on."""

    @property
    def repo(self) -> str:
        """The repository as owner/name."""
        return self.dataset.partition("[")[0]

    @property
    def rows(self) -> Split:
        """The split and the range of its rows."""
        _, bracket, inner = self.dataset.partition("[")
        text = inner.removesuffix("]") if bracket else self.split
        return parse_split(text) if text else Split()

    @model_validator(mode="after")
    def _dataset_is_readable(self) -> "HubDataset":
        match = re.fullmatch(r"[\w.-]+/[\w.-]+(\[(.+)\])?", self.dataset)
        if match is None:
            raise ValueError(f"dataset must be owner/name or owner/name[train:1000], got {self.dataset!r}")
        check_split(match[2])
        if match[2] and self.split:
            raise ValueError(f"split must not be given if dataset has one, got {self.split!r}")
        return self

    @field_validator("split")
    @classmethod
    def _split_is_readable(cls, split: str | None) -> str | None:
        return check_split(split)


def _kind_of_hub_data(value: Any) -> str:
    has_files = "files" in value if isinstance(value, dict) else isinstance(value, HubData)
    return "hub_files" if has_files else "hub_dataset"


AnyHubData = Annotated[
    Annotated[HubDataset, Tag("hub_dataset")] | Annotated[HubData, Tag("hub_files")],
    Discriminator(_kind_of_hub_data),
]
"""The files of the key ``files`` if it is given, and otherwise a data set by its name."""

DataSource = Annotated[GeneratedData | AnyHubData | FileData, Field(discriminator="source")]


class GeneratedBenchmark(Section):
    """Generated questions, none of which is a training problem."""

    source: Literal["generated"]
    """Generated problems."""
    num_examples: Size
    """Number of questions."""
    seed: Seed
    """Seed of the problems."""
    split: Literal["test", "validation"] = "test"
    """Problems from which the questions are drawn. Validation problems, on which learning curves are measured
    as well, are for choosing settings."""


class PublishedBenchmark(Section):
    """Test questions from a published file."""

    source: Literal["published"]
    """A published file."""
    file: AnyFile
    """The file (JSONL, CSV or Parquet)."""
    num_examples: Size | None = None
    """Number of questions, chosen as in d1 (NumPy with seed 42, without replacement); null for all."""
    instruction: Instruction
    """Text that precedes every question."""


class CustomBenchmark(Section):
    """Test questions and their scoring rule from a Python file of the user (docs/custom-benchmarks.md)."""

    source: Literal["custom"]
    """A Python file of the user, which is run."""
    path: UserPath = Field(min_length=1, pattern=r"\.py$")
    """Path of the file, which defines INSTRUCTION, QUESTIONS and score."""
    num_examples: Size | None = None
    """Number of questions to take from the beginning of the file; null for all."""


BenchmarkSource = Annotated[
    GeneratedBenchmark | PublishedBenchmark | CustomBenchmark, Field(discriminator="source")
]
