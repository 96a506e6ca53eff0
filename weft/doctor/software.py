"""Checks of the software: versions of the packages, and the checkout of the source code."""

import importlib.metadata
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from weft.config.places import CHECKOUT
from weft.doctor.finding import Finding, ok, problem, warning
from weft.errors import WeftError, name_some
from weft.records.files import read_text

LOCK_FILE = Path("envs/weft.lock.txt")
"""Exact versions of all packages, relative to the checkout."""
PACKAGE_NAME = "weft-dllm"
MAX_NAMED = 6
"""Maximum number of packages that a finding names."""


def read_versions(file: Path) -> dict[str, str]:
    """Return package -> version of a lock file with lines of the form ``name==version``."""
    pairs = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;#]+)", read_text(file), flags=re.MULTILINE)
    return dict(pairs)


def check_versions(lock: Path | None = None) -> Iterator[Finding]:
    """Compare the installed packages with the lock file and with the versions that weft requires.

    Args:
        lock: the lock file; None for that of the checkout.

    Yields:
        A finding.
    """
    file = CHECKOUT / LOCK_FILE if lock is None else lock
    try:
        locked = read_versions(file)
    except WeftError as error:
        yield warning("versions", str(error), "get the file from the repository")
        return
    installed = {name: _installed(name) for name in locked}
    refused = sorted(_list_refused())
    differing = [
        f"{name} {installed[name] or 'is missing'} instead of {version}"
        for name, version in locked.items()
        if not _is_version(installed[name], version)
    ]
    remedy = f"install the versions that were tested: pip install -r {file}"
    if refused:
        yield problem("versions", f"weft cannot run with {', '.join(refused)}", remedy)
    if differing:
        yield warning(
            "versions", f"{len(differing)} differ from {file}: {name_some(differing, MAX_NAMED)}", remedy
        )
    elif not refused:
        yield ok("versions", f"all {len(locked)} packages have the versions of {file}")


def _is_version(installed: str | None, locked: str) -> bool:
    """Return True for equal versions; a build of torch for CUDA or CPUs has a suffix, as in 2.13.0+cpu."""
    return installed is not None and installed.partition("+")[0] == locked.partition("+")[0]


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _list_refused() -> Iterator[str]:
    """Yield the packages whose versions are outside those that the package of weft requires."""
    try:
        lines = importlib.metadata.requires(PACKAGE_NAME) or []
    except importlib.metadata.PackageNotFoundError:
        return  # a checkout that is not installed
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        version = _installed(requirement.name)
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} {version or 'missing'} (required: {requirement.specifier})"


def check_checkout(folder: Path = CHECKOUT) -> Iterator[Finding]:
    """Check that git tells the commit of the source code, which each provenance file names.

    Args:
        folder: root of the checkout.

    Yields:
        A finding; none for an installed package, which has no commit.
    """
    if not (folder / ".git").exists():
        return
    consequence = "provenance files will not name the commit"
    if shutil.which("git") is None:
        yield warning("checkout", f"there is no git, so that {consequence}", "install git")
        return
    result = _git(folder)
    if result.returncode == 0:
        yield ok("checkout", f"commit {result.stdout.strip()[:12]}")
        return
    lines = result.stderr.strip().splitlines() or ["no message"]
    remedy = (
        f"run: git config --global --add safe.directory {folder}"
        if "dubious ownership" in result.stderr
        else "repair the checkout, or clone the repository again"
    )
    owner = f", which belongs to user {folder.stat().st_uid}" if "dubious ownership" in result.stderr else ""
    yield warning("checkout", f"git refuses {folder}{owner} ({lines[0]}), so that {consequence}", remedy)


def _git(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
    )
