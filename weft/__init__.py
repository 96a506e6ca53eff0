"""weft: a reproduction of weighted entropy-driven fine-tuning for masked diffusion language models.

The names below are the interface for Python programs; docs/python.md shows each of them at work.

load_model        a mask predictor from a checkpoint directory or the hub, optionally with an adapter
load_tokenizer    its tokenizer, with the mask token
DiffusionTrainer  a ``transformers.Trainer`` with the noise and the loss of a method
Method            the settings of a method
encode            training rows as token ids
PadToLength       a collator that makes batches of encoded rows
objective         the loss of one batch, for training loops of one's own
encode_prompt     a question as the token ids of a prompt
generate          answers to prompts, as token ids
score             verdicts on answers; imports neither torch nor transformers

They are imported when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from weft.benchmarks.answers import score
    from weft.config.methods import Method
    from weft.data.collate import PadToLength
    from weft.data.encoding import encode_prompt
    from weft.data.training_set import encode
    from weft.loading import load_model, load_tokenizer
    from weft.sampling.sampler import generate
    from weft.training.batch_objective import objective
    from weft.training.trainer import DiffusionTrainer

__version__ = "0.1.0"
__all__ = [
    "DiffusionTrainer",
    "Method",
    "PadToLength",
    "encode",
    "encode_prompt",
    "generate",
    "load_model",
    "load_tokenizer",
    "objective",
    "score",
]

_MODULES = {
    "DiffusionTrainer": "weft.training.trainer",
    "Method": "weft.config.methods",
    "PadToLength": "weft.data.collate",
    "encode": "weft.data.training_set",
    "encode_prompt": "weft.data.encoding",
    "generate": "weft.sampling.sampler",
    "load_model": "weft.loading",
    "load_tokenizer": "weft.loading",
    "objective": "weft.training.batch_objective",
    "score": "weft.benchmarks.answers",
}
"""Public name -> the module that defines it."""


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names before they are imported."""
    return sorted({*globals(), *__all__})
