"""Identifiers that are computed from texts, so that equal texts have equal identifiers in every run.

Texts are encoded as UTF-8; lone surrogates, which a byte-level tokenizer can produce, are allowed. The
texts that are hashed must not change, because published files contain the identifiers.
"""

import hashlib
import json
from collections.abc import Sequence

from weft.records.examples import Message

NUM_HEX_DIGITS = 16
"""Length of the id of a question or of an example."""


def text_sha256(text: str) -> str:
    """Return the SHA-256 of a text as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def question_id(benchmark: str, question: str) -> str:
    """Return the id of a test question, or of a generated problem."""
    return text_sha256(f"{benchmark}\n{question}")[:NUM_HEX_DIGITS]


def example_id(dataset: str, question: str, answer: str, history: Sequence[Message] = ()) -> str:
    """Return the id of a training example that was read from a file."""
    turns = json.dumps([turn.as_object() for turn in history]) if history else ""
    return text_sha256(f"{dataset}\n{turns}{question}\n{answer}")[:NUM_HEX_DIGITS]


def stored_question_id(question: str) -> str:
    """Return the id of a question in a file of published generations, which holds no ids."""
    return text_sha256(question)[:NUM_HEX_DIGITS]


def example_key(example_id: str) -> int:
    """Return an example id as a non-negative 63-bit integer, which fits into a tensor."""
    return int(example_id, 16) % 2**63
