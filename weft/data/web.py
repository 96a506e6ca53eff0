"""Fetch files from the web, from a mirror, or copy them from an offline folder."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import IO
from urllib.parse import quote

from weft.config.sources import WebFile
from weft.data.offline import check_sha256, find_offline, is_address, list_places
from weft.errors import DataError
from weft.records.files import atomic_file

TIMEOUT_S = 60
MAX_BYTES = 2**30
"""Size of the largest file of questions. The largest published one has 1 MB."""
CHUNK_BYTES = 2**20


def fetch_web_file(source: WebFile, out: Path, *, offline: Sequence[str]) -> None:
    """Copy a file from an offline folder, or download it from a mirror or its address; check its hash."""
    with _open(source.url, source.offline, offline) as (file, origin), atomic_file(out) as copy:
        with copy.open("wb") as target:
            for chunk in _read_bounded(file.read, origin):
                target.write(chunk)
        check_sha256(copy, source.sha256, name=origin)


def _read_bounded(read: Callable[[int], bytes], origin: str) -> Iterator[bytes]:
    """Yield the parts of a file, unless it is so large that it would fill the disk."""
    num_bytes = 0
    while chunk := read(CHUNK_BYTES):
        num_bytes += len(chunk)
        if num_bytes > MAX_BYTES:
            raise DataError(f"{origin} must have at most {MAX_BYTES:,} bytes, got more; check the file")
        yield chunk


def read_web_file(url: str, name: str, *, offline: Sequence[str], max_bytes: int) -> tuple[bytes, str]:
    """Return the content of a small file, and the path or address from which it was read.

    ``name`` is the path of the file below the folders and mirrors of ``offline``, which are searched first.
    """
    with _open(url, name, offline) as (file, origin):
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise DataError(f"{origin} must have at most {max_bytes} bytes, got more; check the file")
    return content, origin


def describe_failure(source: str, name: str, offline: Sequence[str], error: BaseException) -> str:
    """Return the message of a failed download, with the paths for a copy of the file."""
    first_line = str(error).strip().partition("\n")[0] or type(error).__name__
    return (
        f"{source} cannot be downloaded ({type(error).__name__}: {first_line}); "
        f"to work offline, put it at {list_places(name, offline)}"
    )


@contextmanager
def _open(url: str, name: str, offline: Sequence[str]) -> Iterator[tuple[IO[bytes], str]]:
    """Open a file from an offline folder, a mirror or its address; also yield the path or address."""
    origins = _list_origins(url, name, offline)
    for origin in origins:
        try:
            with (
                origin.open("rb")
                if isinstance(origin, Path)
                else urllib.request.urlopen(origin, timeout=TIMEOUT_S)  # noqa: S310 - settings allow http(s) only
            ) as file:
                yield file, str(origin)
                return
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # otherwise the connection stays open
                if error.code == HTTPStatus.NOT_FOUND and origin != origins[-1]:
                    continue  # the mirror does not have the file
            raise DataError(describe_failure(str(origin), name, offline, error)) from error


def _list_origins(url: str, name: str, offline: Sequence[str]) -> list[Path | str]:
    """Return the places of a file in order: mirrors, and then a copy on this machine or its address."""
    origins: list[Path | str] = []
    for place in offline:
        if is_address(place):
            origins.append(f"{place.rstrip('/')}/{quote(name)}")
        elif (path := find_offline(name, [place])) is not None:
            return [*origins, path]
    return [*origins, url]
