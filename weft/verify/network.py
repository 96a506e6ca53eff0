"""Networks with random weights and LLaDA-8B's proportions that predict different tokens at each position."""

from dataclasses import dataclass
from typing import Any

import torch

from weft.model import LladaConfig, LladaForMaskedDiffusion

FIRST_LAYER = {"q_proj": 2.0, "k_proj": 2.0, "v_proj": 3.0, "o_proj": 3.0}
LATER_LAYERS = 0.5
"""Gains of the projections.

All masked positions have the same token, so only attention can distinguish them. The first layer therefore
has sharp attention. The later layers have small gains, because 32 layers would amplify rounding errors.
"""


@dataclass(frozen=True)
class Shape:
    """Size of a network.

    Attributes:
        width: width of the residual stream; 128 for each attention head.
        num_layers: number of transformer blocks.
        vocab_size: number of entries; the last two are the mask and end-of-text.
        context: length of the longest sequence, in tokens.
    """

    width: int
    num_layers: int
    vocab_size: int
    context: int = 4096

    @property
    def mask_token_id(self) -> int:
        """Id of the mask token."""
        return self.vocab_size - 1

    @property
    def eos_token_id(self) -> int:
        """Id of end-of-text."""
        return self.vocab_size - 2

    def __str__(self) -> str:
        return f"{self.num_layers} layers of width {self.width}, vocabulary {self.vocab_size}"


LLADA_8B = Shape(width=4096, num_layers=32, vocab_size=126464)
IN_PROPORTION = Shape(width=128, num_layers=32, vocab_size=31 * 128)
"""LLaDA-8B's number of layers and proportions: feed-forward 3 x and vocabulary 31 x the width."""
WIDER = Shape(width=512, num_layers=32, vocab_size=31 * 512)
"""The same proportions at four times the width. The cost of attention scores relative to the other products
is 0.15 length / width: 3 % for LLaDA-8B at 700 tokens, 7 % here at 220 tokens, and 27 % at width 128, where
it hides what is saved elsewhere."""


def random_network(
    shape: Shape, *, spread: float, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Any:
    """Create a network with fixed random weights.

    Args:
        shape: size of the network.
        spread: standard deviation of the logits; a larger value gives higher confidences.
        device: device of the network.
        dtype: data type of the parameters.

    Returns:
        A mask predictor that never predicts the mask or end-of-text.
    """
    config = LladaConfig(
        vocab_size=shape.vocab_size,
        hidden_size=shape.width,
        intermediate_size=3 * shape.width,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=max(1, shape.width // 128),
        num_key_value_heads=max(1, shape.width // 128),
        max_position_embeddings=shape.context,
        mask_token_id=shape.mask_token_id,
    )
    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)  # 8 billion parameters fit into memory only once
    try:
        with torch.device(device):
            model: Any = LladaForMaskedDiffusion(config).eval()
    finally:
        torch.set_default_dtype(usual)
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(generator=generator).mul_(_gain(name, spread) / weight.shape[1] ** 0.5)
        model.model.embed_tokens.weight.mul_(shape.width**0.5)
        model.lm_head.weight[shape.eos_token_id :] = 0  # a logit of 0 is never the highest of thousands
    return model


def random_prompts(shape: Shape, lengths: list[int]) -> list[list[int]]:
    """Draw prompts of given lengths, which are distinguished by their first tokens."""
    generator = torch.Generator().manual_seed(0)
    return [
        [number, *torch.randint(shape.eos_token_id, (length - 1,), generator=generator).tolist()]
        for number, length in enumerate(lengths)
    ]


def _gain(name: str, spread: float) -> float:
    if "lm_head" in name:
        return spread
    if ".layers.0." in name:
        return next((gain for part, gain in FIRST_LAYER.items() if part in name), LATER_LAYERS)
    return 1.0 if "self_attn" in name else LATER_LAYERS
