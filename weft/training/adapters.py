"""Adapters that are to be trained."""

import warnings
from typing import TYPE_CHECKING, Any

from weft.config.training import Lora
from weft.errors import TrainingError
from weft.model.adapter_config import find_other_methods

if TYPE_CHECKING:
    from peft import LoraConfig

DEFAULT_TARGETS = ("q_proj", "k_proj", "v_proj")
"""Modules with an adapter if none are named: those of d1."""


def add_adapters(model: Any, settings: Any) -> Any:
    """Return a model wrapped with new adapters, which are in fp32 for models of any type.

    Args:
        model: a mask predictor; it is changed in place.
        settings: settings of PEFT, such as a ``LoraConfig``; without target modules, those of d1 are set.

    Returns:
        The wrapped model.

    Raises:
        TrainingError: the model has adapters already, or the settings are not those of plain LoRA, so that
            the trained adapter could not be loaded.
    """
    from peft import LoraConfig, get_peft_model

    if hasattr(model, "peft_config"):
        raise TrainingError(
            "peft_config must be None for a model that has adapters already; leave it out to train those, or "
            "give the base model"
        )
    if not isinstance(settings, LoraConfig):
        raise TrainingError(f"peft_config must be a peft.LoraConfig, got {type(settings).__name__}")
    if other := find_other_methods(settings.to_dict()):
        raise TrainingError(
            f"peft_config must be plain LoRA, which weft.load_model reads, got settings of other methods: "
            f"{other!s:.200}"
        )
    if getattr(settings, "target_modules", ()) is None:
        settings.target_modules = list(DEFAULT_TARGETS)
    with warnings.catch_warnings():
        # PEFT warns that the base model is a directory without a public name, which is intended.
        warnings.simplefilter("ignore", UserWarning)
        return get_peft_model(model, settings, autocast_adapter_dtype=True)


def lora_settings(lora: Lora) -> "LoraConfig":
    """Return PEFT's settings for the LoRA adapters of an experiment."""
    from peft import LoraConfig

    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(lora.target_modules),
        bias="none",
    )
