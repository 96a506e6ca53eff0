"""What a family of published checkpoints looks like from outside: names of tensors, fields, the model.

A layout translates between that and the classes of weft.  It says which fields must have which
values for the translation to be the same network, and refuses everything else.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from transformers import PreTrainedConfig

from weft.errors import CheckpointError

Fields = dict[str, Any]


class Layout(ABC):
    """One family of checkpoints.

    Attributes:
        family: short name, for the command line.
        model_type: what ``config.json`` calls it.
        model_class: the network; made from the configuration that ``to_config`` returns.
        required: values that a field may have, anything else being another network; the first is what an
            absent field means.
        sizes: fields that must be positive numbers.
    """

    family: ClassVar[str]
    model_type: ClassVar[str]
    model_class: ClassVar[Any]
    required: ClassVar[Mapping[str, tuple[Any, ...]]]
    sizes: ClassVar[tuple[str, ...]]

    @abstractmethod
    def to_config(self, fields: Fields) -> PreTrainedConfig:
        """Translate checked fields of ``config.json``."""

    @abstractmethod
    def to_fields(self, config: PreTrainedConfig) -> Fields:
        """Describe a network with the fields of the published ``config.json``."""

    @abstractmethod
    def to_our_module(self, name: str) -> str | None:
        """Translate the published name of a module that holds parameters; None if there is none such."""

    @abstractmethod
    def to_published_module(self, name: str) -> str | None:
        """Translate our name of a module that holds parameters; None if there is none such."""

    def to_our_name(self, name: str) -> str | None:
        """Translate the published name of a tensor; None if there is none such."""
        module, _, leaf = name.rpartition(".")
        ours = self.to_our_module(module)
        return None if ours is None else f"{ours}.{leaf}"

    def to_published_name(self, name: str) -> str:
        """Translate our name of a tensor."""
        module, _, leaf = name.rpartition(".")
        published = self.to_published_module(module)
        assert published is not None, f"{name} is a parameter of ours, so the layout names it"
        return f"{published}.{leaf}"

    def check(self, fields: Fields, where: object) -> None:
        """Make sure that the fields describe a network of this family.

        Raises:
            CheckpointError: a field is missing, no number, or describes another network.
        """
        missing = sorted(set(self.sizes) - fields.keys())
        if missing:
            raise CheckpointError(f"{where} must have the fields {missing}, not found")
        wrong = {k: fields[k] for k in self.sizes if not _is_positive(fields[k])}
        if wrong:
            raise CheckpointError(f"{where}: these fields must be positive numbers, got {wrong}")
        other = {
            k: fields[k] for k, allowed in self.required.items() if fields.get(k, allowed[0]) not in allowed
        }
        if other:
            raise CheckpointError(f"{where}: these fields describe another network: {other}")


def require_divisible(fields: Fields, pairs: Iterable[tuple[str, str]], where: object) -> None:
    """Make sure that heads divide widths and the like.

    Raises:
        CheckpointError: a first field of a pair is no multiple of the second.
    """
    for whole, part in pairs:
        if fields[whole] % fields[part]:
            raise CheckpointError(
                f"{where}: {whole} must be a multiple of {part}, got {fields[whole]} and {fields[part]}"
            )


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
