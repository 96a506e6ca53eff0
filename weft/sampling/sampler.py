"""Sample answers to a list of prompts with the published reverse process.

In float32 the tokens are those of the published loop (d1's eval/generate.py @ 837888f, LLaDA's generate.py
@ b7e6c35). Where the published loop leaves a choice open, it is fixed here: among equal confidences the
lowest position is revealed first, and random numbers depend only on seed, prompt, step and position.
"""

import operator
from collections.abc import Sequence
from typing import Any

from weft.config.sampling import KvCache, Remasking
from weft.errors import SamplingError, explain_arguments
from weft.model import Predictor
from weft.sampling.config import SamplingConfig
from weft.sampling.denoise import Prompt
from weft.sampling.noise import HashedNoise, key_of_name, key_of_prompt, to_int64
from weft.sampling.padding import pad_batchwise
from weft.sampling.stream import stream_answers

OTHER_NAMES = {
    "steps": "diffusion_steps",
    "num_steps": "diffusion_steps",
    "max_new_tokens": "gen_length",
    "max_length": "gen_length",
    "block_size": "block_length",
    "mask_id": "mask_token_id",
    "eos_id": "eos_token_id",
    "cfg": "cfg_scale",
    "guidance_scale": "cfg_scale",
    "alg": "remasking",
    "threshold": "confidence_threshold",
    "use_cache": "kv_cache",
    "dual_cache": "kv_cache",
    "generator": "seed",
    "prompt": "prompts",
    "input_ids": "prompts",
    "inputs": "prompts",
}
"""Names of arguments in the samplers of LLaDA, Dream, Fast-dLLM and transformers -> their names here."""


@explain_arguments(SamplingError, OTHER_NAMES)
def generate(
    model: Predictor,
    prompts: Sequence[Any],
    *,
    gen_length: int,
    block_length: int,
    diffusion_steps: int,
    mask_token_id: int | None,
    eos_token_id: int | None = None,
    temperature: float = 0.0,
    cfg_scale: float = 0.0,
    remasking: Remasking = "low_confidence",
    seed: int | None = 0,
    example_keys: Sequence[int | str] | None = None,
    batch_size: int | None = None,
    early_stop: bool = False,
    attend_padding: bool = False,
    kv_cache: KvCache | None = None,
    confidence_threshold: float | None = None,
) -> list[list[int]]:
    """Sample an answer to each prompt, independently of batches and of the order of the prompts.

    Args:
        model: mask predictor of `weft.model`, or a network that takes ``input_ids`` and further keywords and
            returns the logits of all positions, batch x length x vocabulary; it must not attend to
            positions where ``attention_mask`` is False.
        prompts: token ids of each prompt; any sequence of sequences of integers.
        gen_length: length of the answer, in tokens.
        block_length: length of a block, in tokens; divides ``gen_length``.
        diffusion_steps: denoising steps over all blocks; a multiple of the number of blocks.
        mask_token_id: id of the mask token.
        eos_token_id: id of the end-of-text token; required for ``early_stop`` and ``attend_padding``.
        temperature: temperature of the Gumbel noise on the logits; 0 for no noise.
        cfg_scale: scale of classifier-free guidance, 0 for none; the unconditional pass masks the prompt.
        remasking: predictions to keep: the most confident, or those at random positions.
        seed: seed of the random numbers, any integer; may be None if none are needed.
        example_keys: key of the random numbers of each prompt, an integer or a name, as the workflow uses the
            ``example_id``; by default a hash of the prompt, so that equal prompts get equal answers.
        batch_size: sequences denoised together; by default all.
        early_stop: end an answer with the block of its first end-of-text token; exact up to that token.
        attend_padding: pad the prompts of each batch on the left with end-of-text tokens that are attended
            to, as d1 does; answers then depend on ``batch_size``.
        kv_cache: approximate; reuse keys and values within a block, see `weft.config.sampling`.
        confidence_threshold: approximate; reveal all predictions with at least this confidence.

    Returns:
        For each prompt, in order, a list of ``gen_length`` token ids. A position at which the model predicts
        the mask token itself may stay masked, as in the published loop.

    Raises:
        SamplingError: an argument is unknown, missing or not valid, or does not fit the model; or the model
            returns logits that are not numbers.
    """
    if mask_token_id is None:
        raise SamplingError(
            "mask_token_id must be the id of the mask token, got None; use model.config.mask_token_id if the "
            "tokenizer has no mask token, such as LLaDA's"
        )
    settings = {
        "gen_length": gen_length,
        "block_length": block_length,
        "diffusion_steps": diffusion_steps,
        "mask_token_id": mask_token_id,
        "eos_token_id": eos_token_id,
        "temperature": temperature,
        "cfg_scale": cfg_scale,
        "remasking": remasking,
        "early_stop": early_stop,
        "kv_cache": kv_cache,
        "confidence_threshold": confidence_threshold,
    }
    config = SamplingConfig(**{name: _as_python(value) for name, value in settings.items()})
    noise = _make_noise(seed, config)
    prompts = _as_prompts(prompts)
    if not prompts:
        return []
    batch_size = len(prompts) if batch_size is None else _as_whole_number("batch_size", batch_size)
    keys = [key_of_prompt(prompt) for prompt in prompts] if example_keys is None else _as_keys(example_keys)
    if len(keys) != len(prompts):
        raise SamplingError(
            f"example_keys must have one key per prompt, got {len(keys)} keys for {len(prompts)} prompts"
        )
    if not isinstance(_as_python(attend_padding), bool):
        raise SamplingError(f"attend_padding must be True or False, got {attend_padding!r:.60}")
    if attend_padding:
        if config.eos_token_id is None:
            raise SamplingError("eos_token_id must be given for attend_padding, which pads with it; got None")
        prompts = pad_batchwise(prompts, batch_size=batch_size, pad_token_id=config.eos_token_id)
    numbered = [Prompt(index, *pair) for index, pair in enumerate(zip(prompts, keys, strict=True))]
    answers = stream_answers(model, numbered, config, batch_size=batch_size, noise=noise)
    return [answer.token_ids for answer in sorted(answers, key=lambda answer: answer.index)]


