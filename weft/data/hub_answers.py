"""Check what the hub says about a file before the hub client uses it as a path.

The client of the hub (huggingface_hub 2.4.0, its newest version) joins the ETag of a file and the commit to
the folder of its cache without a check: an ETag of ``../`` and a name makes it write a file of that name
outside its cache. A server that lies so must stand between the hub and the user, or be named in HF_ENDPOINT.
"""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import huggingface_hub
from huggingface_hub import HfApi, file_download

from weft.errors import DataError, show

COMMIT = re.compile(r"[0-9a-f]{40}")
ETAG = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
"""Form of an ETag: the hub sends hashes, and storage services a hash with the number of parts."""
METADATA = "_get_metadata_or_catch_error"
"""Function of the client that asks for ETag and commit of a file, in `hf_hub_download` and in snapshots."""
_LOCK = threading.RLock()


@contextmanager
def checked_answers() -> Iterator[None]:
    """Make the hub client refuse ETags and commits that are not a plain name, in all its threads.

    Raises:
        DataError: an answer is not valid, or this version of the client cannot be checked.
    """
    if not callable(getattr(file_download, METADATA, None)):
        raise DataError(
            f"the hub client must be a version whose answers weft can check, such as 2.4.0, got "
            f"{huggingface_hub.__version__}; install huggingface_hub==2.4.0"
        )
    with _LOCK:
        metadata, info = getattr(file_download, METADATA), HfApi.repo_info
        setattr(file_download, METADATA, _check_metadata(metadata))
        HfApi.repo_info = _check_info(info)  # type: ignore[method-assign]
        try:
            yield
        finally:
            setattr(file_download, METADATA, metadata)
            HfApi.repo_info = info  # type: ignore[method-assign]


def require_commit(commit: str | None) -> None:
    """Raise a DataError unless a commit that the hub names is one."""
    if commit is not None and not COMMIT.fullmatch(commit):
        raise DataError(
            f"the hub must name a commit of 40 hexadecimal digits, got {show(commit)}; do not use it"
        )


def _check_metadata(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*args: Any, **options: Any) -> Any:
        answer = function(*args, **options)
        _, etag, commit, *_ = answer  # all are None if the hub was not reached
        if etag is not None and not ETAG.fullmatch(etag):
            raise DataError(
                f"the hub must name a hash as the ETag of a file, got {show(etag)}; do not use it"
            )
        require_commit(commit)
        return answer

    return checked


def _check_info(function: Callable[..., Any]) -> Callable[..., Any]:
    def checked(*args: Any, **options: Any) -> Any:
        answer = function(*args, **options)
        require_commit(answer.sha)
        return answer

    return checked
