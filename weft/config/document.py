"""docs/config.md, made from the descriptions of the settings."""

import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from weft.config.experiment import FineTuning, StoredGenerations
from weft.config.settings import Settings

HEAD = """# Settings

Made by `make config-docs` from the descriptions in `weft/config/`; do not edit by hand.
`python -m weft config show NAME` prints an experiment with every value filled in.
"""


def document() -> str:
    """Write the whole page."""
    roots: list[tuple[str, type[BaseModel]]] = [
        ("config.yaml: which experiment, and how to run it", Settings),
        ("Experiment file of kind `fine-tuning`", FineTuning),
        ("Experiment file of kind `generations`", StoredGenerations),
    ]
    parts, seen = [HEAD], set[type[BaseModel]]()
    for title, root in roots:
        parts.append(f"\n## {title}\n\n{_table(root)}")
        for section in _sections_below(root):
            if section not in seen:
                seen.add(section)
                summary = (section.__doc__ or "").strip().splitlines()[0]
                parts.append(f"\n### {section.__name__}\n\n{summary}\n\n{_table(section)}")
    return "".join(parts)


def _table(section: type[BaseModel]) -> str:
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for name, field in section.model_fields.items():
        meaning = (field.description or _first_line(field.annotation)).replace("\n", " ").replace("|", "\\|")
        rows.append(f"| `{name}` | {_type_name(field.annotation)} | {_default(field)} | {meaning} |")
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    return "required" if field.default is PydanticUndefined else f"`{field.default}`"


def _first_line(annotation: Any) -> str:
    sections = list(_sections_in(annotation))
    return "; ".join(f"see {section.__name__}" for section in sections)


def _type_name(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type_name(arguments[0])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_name(part) for part in arguments if part is not type(None))
    if origin is not None:
        return f"{origin.__name__} of {', '.join(_type_name(part) for part in arguments)}"
    return str(getattr(annotation, "__name__", annotation))


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _sections_in(part)


def _sections_below(section: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for field in section.model_fields.values():
        for below in _sections_in(field.annotation):
            yield below
            yield from _sections_below(below)
