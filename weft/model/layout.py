"""Base class for the layouts of published checkpoints.

A layout translates the tensor names and the fields of ``config.json`` of a family of published
checkpoints to those of a model of weft, and back. It rejects fields that describe another network.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from transformers import PreTrainedConfig

from weft.errors import CheckpointError

Fields = dict[str, Any]


class Layout(ABC):
    """Layout of the checkpoints of a family.

    Attributes:
        family: short name, for the command line.
        model_type: value of ``model_type`` in ``config.json``.
        model_class: class of the model; takes the configuration that ``to_config`` returns.
        required: field -> allowed values; the first is the default of an absent field.
        sizes: fields that must be positive numbers.
    """

    family: ClassVar[str]
    model_type: ClassVar[str]
    model_class: ClassVar[Any]
    required: ClassVar[Mapping[str, tuple[Any, ...]]]
    sizes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def to_config(self, fields: Fields) -> PreTrainedConfig:
        """Return the configuration for checked fields of ``config.json``."""

    @abstractmethod
    def to_fields(self, config: PreTrainedConfig) -> Fields:
        """Return the fields of the published ``config.json`` for a configuration."""

    @abstractmethod
    def to_our_module(self, name: str) -> str | None:
        """Return our name for the published name of a module with parameters; None if it is unknown."""

    @abstractmethod
    def to_published_module(self, name: str) -> str | None:
        """Return the published name for our name of a module with parameters; None if it is unknown."""

    def to_our_name(self, name: str) -> str | None:
        """Return our name for the published name of a tensor; None if it is unknown."""
        module, _, leaf = name.rpartition(".")
        ours = self.to_our_module(module)
        return None if ours is None else f"{ours}.{leaf}"

    def to_published_name(self, name: str) -> str:
        """Return the published name for our name of a tensor."""
        module, _, leaf = name.rpartition(".")
        published = self.to_published_module(module)
        assert published is not None, f"{name} is a parameter of the model, so the layout must know it"
        return f"{published}.{leaf}"

    def check(self, fields: Fields, source: object) -> None:
        """Check that the fields describe a network of this family.

        Args:
            fields: content of ``config.json``.
            source: path of the file, for messages.

        Raises:
            CheckpointError: a field is missing, is not a positive number, or describes another network.
        """
        missing = sorted(set(self.sizes) - fields.keys())
        if missing:
            raise CheckpointError(f"{source} must have the fields {missing}, not found")
        wrong = {k: fields[k] for k in self.sizes if not _is_positive(fields[k])}
        if wrong:
            raise CheckpointError(f"{source}: these fields must be positive numbers, got {wrong}")
        other = {
            k: fields[k] for k, allowed in self.required.items() if fields.get(k, allowed[0]) not in allowed
        }
        if other:
            raise CheckpointError(f"{source}: these fields describe another network: {other}")


def require_divisible(fields: Fields, pairs: Iterable[tuple[str, str]], source: object) -> None:
    """Check that the first field of each pair is a multiple of the second.

    Args:
        fields: content of ``config.json``.
        pairs: names of the fields.
        source: path of the file, for messages.

    Raises:
        CheckpointError: a field is not a multiple of the other.
    """
    for whole, part in pairs:
        if fields[whole] % fields[part]:
            raise CheckpointError(
                f"{source}: {whole} must be a multiple of {part}, got {fields[whole]} and {fields[part]}"
            )


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
