"""The published reverse process: blocks from left to right, the surest predictions first.

It follows the loop of d1 (eval/generate.py @ 837888f), with three differences that change no token
in fp32 and one that does:

- the head runs only where a decision is taken: masked positions up to the end of the current block;
- the confidence is exp(max - logsumexp), so no normalised vocabulary-wide tensor is formed;
- equal confidences are resolved by position, lowest first (the published order is undefined);
- prompts of unequal length are padded on the left, and the padding is hidden from attention, so
  that an answer does not depend on its neighbours in the batch (d1 attends to it).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from weft.axes import TokenIds, TokenMask
from weft.errors import SamplingError
from weft.sampling.remasking import num_transfer_tokens, select_most_confident

Predictor = Callable[..., Any]


@torch.inference_mode()
def generate(
    model: Predictor,
    prompts: Sequence[Sequence[int]],
    *,
    gen_length: int,
    block_length: int,
    diffusion_steps: int,
    mask_token_id: int,
    eos_token_id: int | None = None,
    temperature: float = 0.0,
    cfg_scale: float = 0.0,
    batch_size: int | None = None,
) -> list[list[int]]:
    """Answer prompts.

    Args:
        model: mask predictor, called as ``model(input_ids=…, attention_mask=…, position_ids=…, at=…)``.
        prompts: token ids of each prompt.
        gen_length: length of the answer, in tokens.
        block_length: length of one block, in tokens; divides ``gen_length``.
        diffusion_steps: forward passes over all blocks; a multiple of the number of blocks.
        mask_token_id: id of the mask token.
        eos_token_id: id that fills the left padding; the mask token where there is none.
        temperature: must be 0, the paper's setting.
        cfg_scale: classifier-free guidance, 0 for none; the unconditional pass masks the prompt.
        batch_size: prompts per forward pass; all at once when empty.

    Returns:
        For each prompt, in order, a list of ``gen_length`` ids.  A position at which the model
        predicts the mask token itself may stay masked, as in the published loop.

    Raises:
        SamplingError: lengths, steps or temperature do not fit together.

    Source:
        LLaDA's semi-autoregressive low-confidence remasking, as in d1 @ 837888f.
    """
    _check(gen_length, block_length, diffusion_steps, temperature)
    if not prompts:
        return []
    size = batch_size or len(prompts)
    answers: list[list[int]] = []
    for start in range(0, len(prompts), size):
        canvas_ids, is_real = _make_canvas(
            prompts[start : start + size],
            gen_length=gen_length,
            mask_token_id=mask_token_id,
            filler_id=mask_token_id if eos_token_id is None else eos_token_id,
            device=getattr(model, "device", torch.device("cpu")),
        )
        predict = _Prediction(model, is_real, canvas_ids.shape[1] - gen_length, cfg_scale, mask_token_id)
        _fill(
            predict,
            canvas_ids,
            gen_length=gen_length,
            block_length=block_length,
            diffusion_steps=diffusion_steps,
            mask_token_id=mask_token_id,
        )
        answers += canvas_ids[:, -gen_length:].tolist()
    return answers


def _fill(
    predict: "_Prediction",
    canvas_ids: TokenIds,
    *,
    gen_length: int,
    block_length: int,
    diffusion_steps: int,
    mask_token_id: int,
) -> None:
    """Fill the canvas in place."""
    prompt_length = canvas_ids.shape[1] - gen_length
    num_blocks = gen_length // block_length
    position = torch.arange(canvas_ids.shape[1], device=canvas_ids.device)
    for block in range(num_blocks):
        block_end = prompt_length + (block + 1) * block_length
        in_reach = (position >= prompt_length) & (position < block_end)
        for num_tokens in num_transfer_tokens(block_length, diffusion_steps // num_blocks):
            is_candidate = (canvas_ids == mask_token_id) & in_reach
            logits = predict(canvas_ids, is_candidate)
            best_logit, best_id = logits.max(dim=-1)
            confidence = torch.full(canvas_ids.shape, -torch.inf, device=canvas_ids.device)
            confidence[is_candidate] = (best_logit - logits.logsumexp(dim=-1)).exp()
            prediction = torch.full_like(canvas_ids, mask_token_id).masked_scatter(is_candidate, best_id)
            chosen = select_most_confident(confidence, num_tokens)
            canvas_ids[chosen] = prediction[chosen]


class _Prediction:
    """The model at a fixed batch: hidden padding, positions, guidance."""

    def __init__(
        self, model: Predictor, is_real: TokenMask, prompt_length: int, cfg_scale: float, mask_token_id: int
    ) -> None:
        self.model = model
        self.cfg_scale = cfg_scale
        self.mask_token_id = mask_token_id
        # Without padding no mask is passed, which lets attention take its fast path.
        self.attention_mask = None if bool(is_real.all()) else is_real
        self.position_ids = (is_real.cumsum(dim=1) - 1).clamp(min=0)
        self.is_prompt = is_real.clone()
        self.is_prompt[:, prompt_length:] = False

    def __call__(self, canvas_ids: TokenIds, at: TokenMask) -> Tensor:
        """Return fp32 logits, tokens x vocab, at the chosen positions."""
        logits = self._forward(canvas_ids, at)
        if self.cfg_scale > 0:
            unconditional = self._forward(canvas_ids.masked_fill(self.is_prompt, self.mask_token_id), at)
            logits = unconditional + (self.cfg_scale + 1) * (logits - unconditional)
        return logits.float()

    def _forward(self, canvas_ids: TokenIds, at: TokenMask) -> Tensor:
        output = self.model(
            input_ids=canvas_ids, attention_mask=self.attention_mask, position_ids=self.position_ids, at=at
        )
        logits: Tensor = output.logits
        return logits


def _make_canvas(
    prompts: Sequence[Sequence[int]],
    *,
    gen_length: int,
    mask_token_id: int,
    filler_id: int,
    device: torch.device,
) -> tuple[TokenIds, TokenMask]:
    """Stack prompts, padded on the left, in front of an all-masked answer."""
    longest = max(len(prompt) for prompt in prompts)
    canvas_ids = torch.full((len(prompts), longest + gen_length), mask_token_id)
    is_real = torch.ones(canvas_ids.shape, dtype=torch.bool)
    for row, prompt in enumerate(prompts):
        start = longest - len(prompt)
        canvas_ids[row, :start] = filler_id
        canvas_ids[row, start:longest] = torch.tensor(list(prompt), dtype=torch.long)
        is_real[row, :start] = False
    return canvas_ids.to(device), is_real.to(device)


def _check(gen_length: int, block_length: int, diffusion_steps: int, temperature: float) -> None:
    if min(gen_length, block_length, diffusion_steps) < 1 or gen_length % block_length:
        raise SamplingError(
            f"gen_length must be a positive multiple of block_length, got {gen_length} and {block_length}"
        )
    num_blocks = gen_length // block_length
    if diffusion_steps % num_blocks:
        raise SamplingError(
            f"diffusion_steps must be a multiple of the number of blocks, got {diffusion_steps} steps for "
            f"{num_blocks} blocks; choose a multiple of {num_blocks}"
        )
    if temperature != 0:
        raise SamplingError(f"temperature must be 0, got {temperature}; sampling with noise is not supported")
