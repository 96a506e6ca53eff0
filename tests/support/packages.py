"""Which installed modules an environment with fewer packages would lack."""

from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement


def hidden_without(packages: Iterable[str]) -> set[str]:
    """Return the installed modules that belong neither to some packages nor to what these require."""
    available = {"weft-dllm", "setuptools"}  # every start of Python imports a hook of setuptools
    pending = list(packages)
    while pending:
        name = pending.pop().lower().replace("_", "-")
        if name not in available:
            available.add(name)
            required = [Requirement(text) for text in metadata.requires(name) or ()]
            pending += [
                item.name for item in required if item.marker is None or item.marker.evaluate({"extra": ""})
            ]
    return {
        module
        for module, names in metadata.packages_distributions().items()
        if available.isdisjoint(name.lower().replace("_", "-") for name in names)
    }
