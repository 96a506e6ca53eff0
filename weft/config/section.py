"""Base class of all parts of settings files, and the functions that read and check such files."""

import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from weft.errors import ConfigError
from weft.records.base import JsonObject
from weft.records.files import read_text

SectionT = TypeVar("SectionT", bound="Section")
ValueT = TypeVar("ValueT")
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def _require_distinct(values: list[ValueT]) -> list[ValueT]:
    if len(set(values)) < len(values):
        raise ValueError(f"the values must differ from each other, got {values}")
    return values


Distinct = AfterValidator(_require_distinct)
"""Annotation of a list whose values must differ."""
RENAMED = {"rules": "scoring", "own": "custom"}
"""Key or value of ``source`` in earlier versions -> its present name."""
SHOWN_CHARACTERS = 120
"""Length to which a wrong value is truncated in a message."""


class Section(BaseModel):
    """Base class for settings: unknown keys and implicit conversions are refused, instances are frozen."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,  # "5" is not accepted as a number, nor 1 as a Boolean
        allow_inf_nan=False,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


def read_yaml(path: Path, *, remedy: str = "check the path") -> JsonObject:
    """Read a YAML file that holds a mapping.

    Args:
        path: the file.
        remedy: what to do if it is missing, for the message.

    Returns:
        Keys and values.

    Raises:
        ConfigError: the file is missing, is not YAML, gives a key twice, or does not hold a mapping.
    """
    text = read_text(path, error=ConfigError, remedy=remedy)
    try:
        content = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader that refuses repeated keys
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML does not catch the errors of a value that does not have the form of its type.
        raise ConfigError(f"{path} must be YAML: {error}; correct the file") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must be a mapping of keys to values, got {_cut(content)}")
    return content


def validate(section: type[SectionT], content: JsonObject, *, origin: str) -> SectionT:
    """Check the keys and values of a section.

    Args:
        section: class of the section.
        content: keys and values.
        origin: name of the file, for messages.

    Returns:
        The section.

    Raises:
        ConfigError: a value is not allowed; the message lists every such key with what was expected.
    """
    try:
        return section.model_validate(content)
    except ValidationError as error:
        raise invalid(origin, *map(_describe, error.errors(include_url=False))) from error


def invalid(origin: str | Path, *offences: str) -> ConfigError:
    """Return the error for a file with wrong values."""
    lines = "".join(f"\n  {offence}" for offence in offences)
    return ConfigError(f"{origin} is not valid:{lines}\nCorrect the file; all keys: docs/config.md")


def _describe(offence: ErrorDetails) -> str:
    """Describe a wrong value: its key, what was expected, and the value."""
    keys, kind, value = list(offence["loc"]), offence["type"], offence["input"]
    is_source = kind.startswith("union_tag")
    if is_source:  # the key that tells kinds of a section apart is wrong or missing
        context = offence["ctx"]
        keys.append(context["discriminator"].strip("'"))
        value = context.get("tag")
    key = ".".join(map(str, keys)) or "(whole file)"
    if kind in ("missing", "union_tag_not_found"):
        return f"{key}: this key is required, got nothing"
    if kind == "value_error":  # the sentence of a validator, which names the value
        return f"{key}: {offence['msg'].removeprefix('Value error, ')}"
    if kind == "extra_forbidden":
        now = RENAMED.get(key)
        return f"{key}: this key is now named {now!r}" if now else f"{key}: unknown key, got {_cut(value)}"
    if is_source and value in RENAMED:
        return f"{key}: {value!r} is now named {RENAMED[value]!r}"
    expected = f"one of {context['expected_tags']}" if is_source else offence["msg"]
    return f"{key}: expected {expected.removeprefix('Input should be ')}; got {_cut(value)}"


def _cut(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write an integer of more than 4,300 digits
        text = "a very large number"
    return text if len(text) < SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


class _StrictLoader(yaml.SafeLoader):
    """YAML loader that refuses repeated keys and reads 1e-5 as a number."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = {str(key) for key in keys if keys.count(key) > 1}
        if repeated:
            raise yaml.constructor.ConstructorError(
                None, None, f"key given twice: {sorted(repeated)}", node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


# PyYAML reads 1e-5 as text, because YAML 1.1 requires a decimal point.
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+"), list("-+0123456789")
)
