"""The reverse process: sample answers to prompts, and to the questions of a file."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.sampling.sampler import generate

__all__ = ["generate"]


def __getattr__(name: str) -> Any:
    """Import `generate` when it is first used; `weft.sampling.shards` needs no model."""
    if name == "generate":
        from weft.sampling.sampler import generate

        return generate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
