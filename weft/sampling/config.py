"""Settings of the sampler: options of the reverse process, length of the answer, and token ids."""

from typing import Any

from pydantic import Field, ValidationError, model_validator

from weft.config.sampling import SamplingOptions
from weft.errors import SamplingError


class SamplingConfig(SamplingOptions):
    """Settings of the sampler; the options are those of `weft.config.sampling.SamplingOptions`.

    Args:
        **values: values of the fields.

    Raises:
        SamplingError: a value is out of range, or two values contradict each other.
    """

    gen_length: int = Field(gt=0)
    """Length of the answer, in tokens; a multiple of ``block_length``."""
    diffusion_steps: int = Field(gt=0, le=10**9)
    """Denoising steps over all blocks; a multiple of the number of blocks."""
    mask_token_id: int
    """Id of the mask token."""
    eos_token_id: int | None = None
    """Id of the end-of-text token; required for ``early_stop``."""

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            message = problem["msg"].removeprefix("Value error, ")
            if problem["loc"]:
                name, requirement = problem["loc"][0], message.replace("Input should", "must", 1)
                message = f"{name} {requirement}, got {problem['input']!r}"
            raise SamplingError(message) from error

    @property
    def num_blocks(self) -> int:
        """Number of blocks of an answer."""
        return self.gen_length // self.block_length

    @property
    def steps_per_block(self) -> int:
        """Number of denoising steps of a block; with a confidence threshold, the maximum."""
        return self.diffusion_steps // self.num_blocks

    @model_validator(mode="after")
    def _settings_fit_together(self) -> "SamplingConfig":
        self.require_whole_blocks(self.gen_length)
        if self.diffusion_steps % self.num_blocks:
            raise ValueError(
                f"diffusion_steps must be a multiple of the number of blocks, {self.num_blocks}, "
                f"got {self.diffusion_steps}"
            )
        if self.early_stop and self.eos_token_id in (None, self.mask_token_id):
            raise ValueError(
                "eos_token_id must be given for early_stop and differ from mask_token_id, "
                f"got {self.eos_token_id}"
            )
        return self
