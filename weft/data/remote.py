"""Files from outside: look in the offline folders first, then download; check the hash either way."""

import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from weft.config.offline import find_offline, offline_places
from weft.config.sources import HubFile, HubModel, WebFile
from weft.errors import DataError
from weft.provenance import file_sha256

TIMEOUT_S = 60


def fetch_web_file(source: WebFile, out: Path, *, offline: Sequence[str]) -> None:
    """Copy or download a file and check its hash.

    Raises:
        DataError: neither found offline nor reachable, or the content differs from the pinned hash.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.new")
    with _open(source.url, source.offline, offline) as (file, origin), temporary.open("wb") as copy:
        shutil.copyfileobj(file, copy)
    check_sha256(temporary, source.sha256, name=origin)
    temporary.replace(out)


def read_web_file(url: str, wanted: str, *, offline: Sequence[str], max_bytes: int) -> tuple[bytes, str]:
    """Read a small file without keeping it.

    Args:
        url: its address.
        wanted: where to look first, relative to the folders of ``offline``.
        offline: folders searched before any download.
        max_bytes: a larger file is refused.

    Returns:
        The content, and where it comes from.

    Raises:
        DataError: neither found offline nor reachable, or too large.
    """
    with _open(url, wanted, offline) as (file, origin):
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise DataError(f"{origin} must have at most {max_bytes} bytes, it has more; it is another file")
    return content, origin


def fetch_hub_file(source: HubFile, *, offline: Sequence[str], repo_type: str = "dataset") -> Path:
    """Find or download one file of a hub repository and check its hash where one is pinned.

    Returns:
        Path of the file: in an offline folder, or in the hub client's cache.

    Raises:
        DataError: neither found offline nor reachable, or the content differs from the pinned hash.
    """
    wanted = f"{source.repo}/{source.file}"
    path = find_offline(wanted, offline)
    if path is None:
        import huggingface_hub

        try:
            path = Path(
                huggingface_hub.hf_hub_download(
                    source.repo, source.file, revision=source.revision, repo_type=repo_type
                )
            )
        except Exception as error:  # the client raises many kinds; all mean that the file is not here
            raise DataError(_unreachable(f"hub file {wanted}", wanted, offline, error)) from error
    if source.sha256 is not None:
        check_sha256(path, source.sha256, name=str(path))
    return path


def fetch_hub_model(source: HubModel, *, offline: Sequence[str]) -> Path:
    """Find or download a checkpoint directory: configuration, tokenizer and safetensors, no code.

    Raises:
        DataError: neither found offline nor reachable.
    """
    local = find_offline(source.repo, offline)
    if local is not None:
        return local
    import huggingface_hub

    try:
        return Path(
            huggingface_hub.snapshot_download(
                source.repo, revision=source.revision, allow_patterns=["*.json", "*.safetensors", "*.jinja"]
            )
        )
    except Exception as error:  # as above
        raise DataError(_unreachable(f"model {source.repo}", source.repo, offline, error)) from error


def resolved_commit(path: Path) -> str | None:
    """Say which commit a file or folder of the hub client's cache belongs to; None for an offline copy."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-1] else None


def check_sha256(path: Path, expected: str, *, name: str) -> None:
    """Compare a file with its pinned hash.

    Raises:
        DataError: they differ.
    """
    found = file_sha256(path)
    if found != expected:
        raise DataError(
            f"{name} must have sha256 {expected}, got {found}; the file is damaged or another version: "
            "delete it and fetch it again"
        )


@contextmanager
def _open(url: str, wanted: str, offline: Sequence[str]) -> Iterator[tuple[IO[bytes], str]]:
    """Open a file from an offline folder or from its address; say which it is."""
    local = find_offline(wanted, offline)
    try:
        with local.open("rb") if local else urllib.request.urlopen(url, timeout=TIMEOUT_S) as file:  # noqa: S310 - the schema checks it
            yield file, str(local or url)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise DataError(_unreachable(url, wanted, offline, error)) from error


def _unreachable(what: str, name: str, offline: Sequence[str], error: Exception) -> str:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    places = offline_places(name, offline)
    return f"{what} cannot be downloaded ({type(error).__name__}: {first_line}); offline, put it at {places}"
