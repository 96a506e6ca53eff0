"""Base class of all parts of settings files, and the function that checks such files."""

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from weft.config.yaml_file import Keys, YamlFile, explain_number
from weft.errors import SHOWN_CHARACTERS, ConfigError, shorten, show
from weft.records.base import JsonObject

SectionT = TypeVar("SectionT", bound="Section")
ValueT = TypeVar("ValueT")
NAME_PATTERN = r"^[a-z0-9]+([._-][a-z0-9]+)*$"
SHA256_PATTERN = r"^[0-9a-f]{64}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Sha256 = Annotated[str, Field(pattern=SHA256_PATTERN)]


def _require_distinct(values: list[ValueT]) -> list[ValueT]:
    if len(set(values)) < len(values):
        raise ValueError(f"the values must differ from each other, got {show(values)}")
    return values


Distinct = AfterValidator(_require_distinct)
"""Annotation of a list whose values must differ."""
SHOWN_OFFENCES = 20
"""Number of wrong values of a file that a message lists."""
TOP_KEYS = ("special_tokens", "too_long", "forbid_test_questions")
"""Keys of an experiment that are looked for in its sections."""
RENAMED = {"rules": "scoring", "own": "custom"}
"""Key or value of ``source`` in earlier versions -> its present name."""
EXPECTED = {
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "keys with values"),
    "tuple_type": "a pair of names in square brackets, such as [first, second]",
}
"""Pydantic's name of an offence -> what was expected."""
FILE_KINDS = ("web", "hub")
"""Tags of the two kinds of files, which differ in their keys."""
ADDED_KINDS = ("hub_dataset", "hub_files", "instruction_name", "instruction_file")
"""Tags of the two kinds of training sets on the hub, which follow the tag ``hub``, and of instructions."""


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


def validate(
    section: type[SectionT],
    content: JsonObject,
    *,
    origin: str,
    file: YamlFile | None = None,
    remedy: str = "Correct the file",
) -> SectionT:
    """Check the keys and values of a section.

    A number where a text is wanted, such as the name 2024_01, is taken as it is written in the file.

    Args:
        section: class of the section.
        content: keys and values.
        origin: name of the file, for messages.
        file: the file with its places, for line numbers in messages; relative paths are looked up in its
            folder first.
        remedy: what to do, for messages.

    Returns:
        The section.

    Raises:
        ConfigError: a value is not allowed; the message lists every such key with what was expected.
    """
    try:
        return section.model_validate(content, context={"folders": file.folders if file else []})
    except ValidationError as error:
        offences = error.errors(include_url=False)
        texts = _numbers_as_written(offences, content, file)
        if not texts:
            described = (_describe(offence, content, file) for offence in offences)
            raise invalid(origin, *described, remedy=remedy) from error
    changed = copy.deepcopy(content)
    for keys, text in texts.items():
        _replace(changed, keys, text)
    return validate(section, changed, origin=origin, file=file, remedy=remedy)


def invalid(origin: str | Path, *offences: str, remedy: str = "Correct the file") -> ConfigError:
    """Return the error for wrong values in a file, or in what ``origin`` names."""
    lines = "".join(f"\n  {shorten(offence)}" for offence in offences[:SHOWN_OFFENCES])
    if len(offences) > SHOWN_OFFENCES:
        lines += f"\n  and {len(offences) - SHOWN_OFFENCES} more"
    return ConfigError(f"{origin} is not valid:{lines}\n{remedy}; all keys: docs/config.md")


def _numbers_as_written(
    offences: Sequence[ErrorDetails], content: JsonObject, file: YamlFile | None
) -> dict[tuple[str | int, ...], str]:
    """Return the text of each number in the file that was refused because a text is wanted."""
    texts = {}
    for offence in offences:
        keys = _keys_in_file(offence["loc"], content)
        is_number = isinstance(offence["input"], int | float) and not isinstance(offence["input"], bool)
        if offence["type"] == "string_type" and is_number and file is not None:
            text = file.written(keys)
            if text is not None:
                texts[keys] = text
    return texts


def _replace(content: Any, keys: tuple[str | int, ...], text: str) -> None:
    for key in keys[:-1]:
        content = content[key]
    content[keys[-1]] = text


