"""Settings of fine-tuning: optimiser, LoRA adapters, DeepSpeed, and the gradient study."""

from typing import Literal

from pydantic import Field, model_validator

from weft.config.numbers import CountFromZero, Seed, Size
from weft.config.section import Section
from weft.errors import ConfigError
from weft.records.base import MAX_COUNT

TooLong = Literal["error", "drop", "drop_truncated"]
"""What to do with training examples that are longer than ``max_length``."""

TargetModule = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


class Lora(Section):
    """Low-rank adapters (LoRA) of PEFT."""

    rank: Size
    """Rank r of the update."""
    alpha: Size
    """Scale of the update, which is multiplied by alpha / r."""
    dropout: float = Field(ge=0, lt=1)
    """Dropout rate of the adapters' input."""
    target_modules: list[TargetModule] = Field(min_length=1)
    """Modules with an adapter, under their names in Llama."""


class LearningCurve(Section):
    """Accuracy on validation questions during fine-tuning, measured for each run."""

    num_points: Size
    """Number of measurements during training; the last is at its end. The base model is measured as well."""
    spacing: Literal["linear", "quadratic"]
    """``linear``: at equal distances; ``quadratic``: after the squares of equally spaced shares, so that the
    beginning, where the accuracy rises fastest, has more measurements."""
    num_examples: Size
    """Number of validation questions of each benchmark; none of them is a test question."""
    seed: Seed
    """Seed of the validation questions."""

    def snapshot_settings(self) -> dict[str, int | str]:
        """Return the settings on which the steps depend after which training keeps adapters."""
        return {"num_points": self.num_points, "spacing": self.spacing}


class Training(Section):
    """Fine-tuning, equal for all methods that do not have values of their own."""

    batch_size: Size
    """Examples per optimiser step, summed over all processes and accumulation steps."""
    learning_rate: float = Field(gt=0)
    """Peak learning rate of AdamW; a method may have its own."""
    lr_scheduler: Literal["linear", "cosine", "constant"]
    """Decay of the learning rate."""
    warmup_steps: CountFromZero
    """Optimiser steps of linear warm-up."""
    weight_decay: float = Field(ge=0)
    """Weight decay of AdamW."""
    max_grad_norm: float = Field(gt=0)
    """Norm to which gradients are clipped; a method may have its own."""
    t_min: float = Field(gt=0, lt=1)
    """Smallest diffusion time (LLaDA's eps): t = (1 - t_min) u + t_min with u uniform in [0, 1)."""
    epochs: Size
    """Passes over the training examples."""
    micro_batch_size: Size
    """Examples per forward pass of a process."""
    max_length: Size
    """Tokens per example; longer examples are cut on the right (see also ``too_long``), shorter ones are
    padded."""
    dtype: Literal["float32", "bfloat16"]
    """Dtype of the base model's parameters and of the forward pass; adapters are float32."""
    lora: Lora | None
    """Low-rank adapters; null to train all parameters."""
    zero_stage: Literal[0, 1, 2, 3]
    """DeepSpeed ZeRO stage, which determines what the processes shard. 0: nothing; 1: optimiser states;
    2: also gradients; 3: also parameters."""
    offload_optimizer: bool
    """Keep optimiser states in CPU memory; requires zero_stage 1 or above."""
    offload_parameters: bool = False
    """Keep parameters in CPU memory; requires zero_stage 3."""
    gradient_checkpointing: bool
    """Recompute activations in the backward pass."""
    save_every: Size
    """Optimiser steps between two checkpoints for resuming."""
    heldout_share: float = Field(ge=0, lt=1)
    """Fraction of the examples, from the first on, that is held out of training (d1: 0.01)."""
    example_layout: Literal["exact", "d1"] = "exact"
    """Tokenization of an example. exact: prompt and answer separately, followed by the end-of-turn token.
    d1: as in d1, where an example ends with a second assistant header and the boundary between prompt and
    answer may be off by one token."""

    def largest_division(self, num_devices: int) -> int:
        """Return the largest number of ranks, up to a number of devices, that divides the batch."""
        share = self.batch_size // self.micro_batch_size
        return max(count for count in range(1, num_devices + 1) if share % count == 0)

    def accumulation_steps(self, num_processes: int) -> int:
        """Return the number of micro-batches per process in an optimiser step, or raise a ConfigError."""
        per_pass = self.micro_batch_size * num_processes
        if self.batch_size % per_pass:
            share = self.batch_size // self.micro_batch_size
            possible = [count for count in range(1, share + 1) if share % count == 0]
            raise ConfigError(
                f"training.batch_size={self.batch_size} must be a multiple of micro_batch_size x processes "
                f"= {self.micro_batch_size} x {num_processes}; train_processes may be "
                f"{', '.join(map(str, possible))}, or change batch_size or micro_batch_size"
            )
        return self.batch_size // per_pass

    @model_validator(mode="after")
    def _fits_deepspeed(self) -> "Training":
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"batch_size must be a multiple of micro_batch_size={self.micro_batch_size}, "
                f"got {self.batch_size}"
            )
        if self.offload_optimizer and self.zero_stage == 0:
            raise ValueError("zero_stage must be 1 or above with offload_optimizer, got 0")
        if self.offload_parameters and self.zero_stage != 3:
            raise ValueError(f"zero_stage must be 3 with offload_parameters, got {self.zero_stage}")
        if self.lora is None and self.dtype == "bfloat16" and self.zero_stage == 0:
            raise ValueError(
                "zero_stage must be 1 or above to train all parameters in bfloat16, got 0; from stage 1 on "
                "DeepSpeed keeps a float32 copy, without which small steps are rounded away"
            )
        return self


class GradientStudy(Section):
    """Comparison of the methods' gradients at the parameters of the base model."""

    num_examples: Size
    """Training examples in the batch whose gradients are compared."""
    num_draws: int = Field(ge=8, le=MAX_COUNT)
    """Draws of times and masks."""
    seed: Seed
    """Seed of the draws."""
