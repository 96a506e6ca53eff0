"""Installed packages with what they require, and the modules that an environment of some would lack."""

from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement


def with_required(packages: Iterable[str]) -> set[str]:
    """Return the names of some installed packages and of all packages that they require."""
    found: set[str] = set()
    pending = list(packages)
    while pending:
        name = pending.pop().lower().replace("_", "-")
        if name not in found:
            found.add(name)
            required = [Requirement(text) for text in metadata.requires(name) or ()]
            pending += [
                item.name for item in required if item.marker is None or item.marker.evaluate({"extra": ""})
            ]
    return found


def hidden_without(packages: Iterable[str]) -> set[str]:
    """Return the installed modules that belong neither to some packages nor to what these require."""
    # Every start of Python imports a hook of setuptools.
    available = {"weft-dllm", "setuptools"} | with_required(packages)
    return {
        module
        for module, names in metadata.packages_distributions().items()
        if available.isdisjoint(name.lower().replace("_", "-") for name in names)
    }
