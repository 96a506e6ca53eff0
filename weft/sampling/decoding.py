"""How an answer is made: every setting of the reverse process, checked before anything is spent."""

from dataclasses import dataclass
from typing import Any, Literal

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
            is filled with end-of-text.  Exact up to the first end-of-text.
        kv_cache: **approximate**: keys and values of the prompt and closed blocks (``prefix``), or of all
            positions outside the block (``dual``), are kept from the block's first step.
        confidence_threshold: **approximate**: reveal every prediction at least this sure, and at least one,
            instead of a fixed number per step; a block ends when nothing in it is masked.

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
        for problem in self._problems():
            raise SamplingError(problem)

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

    def _problems(self) -> Any:
        for name in ("gen_length", "block_length", "diffusion_steps"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                yield f"{name} must be a whole number of at least 1, got {value!r}"
                return
        if self.gen_length % self.block_length:
            yield (
                f"gen_length must be a multiple of block_length, got {self.gen_length} and "
                f"{self.block_length}; change one of them"
            )
            return
        if self.diffusion_steps % self.num_blocks:
            yield (
                f"diffusion_steps must be a multiple of the number of blocks, got {self.diffusion_steps} "
                f"steps for {self.num_blocks} blocks; choose a multiple of {self.num_blocks}"
            )
        if not isinstance(self.mask_token_id, int):
            yield (
                f"mask_token_id must be the id of the mask token, got {self.mask_token_id!r}; the checkpoint's "
                "configuration names it (LLaDA's tokenizer does not)"
            )
        if not 0 <= self.temperature < float("inf"):
            yield f"temperature must be at least 0 and finite, got {self.temperature}"
        if not 0 <= self.cfg_scale < float("inf"):
            yield f"cfg_scale must be at least 0 and finite, got {self.cfg_scale}"
        if self.remasking not in ("low_confidence", "random"):
            yield f"remasking must be 'low_confidence' or 'random', got {self.remasking!r}"
        if self.early_stop and self.eos_token_id is None:
            yield "eos_token_id must be given for early_stop, got None"
        if self.kv_cache not in (None, "prefix", "dual"):
            yield f"kv_cache must be 'prefix', 'dual' or None, got {self.kv_cache!r}"
        if self.kv_cache is not None and self.cfg_scale > 0:
            yield f"cfg_scale must be 0 with a kv_cache, got {self.cfg_scale}; switch one of them off"
        threshold = self.confidence_threshold
        if threshold is not None and not 0 < threshold <= 1:
            yield f"confidence_threshold must be above 0 and at most 1, got {threshold}"
        if threshold is not None and self.remasking != "low_confidence":
            yield f"remasking must be 'low_confidence' with a confidence_threshold, got {self.remasking!r}"
