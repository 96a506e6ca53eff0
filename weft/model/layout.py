"""Base class for the layouts of published checkpoints.

A layout translates the names of tensors and the fields of ``config.json`` of a family of published
checkpoints to those of a model of weft, and back. It rejects fields that describe another network.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from transformers import PreTrainedConfig

from weft.errors import CheckpointError, show

Fields = dict[str, Any]
REAL_FIELDS = frozenset({"rms_norm_eps", "rope_theta"})
"""Sizes that need not be whole numbers."""
MAX_LAYERS = 1000
"""Largest number of layers of a network. Even without memory for its parameters, each layer takes time."""
MAX_SIZE = 10**9
"""Largest value of a size. The base of the rotary embedding is the largest, 500,000 for LLaDA."""


class Layout:
    """Layout of the checkpoints of a family, described by tables.

    Attributes:
        family: short name, for the command line.
        model_type: value of ``model_type`` in ``config.json``.
        model_class: class of the model; takes the configuration that ``to_config`` returns.
        modules: published name -> our name of each module with parameters; ``*`` is the number of a block.
        required: field -> allowed values; the first is the default of an absent field.
        sizes: field that must be a positive number -> attribute of the configuration; if several fields have
            the same attribute, the last determines its value.
        defaults: size that may be absent -> size whose value it then takes.
        multiples: pairs of sizes of which the first must be a multiple of the second.
        published: fields that are equal in all checkpoints, or that only the published class reads.
        tokens: fields with ids of special tokens that the published configuration has.
    """

    family: ClassVar[str]
    model_type: ClassVar[str]
    model_class: ClassVar[Any]
    modules: ClassVar[Mapping[str, str]]
    required: ClassVar[Mapping[str, tuple[Any, ...]]]
    sizes: ClassVar[Mapping[str, str]]
    defaults: ClassVar[Mapping[str, str]] = {}
    multiples: ClassVar[tuple[tuple[str, str], ...]]
    published: ClassVar[Fields]
    tokens: ClassVar[tuple[str, ...]] = ("eos_token_id", "pad_token_id", "mask_token_id")

    def to_our_module(self, name: str) -> str | None:
        """Return our name for the published name of a module with parameters; None if it is unknown."""
        return _translate(name, self.modules)

    def to_published_module(self, name: str) -> str | None:
        """Return the published name for our name of a module with parameters; None if it is unknown."""
        return _translate(name, {ours: published for published, ours in self.modules.items()})

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
        missing = sorted(self.sizes.keys() - self.defaults.keys() - fields.keys())
        if missing:
            raise CheckpointError(f"{source} must have the fields {missing}, but they are missing")
        sizes = self._sizes(fields)
        wrong = {
            name: value
            for name, value in sizes.items()
            if not is_size(value, is_whole=name not in REAL_FIELDS)
        }
        if wrong:
            raise CheckpointError(
                f"{source}: the following fields must be positive numbers, got {show(wrong)}; all but "
                f"{sorted(REAL_FIELDS)} must be whole, and none above {MAX_SIZE:,}"
            )
        layers = next(sizes[name] for name, ours in self.sizes.items() if ours == "num_hidden_layers")
        if layers > MAX_LAYERS:
            raise CheckpointError(
                f"{source}: the number of layers must be at most {MAX_LAYERS:,}, got {layers:,}"
            )
        size = [sizes[name] for name, ours in self.sizes.items() if ours == "vocab_size"][-1]
        outside = {
            name: fields[name]
            for name in ("pad_token_id", "mask_token_id")
            if fields.get(name) is not None and not _is_token(fields[name], size)
        }
        if outside:
            raise CheckpointError(
                f"{source}: ids of tokens must be whole numbers from 0 to {size - 1}, the vocabulary of the "
                f"model, got {show(outside)}; restore the file"
            )
        other = {
            name: fields[name]
            for name, allowed in self.required.items()
            if fields.get(name, allowed[0]) not in allowed
        }
        if other:
            raise CheckpointError(
                f"{source}: the following fields describe a network that weft does not support: {show(other)}"
            )
        for whole, part in self.multiples:
            if sizes[whole] % sizes[part]:
                raise CheckpointError(
                    f"{source}: {whole} must be a multiple of {part}, got {sizes[whole]} and {sizes[part]}"
                )

    def to_config(self, fields: Fields) -> PreTrainedConfig:
        """Return the configuration of the model for checked fields of ``config.json``."""
        sizes = {self.sizes[name]: size for name, size in self._sizes(fields).items() if name != "rope_theta"}
        tokens = ("bos_token_id", "eos_token_id", "pad_token_id", "mask_token_id")
        config: PreTrainedConfig = self.model_class.config_class(
            **sizes,
            **{name: fields.get(name) for name in tokens},
            rope_parameters={"rope_type": "default", "rope_theta": self.rope_theta(fields)},
            tie_word_embeddings=False,
        )
        return config

    def rope_theta(self, fields: Fields) -> float:
        """Return the base of the rotary embedding for checked fields."""
        return float(fields["rope_theta"])

    def to_fields(self, config: Any) -> Fields:
        """Return the fields of the published ``config.json`` for a configuration of the model."""
        sizes = {name: getattr(config, attr) for name, attr in self.sizes.items() if name != "rope_theta"}
        tokens = {name: getattr(config, name) for name in self.tokens}
        common = {"model_type": self.model_type, "rope_theta": config.rope_parameters["rope_theta"]}
        return self.published | common | sizes | tokens

    def _sizes(self, fields: Fields) -> Fields:
        """Return the sizes; those that are absent have their default."""
        return {name: fields.get(name) or fields.get(self.defaults.get(name, name)) for name in self.sizes}


def _translate(name: str, modules: Mapping[str, str]) -> str | None:
    """Translate the name of a module by a table in which ``*`` stands for the number of a block."""
    number = next((part for part in name.split(".") if part.isdecimal()), "")
    translated = modules.get(name.replace(f".{number}.", ".*.", 1) if number else name)
    return None if translated is None else translated.replace("*", number)


def _is_token(value: Any, vocab_size: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < vocab_size


def is_size(value: Any, *, is_whole: bool) -> bool:
    """Return True for a positive number that is not absurdly large; NaN and infinity are not."""
    kinds = int if is_whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and 0 < value <= MAX_SIZE
