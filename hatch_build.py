"""Build hook: the wheel also contains the files outside weft/ that weft uses, in the folder weft/shipped."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ShippedFiles(BuildHookInterface[Any]):
    """Adds the files that pyproject.toml lists to a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files, except to an editable installation, which finds them in the checkout."""
        if version != "editable":
            build_data["force_include"].update(
                {name: f"weft/shipped/{name}" for name in self.config["shipped"]}
            )
