"""The base class of all records."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

JsonObject = dict[str, Any]
"""A JSON object of unknown form, such as a row of a data file of unknown origin.

The values are not typed as `pydantic.JsonValue`, which is recursive: the type checks during tests cannot
resolve it."""

MAX_COUNT = 10**9
"""Largest size of a weight or count that is computed with."""

Count = Annotated[int, Field(ge=-MAX_COUNT, le=MAX_COUNT)]


class Record(BaseModel):
    """A record in a JSON or JSON Lines file. Instances are frozen; unknown keys are ignored.

    Only the fields that were passed are written, in the order in which the class defines them.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        strict=True,
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        protected_namespaces=(),
        use_attribute_docstrings=True,
    )

    def as_object(self) -> dict[str, Any]:
        """Return the record as a JSON object with the keys of the file."""
        return self.model_dump(mode="json", exclude_unset=True)

    def as_line(self) -> str:
        """Return the record as a line of JSON in ASCII, ending with a line feed."""
        return json.dumps(self.as_object(), ensure_ascii=True, allow_nan=False) + "\n"
