"""The models of an evaluation: checkpoints, and adapters on a base model."""

from typing import Annotated

from pydantic import Field

from weft.config.section import Name
from weft.config.sources import HubModel, LocalModel

AnyCheckpoint = Annotated[HubModel | LocalModel, Field(discriminator="source")]
"""A checkpoint directory on the hub or on this machine."""


class EvaluatedHubModel(HubModel):
    """A model in a repository of the Hugging Face hub."""

    base: Name | AnyCheckpoint | None = None
    """Base model, if the repository has an adapter, or a fine-tuned checkpoint without a tokenizer: the name
    of another of the ``models``, or a source with the keys source, repo, revision or path. Null for a
    checkpoint that is complete."""


class EvaluatedLocalModel(LocalModel):
    """A model in a directory on this machine, such as ``results/NAME/runs/RUN`` of another experiment."""

    base: Name | AnyCheckpoint | None = None
    """Base model, if the directory has an adapter, or a fine-tuned checkpoint without a tokenizer: the name
    of another of the ``models``, or a source with the keys source, repo, revision or path. Null for a
    checkpoint that is complete."""


EvaluatedModel = Annotated[EvaluatedHubModel | EvaluatedLocalModel, Field(discriminator="source")]