def _keys_in_file(location: Sequence[str | int], content: JsonObject) -> tuple[str | int, ...]:
    """Return the keys of a value as they stand in the file, without the tags that pydantic adds.

    Pydantic names the kind of a section, such as ``hub``, among the keys, and marks an offence of a key
    itself by ``[key]``.
    """
    keys: list[str | int] = []
    value: Any = content
    is_tagged = False
    for position, key in enumerate(location):
        if key in ADDED_KINDS:
            continue
        is_last = position == len(location) - 1
        is_tag = not is_tagged and _is_tag(key, value, is_last=is_last)
        if key == "[key]" or is_tag:
            is_tagged = is_tag
            continue
        keys.append(key)
        is_tagged = False
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            value = None
    return tuple(keys)


def _is_tag(key: str | int, value: object, *, is_last: bool) -> bool:
    """Return True if a part of a location is the kind of a section instead of a key in it."""
    if not isinstance(value, dict):
        return key in FILE_KINDS
    return value.get("source") == key or (key in FILE_KINDS and key not in value and not is_last)


def _describe(offence: ErrorDetails, content: JsonObject, file: YamlFile | None) -> str:
    """Describe a wrong value: its line and key, what was expected, and the value."""
    keys, kind, value = _keys_in_file(offence["loc"], content), offence["type"], offence["input"]
    if kind == "value_error" and not keys:  # a sentence about several keys, which begins with one of them
        sentence = offence["msg"].removeprefix("Value error, ")
        return _place(re.split(r"[^\w-]", sentence, maxsplit=1)[:1], file) + sentence
    is_source = kind.startswith("union_tag")
    if is_source:  # the key that tells kinds of a section apart is wrong or missing
        keys = (*keys, offence["ctx"]["discriminator"].strip("'"))
        value = offence["ctx"].get("tag")
    name = ".".join(shorten(str(key), SHOWN_CHARACTERS) for key in keys)
    key = _place(keys, file) + (name or "(whole file)")
    if kind in ("missing", "union_tag_not_found"):
        return f"{key}: this key is required, got nothing"
    if kind == "value_error":  # the sentence of a validator, which names the value
        return f"{key}: {offence['msg'].removeprefix('Value error, ')}"
    if kind == "extra_forbidden":
        return f"{key}: {_describe_unknown_key(keys, value)}"
    if is_source and value in RENAMED:
        return f"{key}: {value!r} is now named {RENAMED[value]!r}"
    expected = f"one of {offence['ctx']['expected_tags']}" if is_source else _expected(offence)
    return f"{key}: expected {expected}; got {show(value)}{_explain(offence, keys, file)}"


def _describe_unknown_key(keys: Keys, value: object) -> str:
    if len(keys) == 1 and keys[0] in RENAMED:
        return f"this key is now named {RENAMED[str(keys[0])]!r}"
    is_misplaced = len(keys) > 1 and keys[-1] in TOP_KEYS
    advice = "; this key stands at the top of the file, outside all sections" if is_misplaced else ""
    return f"unknown key, got {show(value)}{advice}"


def _place(keys: Keys, file: YamlFile | None) -> str:
    return "" if file is None else file.place(keys)


def _expected(offence: ErrorDetails) -> str:
    pattern = offence.get("ctx", {}).get("pattern")
    if pattern == NAME_PATTERN:
        form = "lower-case letters and digits, with a single '.', '_' or '-' between them"
        given = str(offence["input"])[:SHOWN_CHARACTERS].lower()
        suggested = re.sub(r"[^a-z0-9._]+", "-", given).strip("-._")
        return f"{form}, such as {suggested!r}" if re.match(NAME_PATTERN, suggested) else form
    if pattern == SHA256_PATTERN:
        return "64 hexadecimal digits in lower case"
    if pattern:
        return f"a text of the form {pattern}"
    is_empty_section = offence["type"] == "too_short" and offence["input"] == {}
    message = "at least one key with a value" if is_empty_section else offence["msg"]
    return EXPECTED.get(offence["type"], message.removeprefix("Input should be "))


def _explain(offence: ErrorDetails, keys: tuple[str | int, ...], file: YamlFile | None) -> str:
    """Explain how a value came to have another type than its author meant, if that can be known."""
    if offence["type"] == "string_type":
        text = None if file is None else file.written(keys)
        is_word = isinstance(offence["input"], bool | None) and text
        return f", which YAML reads from {text}; put it in quotes" if is_word else ""
    is_number = offence["type"].startswith(("int_", "float_"))
    return explain_number(offence["input"]) if is_number else ""
