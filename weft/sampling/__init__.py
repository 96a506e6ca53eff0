"""The reverse process: sample answers to prompts, and to the questions of a file."""

from weft.sampling.sampler import generate

__all__ = ["generate"]
