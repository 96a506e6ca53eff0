"""The reverse process: sample answers to prompts, from question file to generation file."""

from weft.sampling.sampler import generate

__all__ = ["generate"]
