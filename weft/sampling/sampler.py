"""The published reverse process, for lists of prompts.

The tokens are those of the published loop in fp32 (d1's eval/generate.py @ 837888f, LLaDA's generate.py
@ b7e6c35), which `perf/reference_sampler.py` writes down plainly; how they are found is the business
of `weft.sampling.denoise` and `weft.sampling.stream`.  What the published loop leaves open is fixed: equal
confidences go to the lowest position, and random numbers depend on seed, prompt, step and position.
"""

import operator
from collections.abc import Sequence
from typing import Any

from weft.errors import SamplingError
from weft.sampling.decoding import Decoding, KvCache, Remasking
from weft.sampling.noise import HashedNoise, key_of_prompt
from weft.sampling.padding import pad_batchwise
from weft.sampling.stream import Request, stream_answers


def generate(
    model: Any,
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
    seed: int = 0,
    example_keys: Sequence[int] | None = None,
    batch_size: int | None = None,
    early_stop: bool = False,
    attend_padding: bool = False,
    kv_cache: KvCache | None = None,
    confidence_threshold: float | None = None,
) -> list[list[int]]:
    """Answer prompts; each answer is the same whatever the batch and the order.

    Args:
        model: mask predictor of `weft.model`.
        prompts: token ids of each prompt: a list of lists, or anything like it.
        gen_length: length of the answer, in tokens.
        block_length: length of one block, in tokens; divides ``gen_length``.
        diffusion_steps: denoising steps over all blocks; a multiple of the number of blocks.
        mask_token_id: id of the mask token.
        eos_token_id: id of end-of-text, for ``early_stop`` and ``attend_padding``.
        temperature: of the Gumbel noise; 0 for none.
        cfg_scale: classifier-free guidance, 0 for none; the unconditional pass masks the prompt.
        remasking: which predictions are kept: the surest, or random ones.
        seed: of the random numbers, if any are needed.
        example_keys: integers that stand for the prompts in the random numbers; made from the prompts, so
            that equal ones get equal answers, if None.
        batch_size: rows at a time; all at once if None.
        early_stop: end an answer at the end of the block with its end-of-text; exact up to there.
        attend_padding: pad the prompts of each batch to equal length on the left with end-of-text that is
            attended to, as d1 does; answers then depend on ``batch_size``.
        kv_cache: approximate; see `Decoding`.
        confidence_threshold: approximate; see `Decoding`.

    Returns:
        For each prompt, in order, a list of ``gen_length`` ids.  A position at which the model
        predicts the mask token itself may stay masked, as in the published loop.

    Raises:
        SamplingError: settings, prompts and model do not fit together.
    """
    if mask_token_id is None:
        raise SamplingError(
            "mask_token_id must be the id of the mask token, got None; the tokenizer may have none (LLaDA's "
            "has not), then take it from the model's configuration: model.config.mask_token_id"
        )
    decoding = Decoding(
        gen_length=gen_length,
        block_length=block_length,
        diffusion_steps=diffusion_steps,
        mask_token_id=mask_token_id,
        eos_token_id=eos_token_id,
        temperature=temperature,
        cfg_scale=cfg_scale,
        remasking=remasking,
        early_stop=early_stop,
        kv_cache=kv_cache,
        confidence_threshold=confidence_threshold,
    )
    prompts = [_as_ids(prompt, number) for number, prompt in enumerate(prompts)]
    if not prompts:
        return []
    size = len(prompts) if batch_size is None else batch_size
    if size < 1:
        raise SamplingError(f"batch_size must be at least 1, got {batch_size}")
    keys = [key_of_prompt(prompt) for prompt in prompts] if example_keys is None else example_keys
    if len(keys) != len(prompts):
        raise SamplingError(f"example_keys must be one per prompt, got {len(keys)} for {len(prompts)}")
    if attend_padding:
        if eos_token_id is None:
            raise SamplingError("eos_token_id must be given to pad with, got None")
        prompts = pad_batchwise(prompts, batch_size=size, pad_token_id=eos_token_id)
    requests = [
        Request(index, prompt, key) for index, (prompt, key) in enumerate(zip(prompts, keys, strict=True))
    ]
    answers = {
        answer.index: answer.token_ids
        for answer in stream_answers(
            model,
            requests,
            decoding,
            batch_size=size,
            noise=HashedNoise(seed) if decoding.needs_noise else None,
        )
    }
    return [answers[index] for index in range(len(prompts))]


def _as_ids(prompt: Any, number: int) -> list[int]:
    """Read a prompt, whatever kind of sequence it is."""
    try:
        return [operator.index(token) for token in prompt]
    except TypeError as error:
        raise SamplingError(
            f"every prompt must be a list of token ids, got {prompt!r:.60} as prompt {number}"
        ) from error
