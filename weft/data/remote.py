"""Files from outside: look in the offline folders first, then download; check the hash either way.

What comes from the hub is pinned on first use (`weft.config.pins`): the fetching functions ask for the
recorded commit and check the recorded hashes, the recording ones note them once the content proved usable.

The client goes on where a connection broke (five times without a byte, a second apart) and gives up on a
hub that does not answer after six attempts, with 23 seconds between them and at most ten for each.  It keeps
no part of a file when its process ends.
"""

import http.client
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from weft.config.offline import find_offline, offline_places
from weft.config.pins import find_pin, record_pin
from weft.config.sources import HubFile, HubModel, WebFile
from weft.errors import DataError
from weft.provenance import file_sha256

TIMEOUT_S = 60
MODEL_SUFFIXES = (".json", ".safetensors", ".jinja")


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


def fetch_hub_file(source: HubFile, *, offline: Sequence[str], pins: Path | None = None) -> Path:
    """Find or download one file of a data set on the hub and check its hash where one is pinned or recorded.

    Args:
        source: repository, file and revision.
        offline: folders searched before any download.
        pins: lock file of the experiment; its commit is asked for, its hash checked.

    Returns:
        Path of the file: in an offline folder, or in the hub client's cache.

    Raises:
        DataError: neither found offline nor reachable, or the content is not what was pinned, recorded
            or promised by the hub.
    """
    wanted = f"{source.repo}/{source.file}"
    pin = find_pin(pins, "dataset", source.repo, source.revision)
    path = find_offline(wanted, offline)
    if path is None:
        import huggingface_hub

        revision = pin.commit if pin else source.revision
        with _hub_errors(f"{source.file} of data set {source.repo} at {revision}", wanted, offline):
            path = Path(
                huggingface_hub.hf_hub_download(
                    source.repo, source.file, revision=revision, repo_type="dataset"
                )
            )
    if source.sha256 is not None:
        check_sha256(path, source.sha256, name=str(path))
    elif pin is not None and source.file in pin.files:
        check_sha256(path, pin.files[source.file], name=f"{path}, as recorded in {pins},")
    else:
        _check_by_hub(path)
    return path


def record_hub_file(source: HubFile, path: Path, *, pins: Path) -> None:
    """Note which commit a downloaded file belongs to, and its hash.

    Nothing is noted for an offline copy, nor for a file whose hash the experiment gives.

    Raises:
        DataError: something else is noted, or the lock file cannot be written.
    """
    commit = resolved_commit(path)
    if commit is not None and source.sha256 is None:
        hashes = {source.file: file_sha256(path)}
        record_pin(pins, "dataset", source.repo, source.revision, commit=commit, files=hashes)


def fetch_hub_model(source: HubModel, *, offline: Sequence[str], pins: Path | None = None) -> Path:
    """Find or download a checkpoint directory: configuration, tokenizer and safetensors, no code.

    Args:
        source: repository, revision and hashes.
        offline: folders searched before any download.
        pins: lock file of the experiment; its commit is asked for, its hashes are checked.

    Raises:
        DataError: neither found offline nor reachable, or a file is not what was pinned or recorded.
    """
    pin = find_pin(pins, "model", source.repo, source.revision)
    folder = find_offline(source.repo, offline)
    if folder is None:
        import huggingface_hub

        revision = pin.commit if pin else source.revision
        with _hub_errors(f"model {source.repo} at {revision}", source.repo, offline):
            folder = Path(
                huggingface_hub.snapshot_download(
                    source.repo, revision=revision, allow_patterns=[f"*{suffix}" for suffix in MODEL_SUFFIXES]
                )
            )
    recorded = pin.files if pin else {}
    for name, sha256 in {**recorded, **source.sha256}.items():
        said = "" if name in source.sha256 else f", as recorded in {pins},"
        check_sha256(folder / name, sha256, name=f"{folder / name}{said}")
    return folder


def record_hub_model(source: HubModel, folder: Path, *, pins: Path) -> None:
    """Note which commit a downloaded checkpoint belongs to, and the hashes of its files.

    Raises:
        DataError: a file is not what the hub promised, something else is noted, or the lock file cannot be
            written.
    """
    commit = resolved_commit(folder)
    if commit is not None:
        files = model_files(folder)
        for file in files:
            _check_by_hub(file)
        hashes = {file.name: file_sha256(file) for file in files if file.name not in source.sha256}
        record_pin(pins, "model", source.repo, source.revision, commit=commit, files=hashes)


def model_files(folder: Path) -> list[Path]:
    """List the files of a checkpoint directory that are used: configuration, tokenizer, weights; no code."""
    return sorted(file for file in folder.iterdir() if file.is_file() and file.suffix in MODEL_SUFFIXES)


def resolved_commit(path: Path) -> str | None:
    """Say which commit a file or folder of the hub client's cache belongs to; None for an offline copy."""
    found = re.search(r"/(?:models|datasets)--[^/]+/snapshots/([0-9a-f]+)(?:/|$)", f"/{path.as_posix()}")
    return found[1] if found else None


def check_sha256(path: Path, expected: str, *, name: str) -> None:
    """Compare a file with its pinned hash.

    Raises:
        DataError: they differ, or there is no such file.
    """
    if not path.is_file():
        raise DataError(f"{name} must have sha256 {expected}, but there is no such file; fetch it again")
    found = file_sha256(path)
    if found != expected:
        raise DataError(
            f"{name} must have sha256 {expected}, got {found}; the file is damaged or another version: "
            f"{how_to_renew(path)}"
        )


def how_to_renew(path: Path) -> str:
    """Say how to get rid of a bad copy; the hub client's cache holds links to what must be deleted."""
    return f"delete {path.resolve() if path.is_symlink() else 'it'} and fetch it again"


def _check_by_hub(path: Path) -> None:
    """Check a file of the client's cache by the SHA-256 that the hub gave for it, which names large files."""
    blob = path.resolve().name
    if path.is_symlink() and re.fullmatch(r"[0-9a-f]{64}", blob):
        check_sha256(path, blob, name=f"{path}, by the hub's word,")


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


@contextmanager
def _hub_errors(what: str, name: str, offline: Sequence[str]) -> Iterator[None]:
    """Turn the many errors of the hub client into one sentence; all mean that the file is not here."""
    from huggingface_hub import errors

    absent = {
        errors.GatedRepoError: "it is gated: accept its terms on the hub and set HF_TOKEN",
        errors.RepositoryNotFoundError: "the hub has no such repository, or it is private: set HF_TOKEN",
        errors.RevisionNotFoundError: "the repository has no such revision: correct it",
        errors.RemoteEntryNotFoundError: "the repository has no such file: correct its name",
    }
    try:
        yield
    except Exception as error:
        reason = next((text for kind, text in absent.items() if isinstance(error, kind)), None)
        if reason is None:
            # "Not found locally" hides why the hub was not asked.
            cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else None
            raise DataError(_unreachable(what, name, offline, cause or error)) from error
        raise DataError(
            f"{what} cannot be downloaded: {reason}; or put it at {offline_places(name, offline)}"
        ) from error


def _unreachable(what: str, name: str, offline: Sequence[str], error: BaseException) -> str:
    first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    places = offline_places(name, offline)
    return f"{what} cannot be downloaded ({type(error).__name__}: {first_line}); offline, put it at {places}"
