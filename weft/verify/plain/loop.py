"""The published reverse process, written as plainly as possible.

Each step computes logits and a softmax for the whole canvas, and a loop over the sequences reveals tokens.
The tests require `weft.sampling` to return the same tokens.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from weft.axes import BatchIds, Int, TokenIds
from weft.sampling.noise import HashedNoise

Predict = Callable[[Tensor], Tensor]
"""Token ids, batch x length, to logits, batch x length x vocab, as the published class returns them."""


@torch.no_grad()
def generate_plainly(
    predict: Predict,
    prompt_ids: TokenIds,
    *,
    gen_length: int,
    block_length: int,
    diffusion_steps: int,
    mask_token_id: int,
    temperature: float = 0.0,
    cfg_scale: float = 0.0,
    remasking: Literal["low_confidence", "random"] = "low_confidence",
    shift: bool = False,
    noise: HashedNoise | None = None,
    keys: BatchIds | None = None,
) -> Int[Tensor, "batch answer"]:
    """Answer prompts of equal length.

    All masked positions up to the end of the current block are candidates, including masks in the prompt and
    in earlier blocks; a position whose prediction is the mask token stays masked. Among equal logits the
    lowest id is chosen, and among equal confidences the lowest position.

    Args:
        predict: the mask predictor.
        prompt_ids: token ids of the prompts.
        gen_length: length of the answer, in tokens.
        block_length: length of a block, in tokens.
        diffusion_steps: forward passes over all blocks.
        mask_token_id: id of the mask token.
        temperature: temperature of the Gumbel noise; 0 for no noise.
        cfg_scale: scale of classifier-free guidance; 0 for no guidance.
        remasking: predictions to keep: the most confident, or those at random positions.
        shift: True if the logits at position i - 1 predict position i, as in Dream; position 0 is not
            shifted.
        noise: uniform numbers; required for a temperature or random remasking.
        keys: key of each row's random numbers; 0 by default.

    Returns:
        The answers, batch x gen_length.

    Source:
        LLaDA generate.py @ b7e6c35 and d1 eval/generate.py @ 837888f, whose random numbers come from the
        global generator and whose order of equal confidences is undefined.
    """
    batch, prompt_length = prompt_ids.shape
    canvas_ids = torch.cat([prompt_ids, prompt_ids.new_full((batch, gen_length), mask_token_id)], dim=1)
    is_prompt = canvas_ids != mask_token_id
    keys = canvas_ids.new_zeros(batch) if keys is None else keys
    positions = torch.arange(canvas_ids.shape[1], device=canvas_ids.device).expand_as(canvas_ids)
    num_blocks = gen_length // block_length
    steps_per_block = diffusion_steps // num_blocks

    for block in range(num_blocks):
        start = prompt_length + block * block_length
        end = start + block_length
        num_masked = (canvas_ids[:, start:end] == mask_token_id).sum(dim=1).tolist()
        for step_in_block in range(steps_per_block):
            # The model predicts every position of the canvas.
            logits = predict(canvas_ids)
            if cfg_scale > 0:
                unconditional = predict(canvas_ids.masked_fill(is_prompt, mask_token_id))
                logits = unconditional + (cfg_scale + 1) * (logits - unconditional)
            if shift:
                logits = torch.cat([logits[:, :1], logits[:, :-1]], dim=1)

            # The predicted token of each position, drawn by the Gumbel trick in float64, and its confidence.
            purpose = (keys, torch.full_like(keys, block * steps_per_block + step_in_block), positions)
            scores = logits
            if temperature > 0:
                assert noise is not None, "a temperature requires noise"
                uniform = noise.for_tokens(*purpose, logits.shape[-1])
                scores = logits.double().exp() / (-uniform.log()) ** temperature
            predicted_ids = scores.argmax(dim=-1)
            if remasking == "random":
                assert noise is not None, "random remasking requires noise"
                confidence = noise.for_positions(*purpose)
            else:
                probability = logits.softmax(dim=-1)
                confidence = probability.gather(-1, predicted_ids[..., None]).squeeze(-1)
            is_masked = canvas_ids == mask_token_id
            confidence = confidence.masked_fill(~is_masked, -torch.inf)
            confidence[:, end:] = -torch.inf

            # The most confident predictions of each sequence are kept, an equal share in each step.
            predicted_ids = torch.where(is_masked, predicted_ids, canvas_ids)
            for row in range(batch):
                share, rest = divmod(num_masked[row], steps_per_block)
                order = confidence[row].argsort(descending=True, stable=True)
                kept = order[: share + (step_in_block < rest)]
                canvas_ids[row, kept] = predicted_ids[row, kept]
    return canvas_ids[:, prompt_length:]
