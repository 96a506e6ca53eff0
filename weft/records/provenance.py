"""Records of the origin and the digests of results, which `weft.provenance` creates and writes."""

from pydantic import ConfigDict, Field

from weft.records.base import Record


class Provenance(Record):
    """The origin of a result. The steps of the workflow add further keys."""

    model_config = ConfigDict(extra="allow")

    weft_version: str
    """Version of weft."""
    commit: str | None
    """Commit of the source tree; None outside of git."""
    dirty: bool | None
    """True if tracked files outside ``docs`` differed from the commit."""
    source_digest: str
    """Digest of the package's source files."""
    experiment: str
    """Name of the experiment."""
    experiment_digest: str
    """Digest of the whole checked experiment."""
    seed: int | None
    """Seed of the step, if it has one."""
    versions: dict[str, str]
    """Versions of the packages that can change a result."""
    python: str
    """Version of Python."""
    machine: str
    """Architecture of the machine."""
    device: str
    """Device that computed the result."""
    inputs: dict[str, str]
    """Path of each input -> its SHA-256."""
    sha256: str
    """SHA-256 of the result."""
    content: dict[str, str] = Field(default={})
    """Path of each file in a result that is a directory -> its SHA-256; empty for other results and in the
    files of earlier versions."""
    code: dict[str, str] = Field(default={})
    """Package or module of weft -> digest of its source files; empty in the files of earlier versions."""


class FileDigest(Record):
    """Digest of a file, and its size and time at the computation of the digest."""

    size: int
    """Size in bytes."""
    mtime_ns: int
    """Time of the last modification, in nanoseconds."""
    sha256: str
    """SHA-256 of the content."""
    ctime_ns: int | None = None
    """Time of the last change of content or attributes, in nanoseconds, which no program can set back."""


class FileDigests(Record):
    """Digests of the files of a directory."""

    files: dict[str, FileDigest]
    """Path below the directory -> digest."""
