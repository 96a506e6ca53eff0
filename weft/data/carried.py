"""The list of the files in a folder that is carried to another machine, ``SHA256SUMS``, and its check.

The file has the format of ``sha256sum``, so that ``sha256sum --check SHA256SUMS`` checks the folder where
weft is not installed.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from weft.errors import DataError
from weft.provenance import file_sha256, sha256_once
from weft.records.files import read_text, write_text

MANIFEST = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64}) [ *]([^\\\n]+)")


def list_carried(folder: Path) -> list[str]:
    """Return the paths of the files in a folder, sorted, without the manifest and hidden files.

    Args:
        folder: the folder.

    Returns:
        The paths relative to the folder.

    Raises:
        DataError: a name cannot be stored as it is: it holds a line end or a backslash, is not text in UTF-8,
            or begins with the folder ``~``.
    """
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    names = sorted(name for name in names if not re.search(r"(^|/)\.", name) and name != MANIFEST)
    for name in names:
        if re.search(r"[\\\n\r\ud800-\udfff]", name) or not is_inside(name):
            raise DataError(
                f"{folder}: names of files must be UTF-8 without line ends and backslashes, and not "
                f"begin with ~/, got {name!r}; rename the file"
            )
    return names


def write_manifest(folder: Path) -> dict[str, str]:
    """Write the manifest of a folder, and return path -> SHA-256."""
    hashes = {name: sha256_once(folder / name) for name in list_carried(folder)}
    write_text(folder / MANIFEST, "".join(f"{sha256}  {name}\n" for name, sha256 in hashes.items()))
    return hashes


def read_manifest(folder: Path) -> dict[str, str]:
    """Read the manifest of a folder.

    Args:
        folder: the folder.

    Returns:
        Path -> SHA-256.

    Raises:
        DataError: the manifest is missing or malformed, or names a file outside the folder.
    """
    file, remedy = folder / MANIFEST, "fetch the files again"
    hashes = {}
    for number, line in enumerate(_split_lines(read_text(file, remedy=remedy)), start=1):
        match = LINE.fullmatch(line)
        if match is None or not is_inside(match[2]):
            raise DataError(
                f"{file}, line {number}: expected a SHA-256, two spaces and a path in the folder, got "
                f"{line[:80]!r}; {remedy}"
            )
        hashes[match[2]] = match[1]
    return hashes


def _split_lines(text: str) -> list[str]:
    """Return the lines of a text; unlike `str.splitlines`, other separators may stand in a name."""
    return text.removesuffix("\n").split("\n") if text else []


def is_inside(name: str) -> bool:
    """Return True for a relative path that does not lead out of its folder."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and path.parts[0] != "~"


def check_carried(folder: Path) -> list[str]:
    """Return what differs between a folder and its manifest, a line for each file; all files are read."""
    expected = read_manifest(folder)
    differences = []
    for name, sha256 in expected.items():
        path = folder / name
        if not path.is_file():
            differences.append(f"missing: {name}")
        elif (actual := file_sha256(path)) != sha256:
            differences.append(f"changed: {name} has sha256 {actual}, expected {sha256}")
    return differences + [
        f"not in {MANIFEST}: {name}" for name in list_carried(folder) if name not in expected
    ]


def holds(folder: Path, files: Mapping[str, str]) -> bool:
    """Return True if a folder has all these files, path -> SHA-256."""
    return all(
        (folder / name).is_file() and sha256_once(folder / name) == sha256 for name, sha256 in files.items()
    )
