"""The file layer: the only module of weft that opens files for writing, and that reads records.

Writing is atomic. The content is written to a hidden temporary file in the folder of the target, forced to
disk and renamed, so that a reader sees the complete file or no file. The only exception is `LineAppender`,
which appends to a file line by line; an incomplete last line is dropped when the file is continued. If the
disk is full, all of them raise a `weft.errors.DiskFullError`.

Functions for reading take ``error``, the class of the exception that they raise, and ``remedy``, the advice
at the end of its message, which has this form::

    FILE, line N: FIELD: expected ..., got ...; REMEDY
"""

import glob
import gzip
import json
import logging
import os
import platform
import shutil
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock, Timeout
from pydantic import ValidationError

from weft.errors import DataError, WeftError
from weft.layout import lock_file
from weft.records.base import JsonObject, Record
from weft.records.deep_json import parse_leniently
from weft.records.full_disk import explain_full_disk

LOG = logging.getLogger("weft")
RecordT = TypeVar("RecordT", bound=Record)

COPIED_BYTES = 2**26
"""Bytes that are copied at a time."""
SHOWN_CHARACTERS = 80
"""Length to which a wrong value is truncated in a message."""
MAX_DEPTH = 64
"""Largest number of lists and objects around a JSON value in a file that people write. Python itself fails at
about a thousand, and at fewer when it writes or compares such a value."""
MAKE_AGAIN = "make the file again"
"""Advice in a message about a file that weft writes."""


# Writing


