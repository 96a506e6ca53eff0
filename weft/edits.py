"""Edits of files inside folders that are results.

Snakemake takes the time of a folder from the file ``.snakemake_timestamp`` in it, which it writes when the
job has ended, and does not look at the other files. The Snakefile therefore calls `notice_edits` for every
folder that other jobs read. It compares the files with the digests from when the folder was made.
"""

from pathlib import Path

from weft.errors import DataError
from weft.layout import SNAKEMAKE_TIMESTAMP, digests_file
from weft.provenance import changed_files, known_content, stored_file_digests
from weft.records import FileDigests
from weft.records.files import write_json


def notice_edits(folder: Path) -> list[str]:
    """Find the files in a result that were edited since the last call, and tell Snakemake of them.

    The time of the folder becomes the present, so that Snakemake runs the jobs again that read it. The
    digests of the edited files are stored, so that the next call finds nothing. The provenance of the folder
    is not changed, and no longer agrees with its content.

    Args:
        folder: folder of a result; it may be missing.

    Returns:
        The paths of the files below the folder that were changed, added or removed.

    Raises:
        DataError: a file cannot be read, or the edit cannot be noted, for example in another user's folder.
    """
    try:
        return _notice(folder)
    except OSError as error:
        raise DataError(
            f"{folder} must be readable, and writable if a file in it was edited, got {error.strerror} for "
            f"{error.filename}; change the permissions"
        ) from error


def _notice(folder: Path) -> list[str]:
    timestamp = folder / SNAKEMAKE_TIMESTAMP
    if not timestamp.exists():  # not made yet, or just being made
        return []
    before = known_content(folder)
    if not before:
        return []
    after = stored_file_digests(folder)
    edited = changed_files(before, after)
    if edited:
        timestamp.touch()  # before the digests, so that no edit is lost if this process ends between
        write_json(digests_file(folder), FileDigests(files=dict(after)))
    return edited
