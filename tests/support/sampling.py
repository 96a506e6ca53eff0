"""Settings of the sampler for tests."""

from weft.sampling.config import SamplingConfig
from weft.sampling.stream import StepOutput

PLAIN = {"remasking": "low_confidence", "temperature": 0.0, "early_stop": False}
SMALL = PLAIN | {"gen_length": 8, "block_length": 4, "diffusion_steps": 4, "mask_token_id": 9}


def sampling_config(**changes):
    """Return the settings of a small answer."""
    return SamplingConfig(**SMALL | changes)


def step_output(block, columns, token_ids, confidence, entropy, is_revealed):
    """Return a denoising step of the first prompt."""
    return StepOutput(0, block, 0, columns, token_ids, confidence, entropy, is_revealed)
