"""Where models, training data and test questions come from."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from weft.config.instructions import Instruction
from weft.config.section import Section, Sha256

Task = Literal["sudoku", "countdown", "gsm8k", "math500"]


class HubFile(Section):
    """A file of a hub repository, or of a folder with the same name under ``offline``."""

    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    """Repository, owner/name."""
    file: str = Field(min_length=1)
    """Path inside the repository."""
    revision: str = Field(min_length=1)
    """Commit, tag or branch; what it stands for at first use is noted in NAME.lock.json and asked for from
    then on."""
    sha256: Sha256 | None = None
    """SHA-256 of the file's bytes; checked where given, else that of the first use."""


class WebFile(Section):
    """A file behind a URL that names a fixed version."""

    url: str = Field(pattern=r"^https?://")
    """Address of a fixed version."""
    sha256: Sha256
    """SHA-256 of the file's bytes; always checked."""
    offline: str = Field(min_length=1)
    """Where to look first, relative to the folders of ``offline`` in config.yaml."""


def _kind_of_file(value: Any) -> str:
    is_hub = "repo" in value if isinstance(value, dict) else isinstance(value, HubFile)
    return "hub" if is_hub else "web"


AnyFile = Annotated[
    Annotated[WebFile, Tag("web")] | Annotated[HubFile, Tag("hub")], Discriminator(_kind_of_file)
]
"""Told apart by the key ``repo``, so that a mistake is reported for the kind that was meant."""


class Architecture(Section):
    """Shape of a LLaDA network trained from scratch."""

    hidden_size: int = Field(gt=0)
    """Width of the residual stream (LLaDA's d_model)."""
    intermediate_size: int = Field(gt=0)
    """Width of the MLP (LLaDA's mlp_hidden_size)."""
    num_layers: int = Field(gt=0)
    """Number of blocks."""
    num_heads: int = Field(gt=0)
    """Number of attention heads."""
    max_length: int = Field(gt=0)
    """Longest sequence, in tokens."""
    rope_theta: float = Field(gt=0)
    """Base of the rotary embedding."""

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> "Architecture":
        if self.hidden_size % (2 * self.num_heads):
            raise ValueError(
                f"hidden_size must be a multiple of 2 x num_heads={2 * self.num_heads}, "
                f"got {self.hidden_size}"
            )
        return self


class Pretraining(Section):
    """Recipe of a base model trained from scratch, with SFT's objective on all parameters."""

    architecture: Architecture
    """Shape of the network."""
    vocab_size: int = Field(gt=262)
    """Entries of the byte-level tokenizer, special tokens and 256 bytes included."""
    tasks: dict[Task, float] = Field(min_length=1)
    """Task -> share of the examples (any positive numbers)."""
    worked_share: float = Field(ge=0, le=1)
    """Share of examples with worked reasoning; the others answer at once."""
    num_examples: int = Field(gt=0)
    """Examples seen, each once."""
    seed: int
    """Seed of data, initial parameters and corruption."""
    batch_size: int = Field(gt=0)
    """Examples per optimiser step."""
    learning_rate: float = Field(gt=0)
    """Peak learning rate of AdamW."""
    warmup_steps: int = Field(ge=0)
    """Optimiser steps of linear warm-up; cosine decay to zero afterwards."""
    weight_decay: float = Field(ge=0)
    """AdamW's weight decay."""
    max_length: int = Field(gt=0)
    """Tokens per example; shorter ones are padded with end-of-text, which is trained."""


class ScratchModel(Section):
    """A base model that this repository trains itself."""

    source: Literal["scratch"]
    """Trained by this repository."""
    shipped: str | None = None
    """Folder of a checkpoint made earlier by ``recipe`` and kept in the repository."""
    shipped_sha256: Sha256 | None = None
    """SHA-256 of its model.safetensors; always checked."""
    use: Literal["shipped", "retrained"] = "shipped"
    """Which one is fine-tuned: the shipped checkpoint, or one trained anew by the workflow."""
    recipe: Pretraining
    """How it is, or was, trained."""

    @model_validator(mode="after")
    def _shipped_is_complete(self) -> "ScratchModel":
        if self.use == "shipped" and (self.shipped is None or self.shipped_sha256 is None):
            raise ValueError("shipped and shipped_sha256 must be given with use 'shipped'")
        return self


