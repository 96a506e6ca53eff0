"""How an answer is made: every setting of the reverse process, checked before anything is spent."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from weft.errors import SamplingError
from weft.sampling.remasking import num_transfer_tokens

Remasking = Literal["low_confidence", "random"]
KvCache = Literal["prefix", "dual"]


@dataclass(frozen=True, kw_only=True)
class Decoding:
    """Settings of the reverse process.

    Attributes:
        gen_length: length of the answer, in tokens.
        block_length: length of one block, in tokens; divides ``gen_length``.
        diffusion_steps: denoising steps over all blocks; a multiple of the number of blocks.
        mask_token_id: id of the mask token.
        eos_token_id: id of end-of-text; needed for ``early_stop``.
        temperature: of the Gumbel noise on the logits; 0 for none.
        cfg_scale: classifier-free guidance, 0 for none; the unconditional pass masks the prompt.
        remasking: which predictions are kept: the surest, or random ones.
        early_stop: end a row when a closed block holds end-of-text and nothing before it is masked; the rest
            behind that block is filled with end-of-text.  Exact up to the first end-of-text.
        kv_cache: **approximate**: keys and values of the prompt and closed blocks (``prefix``), or of all
            positions outside the block (``dual``), are kept from the block's first step.
        confidence_threshold: **approximate**: reveal every prediction at least this sure, and at least one,
            instead of a fixed number per step; a block ends when nothing up to its end is masked.

    Raises:
        SamplingError: settings are out of range or do not fit together.
    """

    gen_length: int
    block_length: int
    diffusion_steps: int
    mask_token_id: int
    eos_token_id: int | None = None
    temperature: float = 0.0
    cfg_scale: float = 0.0
    remasking: Remasking = "low_confidence"
    early_stop: bool = False
    kv_cache: KvCache | None = None
    confidence_threshold: float | None = None

    def __post_init__(self) -> None:
        for requirement, holds, got in self._requirements():
            if not holds:
                raise SamplingError(f"{requirement}, got {got}")

    @property
    def num_blocks(self) -> int:
        """Blocks of an answer."""
        return self.gen_length // self.block_length

    @property
    def steps_per_block(self) -> int:
        """Denoising steps of a block, unless a confidence threshold decides."""
        return self.diffusion_steps // self.num_blocks

    @property
    def transfers(self) -> list[int]:
        """Tokens revealed in each step of a block."""
        return num_transfer_tokens(self.block_length, self.steps_per_block)

    @property
    def is_exact(self) -> bool:
        """Whether the published loop would make the same tokens, up to the first end-of-text."""
        return self.kv_cache is None and self.confidence_threshold is None

    @property
    def needs_noise(self) -> bool:
        """Whether random numbers are used."""
        return self.temperature > 0 or self.remasking == "random"

    def _requirements(self) -> Iterator[tuple[str, bool, Any]]:
        """List what must hold, whether it does, and what came; each may rely on those before."""
        for name in ("gen_length", "block_length", "diffusion_steps"):
            value = getattr(self, name)
            yield f"{name} must be a whole number of at least 1", _is_count(value), repr(value)
        length, block, steps = self.gen_length, self.block_length, self.diffusion_steps
        yield "gen_length must be a multiple of block_length", length % block == 0, f"{length} and {block}"
        yield (
            f"diffusion_steps must be a multiple of the number of blocks, {self.num_blocks}",
            steps % self.num_blocks == 0,
            steps,
        )
        for name in ("temperature", "cfg_scale"):
            value = getattr(self, name)
            yield f"{name} must be finite and at least 0", 0 <= value < math.inf, value
        remasking, cache, threshold = self.remasking, self.kv_cache, self.confidence_threshold
        yield (
            "remasking must be 'low_confidence' or 'random'",
            remasking in get_args(Remasking),
            repr(remasking),
        )
        yield (
            "early_stop needs an eos_token_id that is not the mask's",
            not self.early_stop or self.eos_token_id not in (None, self.mask_token_id),
            self.eos_token_id,
        )
        yield "kv_cache must be 'prefix', 'dual' or None", cache in (None, *get_args(KvCache)), repr(cache)
        yield "with a kv_cache cfg_scale must be 0", cache is None or self.cfg_scale == 0, self.cfg_scale
        yield (
            "confidence_threshold must be above 0 and at most 1",
            threshold is None or 0 < threshold <= 1,
            threshold,
        )
        yield (
            "with a confidence_threshold remasking must be 'low_confidence'",
            threshold is None or remasking == "low_confidence",
            repr(remasking),
        )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