@contextmanager
def atomic_file(out: Path) -> Iterator[Path]:
    """Yield a temporary path, and rename the file written there to ``out`` when the block ends.

    If the block raises, the temporary file is deleted and ``out`` is not changed. The folder of ``out`` is
    created if necessary. The temporary files of writers of this machine that were killed are removed.
    """
    with explain_full_disk(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_file(out)
        try:
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(out)
        finally:
            temporary.unlink(missing_ok=True)


def _temporary_file(out: Path) -> Path:
    """Return the path for the content of ``out``, and remove those of processes that have ended.

    Its name has a checksum of the machine's name, because the processes of another machine are not known.
    """
    beginning = f".{out.name}.{zlib.crc32(platform.node().encode()):08x}-"
    for remains in out.parent.glob(f"{glob.escape(beginning)}*.new"):
        process = remains.name.removeprefix(beginning).removesuffix(".new")
        if process.isdecimal() and not _is_running(int(process)):
            remains.unlink(missing_ok=True)
    return out.with_name(f"{beginning}{os.getpid()}.new")


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except OSError as error:
        return not isinstance(error, ProcessLookupError)  # otherwise it belongs to another user
    return True


@contextmanager
def atomic_directory(out: Path) -> Iterator[Path]:
    """Yield an empty temporary directory, and rename it to ``out`` when the block ends.

    If the block raises, the temporary directory is deleted and ``out`` is not changed. An existing directory
    ``out`` is replaced. The remains of an interrupted writer are removed first.
    """
    growing = out.with_name(f".{out.name}.new")
    with explain_full_disk(out):
        shutil.rmtree(growing, ignore_errors=True)
        growing.mkdir(parents=True)
        try:
            yield growing
            shutil.rmtree(out, ignore_errors=True)
            growing.replace(out)
        finally:
            shutil.rmtree(growing, ignore_errors=True)


def move(source: Path, target: Path) -> None:
    """Rename a file or a directory; ``target`` must not exist, and must lie in the same file system."""
    source.rename(target)


def link_or_copy(source: Path, target: Path) -> None:
    """Create a hard link, or a copy with the same time if the file system does not support hard links.

    An edit of the target in place also changes the source. Links to files that weft has not written itself
    are therefore not made; see `copy_file`.
    """
    try:
        target.hardlink_to(source.resolve())
    except OSError:
        copy_file(source, target)


def copy_file(source: Path, target: Path) -> None:
    """Copy a file with its time; some file systems share the content until one of both is changed."""
    with source.open("rb") as read, target.open("wb") as written:
        try:
            while os.copy_file_range(read.fileno(), written.fileno(), COPIED_BYTES):
                pass
        except OSError:  # not supported by this file system, or between these two
            written.seek(read.seek(0))
            written.truncate()
            shutil.copyfileobj(read, written, COPIED_BYTES)
    status = source.stat()
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def link_tree(source: Path, out: Path) -> None:
    """Create a directory with links to all files below another one, or with copies; see `link_or_copy`.

    An existing directory ``out`` is replaced.
    """
    with atomic_directory(out) as folder:
        for file in sorted(path for path in source.rglob("*") if path.is_file()):
            target = folder / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(file, target)


@contextmanager
def lock_output(out: Path) -> Iterator[None]:
    """Lock the file or directory ``out`` during the block, after waiting for other processes.

    A job of a workflow that was killed may still be running and writing the same output.
    """
    with explain_full_disk(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_file(out))
        try:
            acquired = lock.acquire(timeout=0)
        except Timeout:
            LOG.warning("waiting for another process that is writing %s", out)
            acquired = lock.acquire()
    with acquired:
        yield


def write_bytes(out: Path, content: bytes) -> None:
    """Write a file atomically."""
    with atomic_file(out) as temporary:
        temporary.write_bytes(content)


def write_text(out: Path, text: str) -> None:
    """Write a text file atomically, in UTF-8 with line feeds."""
    write_bytes(out, text.encode("utf-8"))


def write_json(out: Path, value: Any) -> None:
    """Write a JSON value or a record atomically, indented, keys in the given order."""
    content = value.as_object() if isinstance(value, Record) else value
    write_text(out, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_lines(out: Path, records: Iterable[Record]) -> None:
    """Write records as JSON Lines, atomically."""
    with atomic_file(out) as temporary, temporary.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(record.as_line() for record in records)


def write_compressed_lines(out: Path, rows: Iterable[JsonObject]) -> None:
    """Write JSON objects as JSON Lines, compressed by gzip, atomically; the same rows give the same bytes."""
    with (
        atomic_file(out) as temporary,
        temporary.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as compressed,
    ):  # without a name and a time, the bytes depend on the content only
        for row in rows:
            compressed.write(json.dumps(row, separators=(",", ":")).encode("ascii") + b"\n")


# Appending


class LineAppender(Generic[RecordT]):
    """Append records to a JSON Lines file, each on disk before `append` returns.

    The file of an interrupted process is continued after its last complete line.

    Args:
        path: file to continue or to create.
        kind: class of the records.

    Attributes:
        records: all records in the file, including those of earlier processes.
        num_damaged: number of complete lines in the file that are no records; they are left in it.
    """

    def __init__(self, path: Path, kind: type[RecordT]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.records, self.num_damaged, num_bytes = _read_whole_lines(path, kind)
        self._file = path.open("ab", buffering=0)  # after a failed write, nothing is left to write
        self._file.truncate(num_bytes)

    def __enter__(self) -> "LineAppender[RecordT]":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, record: RecordT) -> None:
        """Write a record and force it to disk."""
        with explain_full_disk(self.path):
            rest = record.as_line().encode("ascii")
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        self.records.append(record)


def _read_whole_lines(path: Path, kind: type[RecordT]) -> tuple[list[RecordT], int, int]:
    """Return the records in the complete lines, the number of other complete lines, and the size of both."""
    records: list[RecordT] = []
    num_damaged = num_bytes = 0
    *lines, _ = path.read_bytes().split(b"\n") if path.exists() else [b""]  # the rest is incomplete
    for line in lines:
        try:
            records.append(kind.model_validate(parse_json(line.decode("utf-8"))))
        except (ValueError, RecursionError):  # ValidationError and UnicodeDecodeError are ValueErrors
            num_damaged += 1
        num_bytes += len(line) + 1
    return records, num_damaged, num_bytes


# Reading


def read_text(
    path: Path,
    *,
    error: type[WeftError] = DataError,
    remedy: str = "check the path",
    max_bytes: int | None = None,
) -> str:
    """Read a UTF-8 text file, with or without a byte order mark.

    With ``max_bytes``, the file must be a regular file, and not a device or a pipe, of at most this size.
    """
    with _explain_unreadable(path, error, remedy):
        if max_bytes is not None:
            require_regular(path, max_bytes, error=error, remedy=remedy)
    return decode_text(read_bytes(path, error=error, remedy=remedy), path, error=error, remedy=remedy)


def read_bytes(path: Path, *, error: type[WeftError] = DataError, remedy: str = "check the path") -> bytes:
    """Read a whole file."""
    with _explain_unreadable(path, error, remedy):
        return path.read_bytes()


@contextmanager
def _explain_unreadable(path: Path, error: type[WeftError], remedy: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as cause:
        raise error(f"{path}: expected a file, got none; {remedy}") from cause
    except OSError as cause:
        raise error(f"{path}: expected a readable file, got {cause.strerror}; {remedy}") from cause


def require_regular(path: Path, max_bytes: int, *, error: type[WeftError], remedy: str) -> None:
    """Check that a path is a regular file of at most this size; a device or a pipe may never end."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or a pipe"
        raise error(f"{path}: expected a regular file, got {kind}; {remedy}")
    if status.st_size > max_bytes:
        raise error(f"{path}: expected at most {max_bytes:,} bytes, got {status.st_size:,}; {remedy}")


def decode_text(content: bytes, path: Path, *, error: type[WeftError] = DataError, remedy: str) -> str:
    """Decode the content of a UTF-8 text file, with or without a byte order mark."""
    try:
        return content.decode("utf-8-sig", "surrogatepass")
    except UnicodeDecodeError as cause:
        line = cause.object.count(b"\n", 0, cause.start) + 1
        raise error(f"{path}, line {line}: expected UTF-8 text, got byte {cause.object[cause.start]:#04x}; "
                    f"{remedy}") from cause  # fmt: skip


def read_json(
    path: Path, kind: type[RecordT], *, error: type[WeftError] = DataError, remedy: str = MAKE_AGAIN
) -> RecordT:
    """Read a record of class ``kind`` from a JSON file."""
    text = read_text(path, error=error, remedy=remedy)
    return parse_record(text, kind, place=str(path), error=error, remedy=remedy)


def read_lines(
    path: Path,
    kind: type[RecordT],
    *,
    error: type[WeftError] = DataError,
    remedy: str = MAKE_AGAIN,
    allow_nan: bool = False,
) -> list[RecordT]:
    """Read records of class ``kind`` from a JSON Lines file, in file order; see `parse_record`."""
    return [
        parse_record(line, kind, place=place, error=error, remedy=remedy, allow_nan=allow_nan)
        for place, line in numbered_lines(path, read_text(path, error=error, remedy=remedy))
    ]


def stream_lines(path: Path, *, error: type[WeftError], remedy: str) -> Iterator[tuple[str, str]]:
    """Yield the place, "FILE, line N", and the text of each line of a UTF-8 text file.

    One line at a time is in memory.
    """
    with _explain_unreadable(path, error, remedy), path.open("rb") as file:
        for number, content in enumerate(file, start=1):
            place = f"{path}, line {number}"
            try:
                text = content.decode("utf-8-sig" if number == 1 else "utf-8", "surrogatepass")
            except UnicodeDecodeError as cause:
                got = f"byte {content[cause.start]:#04x}"
                raise error(f"{place}: expected UTF-8 text, got {got}; {remedy}") from cause
            yield place, text.removesuffix("\n")


def numbered_lines(path: Path, text: str) -> Iterator[tuple[str, str]]:
    """Yield the place, "FILE, line N", and the text of each line of a JSON Lines file with this text."""
    text = text.removesuffix("\n")
    # str.splitlines would also split at U+2028 inside a text.
    for number, line in enumerate(text.split("\n") if text else (), start=1):
        yield f"{path}, line {number}", line


def parse_record(
    text: str,
    kind: type[RecordT],
    *,
    place: str,
    error: type[WeftError],
    remedy: str,
    allow_nan: bool = False,
) -> RecordT:
    """Return a record from JSON text; ``place`` is named in messages, such as "FILE, line N".

    With ``allow_nan``, NaN and Infinity are accepted, which Python's json module writes, and a value that is
    nested too deep does not matter if its field is not used.
    """
    content = _parse_object(text, place=place, error=error, remedy=remedy, allow_nan=allow_nan)
    return validate_record(content, kind, place=place, error=error, remedy=remedy)


def validate_record(
    content: JsonObject, kind: type[RecordT], *, place: str, error: type[WeftError], remedy: str
) -> RecordT:
    """Return a record from a JSON object; ``place`` is named in messages, such as "FILE, line N"."""
    try:
        return kind.model_validate(content)
    except ValidationError as cause:
        raise error(f"{place}: {_describe(cause)}; {remedy}") from cause


def parse_json(text: str, *, allow_nan: bool = False) -> Any:
    """Parse JSON text that may contain lone surrogates; raise ValueError or RecursionError if it is invalid.

    A byte-level tokenizer can produce lone surrogates; the parser of pydantic rejects them. With
    ``allow_nan``, the text is read by `weft.records.deep_json.parse_leniently`.
    """
    return parse_leniently(text) if allow_nan else json.loads(text, parse_constant=_refuse_constant)


def is_deeper(value: Any, limit: int) -> bool:
    """Return True if more than ``limit`` lists and objects are around a part of a JSON value."""
    level = [value]
    for _ in range(limit):
        level = [part for item in level for part in _parts(item)]
        if not level:
            return False
    return True


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _parse_object(
    text: str, *, place: str, error: type[WeftError], remedy: str, allow_nan: bool = False
) -> JsonObject:
    try:
        value = parse_json(text, allow_nan=allow_nan)
    except json.JSONDecodeError as cause:
        line = text.split("\n")[cause.lineno - 1]
        place = f"{place}, line {cause.lineno}" if "\n" in text else place
        raise error(f"{place}: expected a JSON object, got {_cut(line)!r} "
                    f"({cause.msg}, column {cause.colno}); {remedy}") from cause  # fmt: skip
    except (ValueError, RecursionError) as cause:
        raise error(f"{place}: expected a JSON object, got {_cut(text)!r} ({cause}); {remedy}") from cause
    if not isinstance(value, dict):
        raise error(f"{place}: expected a JSON object, got {_cut(text)!r}; {remedy}")
    return value


def _describe(cause: ValidationError) -> str:
    """Describe the first problem of a record: the field, the expected value, and the actual value."""
    problem = cause.errors(include_url=False)[0]
    field = _cut(".".join(map(str, problem["loc"])))
    if problem["type"] == "missing":
        return f"{field}: expected a value, got none"
    expected = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{field or 'record'}: expected {expected}, got {_cut(repr(problem['input']))}"


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