def _make_noise(seed: int | None, config: SamplingConfig) -> HashedNoise | None:
    """Return the random numbers of a seed, or None if the settings use none."""
    if seed is None and not config.needs_noise:
        return None
    number = _as_whole_number("seed", seed)
    return HashedNoise(number) if config.needs_noise else None


def _as_python(value: Any) -> Any:
    """Return the number in a scalar of NumPy or torch; leave any other value as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def _as_whole_number(name: str, value: Any) -> int:
    number = _as_python(value)
    if not isinstance(number, int) or isinstance(number, bool):
        raise SamplingError(f"{name} must be a whole number, got {value!r:.60}")
    return number


def _as_keys(example_keys: Any) -> list[int]:
    """Return the keys of the random numbers, of which the lowest 64 bits are used."""
    try:
        keys = list(example_keys)
    except TypeError as error:
        raise SamplingError(f"example_keys must be a list of integers, got {example_keys!r:.60}") from error
    return [
        key_of_name(key)
        if isinstance(key, str)
        else to_int64(_as_whole_number("every key of example_keys", key))
        for key in keys
    ]


def _as_prompts(prompts: Any) -> list[list[int]]:
    """Return the token ids of all prompts as lists of integers."""
    try:
        return [_as_ids(prompt, number) for number, prompt in enumerate(prompts)]
    except TypeError as error:
        raise SamplingError(
            f"prompts must be a list with the token ids of each prompt, got {prompts!r:.60}"
        ) from error


def _as_ids(prompt: Any, number: int) -> list[int]:
    """Return the token ids of a prompt as a list of integers."""
    try:
        return [operator.index(token) for token in prompt]
    except TypeError as error:
        raise SamplingError(
            f"every prompt must be a list of token ids, got {prompt!r:.60} as prompt {number}"
        ) from error
