"""weft: a reproduction of weighted entropy-driven fine-tuning for masked diffusion language models."""

__version__ = "0.1.0"
