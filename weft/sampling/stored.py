"""Answers in the store of a sampling job, with a digest of each and of the code that computed it.

The digests find damage and answers that somebody has written into the store, as long as the digests are not
computed anew with them.
"""

import functools

from weft.provenance import digest, installed_versions, source_digest
from weft.records import Generation

CODE = ("sampling", "diffusion", "model")
"""Packages of weft whose code decides the tokens of an answer."""
LIBRARIES = ("torch", "transformers")
"""Packages whose versions decide the tokens of an answer."""
DIGITS = 16
"""Hexadecimal digits of a digest in the store."""
ADDED = ("source", "check")


class StoredAnswer(Generation):
    """An answer in the store of a job."""

    source: str | None = None
    """Digest of the code that computed the answer; absent once the output of the job has been written."""
    check: str | None = None
    """Digest of all other fields; absent in the stores of earlier versions."""

    @classmethod
    def seal(cls, generation: Generation, source: str | None) -> "StoredAnswer":
        """Return an answer with its digest, and with that of the code unless the output is finished."""
        content = generation.as_object() | ({} if source is None else {"source": source})
        return cls.model_validate(content | {"check": digest(content)[:DIGITS]})

    @property
    def is_intact(self) -> bool:
        """Whether the answer has its digest."""
        content = {name: value for name, value in self.as_object().items() if name != "check"}
        return self.check == digest(content)[:DIGITS]

    def answer(self) -> Generation:
        """Return the answer as it is written to the output."""
        content = {name: value for name, value in self.as_object().items() if name not in ADDED}
        return Generation.model_validate(content)


@functools.cache
def tokens_source() -> str:
    """Return a digest of the code and the libraries that decide the tokens of an answer."""
    versions = installed_versions()
    return digest([source_digest(*CODE), *map(versions.get, LIBRARIES)])[:DIGITS]
