"""The reverse process: from prompts to answers, and the files they are kept in."""

from weft.sampling.sampler import generate

__all__ = ["generate"]
