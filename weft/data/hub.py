"""Data files and checkpoints from the Hugging Face hub.

The offline folders are searched first; otherwise the hub client downloads to its cache. A revision is
pinned in the experiment's lock file (`weft.data.pins`) at its first use: `fetch_hub_file` and
`fetch_hub_model` request the pinned commit and check the pinned hashes; `pin_hub_file` and `pin_hub_model`
add the pin after the content has been read successfully. The hashes of offline copies are pinned as well.

The hub client resumes an interrupted download up to five times and tries an unreachable hub six times
within about 23 seconds. It keeps no partial file when its process ends.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from weft.config.sources import HubDataset, HubFile, HubModel
from weft.data.folders import CARD, list_names
from weft.data.offline import check_sha256, explain_renewal, find_offline, list_places
from weft.data.pins import Pin, add_pin, find_pin
from weft.data.web import describe_failure
from weft.errors import DataError, DiskFullError
from weft.provenance import sha256_once
from weft.records.files import read_text
from weft.records.full_disk import explain_full_disk

WEIGHTS_SUFFIX = ".safetensors"
TEXT_SUFFIXES = (".json", ".jinja", "merges.txt")
MODEL_SUFFIXES = (WEIGHTS_SUFFIX, *TEXT_SUFFIXES)
"""Endings of the files of a checkpoint that are used: configuration, tokenizer and weights, no code."""


@dataclass(frozen=True)
class HubListing:
    """The files of a data set on the hub or in an offline folder.

    Attributes:
        names: paths of all files in the repository.
        card: text of its README.md, or an empty text.
        commit: commit of the repository; None for an offline folder.
    """

    names: Sequence[str]
    card: str
    commit: str | None


def list_hub_dataset(source: HubDataset, *, offline: Sequence[str], pins: Path | None = None) -> HubListing:
    """List the files of a data set in an offline folder, or at its pinned commit on the hub.

    If the hub cannot be reached, the files count that were used before, if they are in the client's cache.
    """
    folder = find_offline(source.repo, offline)
    if folder is not None:
        return HubListing(list_names(folder), _read_card(folder / CARD), None)
    from huggingface_hub import HfApi, hf_hub_download

    from weft.data.hub_answers import require_commit

    pin = find_pin(pins, "dataset", source.repo, source.revision)
    revision = _pinned_commit(pin) or source.revision
    try:
        with _hub_errors(f"data set {source.repo} at {revision}", source.repo, offline):
            info = HfApi().dataset_info(source.repo, revision=revision)
            names = [file.rfilename for file in info.siblings or []]
            commit = info.sha or revision
            require_commit(info.sha)
            card = ""
            if CARD in names:
                card = hf_hub_download(source.repo, CARD, revision=commit, repo_type="dataset")
    except DataError:
        cached = None if pin is None else _list_cached(source.repo, pin)
        if cached is None:
            raise
        return cached
    return HubListing(names, _read_card(Path(card)) if card else "", commit)


def _read_card(path: Path) -> str:
    return read_text(path, remedy=explain_renewal(path)) if path.is_file() else ""


def _pinned_commit(pin: Pin | None) -> str | None:
    return None if pin is None else pin.commit


def _list_cached(repo: str, pin: Pin) -> HubListing | None:
    """Return the pinned files if all of them are in the client's cache."""
    from huggingface_hub import try_to_load_from_cache

    if pin.commit is None:
        return None
    paths = {
        name: try_to_load_from_cache(repo, name, revision=pin.commit, repo_type="dataset")
        for name in (CARD, *pin.files)
    }
    card = paths.pop(CARD)
    if not paths or not all(isinstance(path, str) for path in paths.values()):
        return None
    return HubListing([*paths], _read_card(Path(card)) if isinstance(card, str) else "", pin.commit)


def fetch_hub_file(
    source: HubFile, *, offline: Sequence[str], pins: Path | None = None, commit: str | None = None
) -> Path:
    """Return the path of a file of a data set, in an offline folder or in the hub client's cache.

    A file that is not pinned is requested at ``commit``, if it is given, and otherwise at its revision.
    The hash of the file is compared with the hash in the experiment, in the lock file or on the hub.
    A DataError is raised if it differs, or if the file is neither offline nor reachable.
    """
    name = f"{source.repo}/{source.file}"
    pin = find_pin(pins, "dataset", source.repo, source.revision)
    path = find_offline(name, offline)
    if path is None:
        from huggingface_hub import hf_hub_download

        revision = _pinned_commit(pin) or commit or source.revision
        with _hub_errors(f"{source.file} of data set {source.repo} at {revision}", name, offline):
            path = Path(hf_hub_download(source.repo, source.file, revision=revision, repo_type="dataset"))
    if source.sha256 is not None:
        check_sha256(path, source.sha256, name=str(path))
    elif pin is not None and source.file in pin.files:
        check_sha256(path, pin.files[source.file], name=f"{path}, as pinned in {pins},")
    else:
        _check_hash_of_hub(path)
    return path


