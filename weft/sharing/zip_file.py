"""Write a zip file whose bytes depend on the names and the contents of its members only."""

import hashlib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from weft.errors import DataError
from weft.records.files import atomic_file

TIME = (1980, 1, 1, 0, 0, 0)
"""Time of every member: the first that the format can store."""
MODE = 0o100644
"""A file that everybody may read, as the format of Unix stores it."""
STORED_ENDINGS = (".safetensors", ".gz", ".png", ".parquet")
"""Endings of files that do not become smaller."""
CHUNK = 1 << 20


@dataclass(frozen=True)
class Member:
    """A file of an archive.

    Attributes:
        name: path in the archive.
        content: file with the content, or the content.
        sha256: SHA-256 of the content.
        size: size of the content in bytes.
    """

    name: str
    content: Path | bytes
    sha256: str
    size: int


def write_zip(out: Path, members: Iterable[Member]) -> None:
    """Write a zip file atomically, with sorted names, fixed times and fixed permissions.

    Args:
        out: the file; an existing one is replaced.
        members: the files; their contents are read in pieces.

    Raises:
        DataError: the content of a file is not the one whose hash the member has.
    """
    with (
        atomic_file(out) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        for member in sorted(members, key=lambda member: member.name):
            _write_member(archive, member)


def _write_member(archive: zipfile.ZipFile, member: Member) -> None:
    entry = zipfile.ZipInfo(member.name, date_time=TIME)
    entry.create_system = 3  # Unix, whatever the machine
    entry.external_attr = MODE << 16
    entry.compress_type = zipfile.ZIP_STORED if member.name.endswith(STORED_ENDINGS) else zipfile.ZIP_DEFLATED
    entry.file_size = member.size
    if isinstance(member.content, bytes):
        archive.writestr(entry, member.content)
        return
    digest = hashlib.sha256()
    with member.content.open("rb") as source, archive.open(entry, "w") as target:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
    if digest.hexdigest() != member.sha256:
        raise DataError(
            f"{member.content} must not change while it is packed, but its content is another than a moment "
            "ago; wait until nothing writes the results, and pack them again"
        )
