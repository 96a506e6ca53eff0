"""Small files of a checkpoint or adapter directory: the only reader of its JSON files.

A directory may come from a stranger. Only regular files of bounded size are read, because a device or a pipe
may never end, and the depth of JSON is bounded, because Python writes and compares values recursively.
"""

import json
from pathlib import Path

from weft.errors import CheckpointError, shorten
from weft.records.base import JsonObject
from weft.records.files import MAX_DEPTH, is_deeper, read_text, require_regular

MAX_JSON_BYTES = 2**24
"""Size of the largest JSON file of configuration. Published ones have at most 1 MB."""
MAX_FILE_BYTES = 2**28
"""Size of the largest file of a tokenizer. Dream's vocabulary has 7 MB."""
TOKENIZER_FILES = (
    "added_tokens.json",
    "chat_template.jinja",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
)
"""Files that a copy of a checkpoint directory needs beside configuration and weights."""
REMEDY = "download it again, or correct the path of the model"


def read_model_json(file: Path) -> JsonObject:
    """Read the JSON object in a file of a checkpoint or adapter directory.

    Args:
        file: the file, with or without a byte order mark.

    Returns:
        The object.

    Raises:
        CheckpointError: the file is missing, too large, not a regular file, or not a JSON object, or its
            values are nested too deep.
    """
    if not file.exists():
        raise CheckpointError(
            f"{file.parent} must be a checkpoint directory with {file.name}, but the file is missing"
        )
    text = read_text(file, error=CheckpointError, remedy=REMEDY, max_bytes=MAX_JSON_BYTES)
    try:
        fields = json.loads(text)  # NaN is allowed; each number that is used is checked
    except RecursionError as error:
        raise CheckpointError(f"{file} must be JSON without deep nesting; {REMEDY}") from error
    except ValueError as error:
        raise CheckpointError(f"{file} must be JSON: {shorten(str(error))}; {REMEDY}") from error
    if not isinstance(fields, dict):
        raise CheckpointError(f"{file} must contain a JSON object, got {type(fields).__name__}; {REMEDY}")
    if is_deeper(fields, MAX_DEPTH):
        raise CheckpointError(f"{file} must be JSON without deep nesting (at most {MAX_DEPTH}); {REMEDY}")
    return fields


def require_model_file(file: Path) -> None:
    """Check that a file of a tokenizer or a template is a regular file of bounded size."""
    try:
        require_regular(file, MAX_FILE_BYTES, error=CheckpointError, remedy=REMEDY)
    except OSError as error:
        raise CheckpointError(f"{file}: expected a readable file, got {error.strerror}; {REMEDY}") from error
