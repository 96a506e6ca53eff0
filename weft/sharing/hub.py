"""Upload an exported model to the Hugging Face hub."""

import os
import re
from pathlib import Path

from weft.errors import ConfigError, DataError, describe_error

TOKEN = "HF_TOKEN"  # noqa: S105 - the name of a variable
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
HIDDEN = [".*", "**/.*"]
"""Files that are not uploaded: hidden files, such as those that an interrupted process leaves."""


def require_repository(option: str, repository: str | None) -> None:
    """Check the name of a repository that an option gives, if it is given.

    Args:
        option: name of the option.
        repository: repository as owner/name.

    Raises:
        ConfigError: the name is not valid.
    """
    if repository is not None and not REPOSITORY.fullmatch(repository):
        raise ConfigError(
            f"{option} must be a repository as OWNER/NAME, got {repository!r}; correct the name"
        )


def require_token() -> str:
    """Return the token for uploads, before any work is done.

    Returns:
        The token.

    Raises:
        ConfigError: there is no token.
    """
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise ConfigError(
            f"--push requires a token with write access to the hub in the environment variable {TOKEN}, got "
            "none; create one in the settings of your account on the hub"
        )
    return token


def push_folder(folder: Path, repository: str, *, token: str, private: bool) -> str:
    """Upload the files of a folder in a single commit, and create the repository if it does not exist.

    Args:
        folder: folder to upload; hidden files are left out.
        repository: repository as owner/name.
        token: token with write access.
        private: whether a repository that is created is private.

    Returns:
        The address of the commit.

    Raises:
        DataError: the upload failed; the folder is left as it is.
    """
    from huggingface_hub import HfApi

    hub = HfApi(token=token, library_name="weft")
    try:
        hub.create_repo(repository, private=private, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=repository,
            folder_path=folder,
            commit_message="Upload a model exported by weft",
            ignore_patterns=HIDDEN,
        )
    except Exception as error:  # the client passes on errors of several libraries
        texts = [describe_error(reason) for reason in (error, error.__cause__) if reason is not None]
        text = " because of ".join(dict.fromkeys(texts)).replace(token, "***")
        raise DataError(
            f"{folder} is complete, but cannot be uploaded to {repository}: {_explain(error)}{text}; "
            "correct the cause and give the same command again"
        ) from None
    return str(commit.commit_url)


def _explain(error: Exception) -> str:
    """Return the probable cause of a failure, for the answers of the hub that are often met."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    causes = {
        401: f"the hub does not accept the token in {TOKEN}: ",
        403: f"the token in {TOKEN} may not write to this repository: ",
    }
    return causes.get(status or 0, "")
