"""Explain a failed write by a full disk, and keep room for that message in the log.

Libraries report a full disk in different ways, some of them only as text, and PyTorch's writer of
checkpoints not at all ("basic_ios::clear: iostream error").
"""

import errno
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from weft.errors import DiskFullError, WeftError, describe_error

FULL_ERRORS = {errno.ENOSPC, errno.EDQUOT}
"""Errors of the operating system that mean that there is no space: full device, disk quota used up."""
_FULL_TEXT = re.compile(
    "|".join(
        rf"{os.strerror(number)}|\(os error {number}\)|\[Errno {number}\]" for number in sorted(FULL_ERRORS)
    )
)
PROBE_BYTES = 1 << 20
"""Bytes that are written to find out whether a device is full. PyTorch writes until it is."""
RESERVED_LOG_BYTES = 8192
"""Space that a command reserves for messages in its log, in bytes."""


@contextmanager
def explain_full_disk(*paths: Path) -> Iterator[None]:
    """Raise DiskFullError for an exception of the block that a full disk has caused.

    Args:
        *paths: files or folders that the block may write, of which the message names the first on a full
            device. They need not exist.

    Raises:
        DiskFullError: the block failed because there was no space left.
    """
    try:
        yield
    except WeftError:
        raise
    except Exception as error:
        full = next((path for path in paths if not _has_room(path)), None)
        if names_full_disk(error):
            reason = ""
        elif isinstance(error, RuntimeError) and full is not None:
            reason = f" [{describe_error(error)}]"
        else:
            raise
        path = full or paths[0]
        raise DiskFullError(
            f"no space left on the device that holds {path} ({_describe_room(path)}); free space and run the "
            f"same command again{reason}"
        ) from error


def names_full_disk(error: BaseException) -> bool:
    """Return True if an exception, or one of its causes, says that no space is left on a device."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in FULL_ERRORS:
            return True
        if _FULL_TEXT.search(describe_error(cause)):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def reserve_log_space() -> None:
    """Reserve space in the file to which standard error is written, so that a message fits on a full disk.

    The size of the file does not change. Nothing is done where standard error is not a file, or the file
    system cannot reserve space.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    keep_size = 1  # FALLOC_FL_KEEP_SIZE in linux/falloc.h
    with suppress(OSError, ValueError, AttributeError):
        descriptor = sys.stderr.fileno()
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            start, length = ctypes.c_long(status.st_size), ctypes.c_long(RESERVED_LOG_BYTES)
            ctypes.CDLL(None).fallocate(descriptor, keep_size, start, length)


def existing_folder(path: Path) -> Path:
    """Return a folder, or the nearest one above it that exists, in which it would be created."""
    absolute = path.absolute()
    return next(folder for folder in (absolute, *absolute.parents) if folder.exists())


def _existing_parent(path: Path) -> Path:
    """Return the innermost folder that exists and contains a path, or is the path."""
    return next((folder for folder in (path, *path.absolute().parents) if folder.is_dir()), Path.cwd())


def _has_room(path: Path) -> bool:
    """Return False if a small file cannot be written beside or into a path because no space is left."""
    try:
        with tempfile.TemporaryFile(dir=_existing_parent(path)) as file:
            file.write(os.urandom(PROBE_BYTES))  # a file system may compress zeros
    except OSError as error:
        return error.errno not in FULL_ERRORS
    return True


def _describe_room(path: Path) -> str:
    """Describe the space that a user may use on the device of a path, such as "4,096 bytes are free"."""
    room = os.statvfs(_existing_parent(path))
    files = f", and room for {room.f_favail:,} further files" if room.f_files and not room.f_favail else ""
    return f"{room.f_bavail * room.f_frsize:,} bytes are free{files}"