def pin_hub_file(source: HubFile, path: Path, *, pins: Path | None) -> None:
    """Pin hash and commit of a file from `fetch_hub_file`, unless the experiment gives the hash.

    The commit of an offline copy is not known.
    """
    if pins is not None and source.sha256 is None:
        hashes = {source.file: sha256_once(path)}
        add_pin(pins, "dataset", source.repo, source.revision, commit=cached_commit(path), files=hashes)


def fetch_hub_model(source: HubModel, *, offline: Sequence[str], pins: Path | None = None) -> Path:
    """Return the path of a checkpoint directory, without code, in the same way as `fetch_hub_file`.

    A hash in the experiment takes precedence over the hash of the same file in the lock file. Configuration
    and tokenizer are downloaded and checked before the weights, which are thousands of times larger.
    """
    pin = find_pin(pins, "model", source.repo, source.revision)
    pinned = pin.files if pin else {}
    hashes = {**pinned, **source.sha256}

    def check(folder: Path, names: Iterable[str]) -> None:
        for name in names:
            origin = "" if name in source.sha256 else f", as pinned in {pins},"
            check_sha256(folder / name, hashes[name], name=f"{folder / name}{origin}")

    folder = find_offline(source.repo, offline)
    if folder is None:
        revision = _pinned_commit(pin) or source.revision
        folder = _download_model(source.repo, revision, TEXT_SUFFIXES, offline)
        check(folder, [name for name in hashes if not name.endswith(WEIGHTS_SUFFIX)])
        revision = cached_commit(folder) or revision  # a branch may move between the two downloads
        folder = _download_model(source.repo, revision, (WEIGHTS_SUFFIX,), offline)
    check(folder, hashes)
    return folder


def _download_model(repo: str, revision: str, suffixes: Sequence[str], offline: Sequence[str]) -> Path:
    """Download the files of a model with these endings to the client's cache, and return its folder."""
    from huggingface_hub import snapshot_download

    patterns = [f"*{suffix}" for suffix in suffixes]
    with _hub_errors(f"model {repo} at {revision}", repo, offline):
        return Path(snapshot_download(repo, revision=revision, allow_patterns=patterns))


def pin_hub_model(source: HubModel, folder: Path, *, pins: Path) -> None:
    """Pin hashes and commit of a checkpoint from `fetch_hub_model`; that of an offline copy is not known.

    The hashes given by the hub are checked. Files with a hash in the experiment are not pinned.
    """
    commit, files = cached_commit(folder), model_files(folder)
    for file in files:
        _check_hash_of_hub(file)
    hashes = {file.name: sha256_once(file) for file in files if file.name not in source.sha256}
    if commit is not None or hashes:
        add_pin(pins, "model", source.repo, source.revision, commit=commit, files=hashes)


def model_files(folder: Path) -> list[Path]:
    """Return the files of a checkpoint directory that end in `MODEL_SUFFIXES`, sorted."""
    return sorted(file for file in folder.iterdir() if file.is_file() and file.name.endswith(MODEL_SUFFIXES))


def cached_commit(path: Path) -> str | None:
    """Return the commit of a file or folder in the hub client's cache; None for an offline copy."""
    match = re.search(r"/(?:models|datasets)--[^/]+/snapshots/([0-9a-f]+)(?:/|$)", f"/{path.as_posix()}")
    return match[1] if match else None


def _check_hash_of_hub(path: Path) -> None:
    """Check a cached file against the hash given by the hub, if there is such a hash."""
    blob = path.resolve().name  # the SHA-256 for a large file, a shorter hash for a small file
    if path.is_symlink() and re.fullmatch(r"[0-9a-f]{64}", blob):
        check_sha256(path, blob, name=f"{path}, by the hash that the hub gives,")


@contextmanager
def _hub_errors(source: str, name: str, offline: Sequence[str]) -> Iterator[None]:
    """Convert every error of the hub client to a DataError with a short message."""
    from huggingface_hub import constants, errors

    reasons = {
        errors.GatedRepoError: "the repository is gated: accept its terms on the hub and set HF_TOKEN",
        errors.RepositoryNotFoundError: "the repository does not exist, or it is private: set HF_TOKEN",
        errors.RevisionNotFoundError: "the repository has no such revision: correct it",
        errors.RemoteEntryNotFoundError: "the repository has no such file: correct its name",
    }
    from weft.data.hub_answers import checked_answers

    try:
        with checked_answers(), explain_full_disk(Path(constants.HF_HUB_CACHE)):
            yield
    except DiskFullError:
        raise
    except DataError as error:  # an answer that is not valid
        raise DataError(f"{source} cannot be downloaded: {error}") from error
    except Exception as error:
        for kind, reason in reasons.items():
            if isinstance(error, kind):
                places = list_places(name, offline)
                raise DataError(f"{source} cannot be downloaded: {reason}; or put it at {places}") from error
        # The cause of a LocalEntryNotFoundError is the reason why the hub was not reached.
        cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else None
        raise DataError(describe_failure(source, name, offline, cause or error)) from error
