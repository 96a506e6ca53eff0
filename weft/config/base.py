"""What all sections share: no unknown keys, no changes after reading, one shape of error."""

import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weft.errors import ConfigError

SectionT = TypeVar("SectionT", bound="Section")
RENAMED_KEYS = {"rules": "scoring"}
"""Key of earlier versions -> its name now."""
RENAMED_SOURCES = {"own": "custom"}
"""Value of ``source`` in earlier versions -> its name now."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Section(BaseModel):
    """A part of a settings file; unknown keys are refused and values cannot change."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,  # "yes" is no number, and 1 is no truth value
        allow_inf_nan=False,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping.

    Raises:
        ConfigError: no such file, not YAML, a key given twice, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"settings file {path} must be readable text: {reason}") from error
    try:
        content = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - a SafeLoader that refuses repeated keys
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} must be YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must be a mapping of keys to values, got {type(content).__name__}")
    return content


def validate(section: type[SectionT], content: dict[str, Any], *, origin: str) -> SectionT:
    """Check a mapping against a section.

    Raises:
        ConfigError: every offence in one message: key, what was expected, what came.
    """
    try:
        return section.model_validate(content)
    except ValidationError as error:
        offences = "\n".join(f"  {_describe(offence)}" for offence in error.errors(include_url=False))
        raise ConfigError(
            f"{origin} is not valid:\n{offences}\nCorrect the file; all keys: docs/config.md"
        ) from error


def _describe(offence: Any) -> str:  # noqa: PLR0911
    key = ".".join(str(part) for part in offence["loc"]) or "(whole file)"
    if offence["type"] == "extra_forbidden":
        if key in RENAMED_KEYS:
            return f"{key}: this key is now named {RENAMED_KEYS[key]!r}"
        return f"{key}: unknown key (value {offence['input']!r}); expected one of the documented keys"
    if offence["type"] == "missing":
        return f"{key}: this key is required, got nothing"
    if offence["type"] == "union_tag_not_found":
        return f"{key}.{_discriminator(offence)}: this key is required, got nothing"
    if offence["type"] == "union_tag_invalid":
        expected, came = offence["ctx"]["expected_tags"], offence["ctx"]["tag"]
        if came in RENAMED_SOURCES:
            return f"{key}.{_discriminator(offence)}: {came!r} is now named {RENAMED_SOURCES[came]!r}"
        return f"{key}.{_discriminator(offence)}: expected one of {expected}; got {came!r}"
    came = repr(offence["input"])
    expected = offence["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    if offence["type"] == "value_error" and isinstance(offence["input"], dict):
        return f"{key}: expected {expected}"  # of a whole section; what came is in the sentence
    return f"{key}: expected {expected}; got {came if len(came) < 120 else came[:117] + '...'}"


def _discriminator(offence: Any) -> str:
    """Name the key that says of which kind a section is; pydantic gives it in quotes."""
    return str(offence["ctx"]["discriminator"]).strip("'")


class _StrictLoader(yaml.SafeLoader):
    """YAML without repeated keys, and with 1e-5 read as the number that it looks like."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = {str(key) for key in keys if keys.count(key) > 1}
        if repeated:
            raise yaml.constructor.ConstructorError(
                None, None, f"key given twice: {sorted(repeated)}", node.start_mark
            )
        return super().construct_mapping(node, deep=deep)


# PyYAML reads 1e-5 as text, since YAML 1.1 wants a point in it.
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+"), list("-+0123456789")
)
