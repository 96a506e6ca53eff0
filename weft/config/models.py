"""The models of an evaluation: checkpoints, and adapters on a base model."""

from typing import Annotated

from pydantic import Discriminator, Field, Tag

from weft.config.sources import HubModel, LocalModel


def _kind_of_base(value: object) -> str:
    if isinstance(value, str):
        return "name"
    is_local = value.get("source") == "path" if isinstance(value, dict) else isinstance(value, LocalModel)
    return "path" if is_local else "hub"


Base = Annotated[
    Annotated[str, Tag("name")] | Annotated[HubModel, Tag("hub")] | Annotated[LocalModel, Tag("path")],
    Discriminator(_kind_of_base),
]
"""The name of another model, or a source."""


class EvaluatedHubModel(HubModel):
    """A model in a repository of the Hugging Face hub."""

    base: Base | None = None
    """Base model, if the repository has an adapter, or a fine-tuned checkpoint without a tokenizer: the name
    of another of the ``models``, or a source with the keys source, repo and revision, or source and path.
    Null for a checkpoint that is complete."""


class EvaluatedLocalModel(LocalModel):
    """A model in a directory on this machine, such as ``results/NAME/runs/RUN`` of another experiment."""

    base: Base | None = None
    """Base model, if the directory has an adapter, or a fine-tuned checkpoint without a tokenizer: the name
    of another of the ``models``, or a source with the keys source, repo and revision, or source and path.
    Null for a checkpoint that is complete."""


EvaluatedModel = Annotated[EvaluatedHubModel | EvaluatedLocalModel, Field(discriminator="source")]