class HubModel(Section):
    """A published checkpoint in LLaDA's layout."""

    source: Literal["hub"]
    """From the hub."""
    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    """Repository, owner/name."""
    revision: str = Field(min_length=1)
    """Commit, tag or branch; what it stands for at first use is noted in NAME.lock.json and asked for from
    then on."""
    sha256: dict[str, Sha256] = Field(default={})
    """File -> SHA-256 of its bytes; checked where given, else that of the first use."""


class LocalModel(Section):
    """A checkpoint directory in LLaDA's layout on this machine."""

    source: Literal["path"]
    """From this machine."""
    path: str = Field(min_length=1)
    """The directory."""


BaseModelSource = Annotated[ScratchModel | HubModel | LocalModel, Field(discriminator="source")]


class GeneratedData(Section):
    """Generated problems with worked solutions."""

    source: Literal["generated"]
    """Made by the generator."""
    tasks: dict[Task, int] = Field(min_length=1)
    """Task -> number of examples."""
    seed: int
    """Seed of the stream of problems."""


class HubData(Section):
    """Reasoning traces from the hub."""

    source: Literal["hub"]
    """From the hub."""
    files: list[HubFile] = Field(min_length=1)
    """Files of the data set (JSONL or Parquet), in order."""
    question: str
    """Field with the question."""
    trajectory: str
    """Field with the reasoning; of a list the first entry is taken."""
    attempt: str
    """Field with the final answer."""
    num_examples: int | None = Field(default=None, gt=0)
    """Take this many after shuffling; all when empty."""
    shuffle_seed: int = 42
    """Seed of the shuffle (d1 uses 42)."""
    split_trajectory_at: str | None = None
    """Text that ends the reasoning when one field holds both; rows without it are left out."""
    trajectory_prefix: str = ""
    """Text removed from the beginning of the reasoning, with ``split_trajectory_at``."""
    instruction: Instruction
    """Text in front of every question."""


class JsonlData(Section):
    """Training examples of the user: JSONL with ``question`` and ``answer``, or ``messages``, on every line.

    Beside question and answer a row may have ``reasoning``, which is put in tags in front of the answer.
    ``messages`` is a list of {role, content}: the system's first or not at all, then user and assistant
    in turn.  Only the last turn is trained, the assistant's; the others belong to the prompt.  Other keys are
    ignored.
    """

    source: Literal["jsonl"]
    """A file of the user."""
    path: str = Field(min_length=1)
    """The file; a line has {question, answer, reasoning (optional)} or {messages: [{role, content}, …]}, of
    which the last turn is trained; of equal lines one is kept."""
    sha256: Sha256 | None = None
    """SHA-256 of the file's bytes; checked where given."""
    instruction: Instruction = "none"
    """Text in front of every question, the last user turn."""


DataSource = Annotated[GeneratedData | HubData | JsonlData, Field(discriminator="source")]


class GeneratedBenchmark(Section):
    """Test questions from the generator, disjoint from all training problems."""

    source: Literal["generated"]
    """Made by the generator."""
    num_examples: int = Field(gt=0)
    """Number of questions."""
    seed: int
    """Seed of the stream of problems."""


class PublishedBenchmark(Section):
    """Test questions from a published file."""

    source: Literal["published"]
    """From a published file."""
    file: AnyFile
    """The file (JSONL, CSV or Parquet): behind an address with its hash, or in a hub repository."""
    num_examples: int | None = Field(default=None, gt=0)
    """Take this many, chosen as in d1 (numpy seed 42, without replacement); all when empty."""
    instruction: Instruction
    """Text in front of every question."""


class CustomBenchmark(Section):
    """Test questions and their scoring rule from a Python file of the user (docs/custom-benchmarks.md)."""

    source: Literal["custom"]
    """A Python file of the user, which is run."""
    path: str = Field(min_length=1, pattern=r"\.py$")
    """The file, with INSTRUCTION, QUESTIONS and score."""
    num_examples: int | None = Field(default=None, gt=0)
    """Take the first this many; all when empty."""


BenchmarkSource = Annotated[
    GeneratedBenchmark | PublishedBenchmark | CustomBenchmark, Field(discriminator="source")
]
