"""Sizes of the networks and of the work of each part: LLaDA-8B's for a GPU, tiny ones for a processor."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from weft.config import FineTuning
from weft.config.training import Lora, Training
from weft.verify.network import LLADA_8B, Shape

NUM_QUESTIONS = 8
"""Questions of each benchmark, answered in one batch."""
QUESTION_TOKENS: Mapping[str, tuple[int, ...]] = {
    "sudoku": (25, 25, 25, 25, 25, 25, 25, 25),
    "countdown": (17, 18, 18, 19, 19, 19, 19, 19),
    "gsm8k": (34, 41, 48, 54, 61, 68, 79, 100),
    "math500": (20, 29, 36, 45, 55, 69, 90, 179),
}
"""Lengths of eight questions of each benchmark: the midpoints of eight quantile ranges, in tokens.

Source:
    All 500, 256, 1,319 and 500 questions of d1's Sudoku and Countdown files, of GSM8K's test file and of
    MATH-500, counted with the tokenizer of Qwen2.5, which Dream uses; LLaDA's counts differ slightly.
"""
INSTRUCTION_TOKENS = 100
"""Assumed tokens of the instruction and of the chat template around a question."""
MAIN_BENCHMARK = "gsm8k"
"""The benchmark with the paper's number of tokens per step and with the approximate modes."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """A network and the work of each part.

    Attributes:
        shape: sizes of the network.
        dtype: type of its weights and activations.
        max_length: tokens of a training example; None for the experiment's.
        rank: rank of the adapters; None for the experiment's.
        batch_size: examples per optimiser step under ZeRO; None for the experiment's.
        gen_lengths: lengths of the answers in tokens, from `weft.verify.imposed.NUM_ENDING`.
        tokens_per_step: tokens revealed per step in the rows of all benchmarks. It exceeds the experiment's,
            so that all rows take minutes; the cost of a step hardly depends on it (decision 21).
        num_steps: timed training steps of each method on one device, after the warm-up.
        num_zero_steps: optimiser steps of each method under ZeRO; the first is not counted.
        is_judged: True if the goals, which are for a GPU, apply.
    """

    shape: Shape
    dtype: torch.dtype
    max_length: int | None = None
    rank: int | None = None
    batch_size: int | None = None
    gen_lengths: tuple[int, ...]
    tokens_per_step: int
    num_steps: int
    num_zero_steps: int
    is_judged: bool

    def training(self, experiment: FineTuning) -> Training:
        """Return the training settings of an experiment with adapters, in this size."""
        training = experiment.training
        lora = training.lora
        assert lora is not None, "the caller checks that the experiment has adapters"
        if self.rank is not None:
            lora = Lora.model_validate(lora.model_dump() | {"rank": self.rank, "alpha": 2 * self.rank})
        changes = {
            "max_length": self.max_length or training.max_length,
            "batch_size": self.batch_size or training.batch_size,
            "dtype": "bfloat16" if self.dtype == torch.bfloat16 else "float32",
            "lora": lora,
            "epochs": 1,
            "save_every": 10**9,
        }
        return training.model_copy(update=changes)


SIZES: Mapping[str, Size] = {
    "8b": Size(
        shape=LLADA_8B,
        dtype=torch.bfloat16,
        gen_lengths=(128, 256, 512),
        tokens_per_step=16,
        num_steps=5,
        num_zero_steps=3,
        is_judged=True,
    ),
    "tiny": Size(
        shape=Shape(width=32, num_layers=2, vocab_size=31 * 32, context=1024),
        dtype=torch.float32,
        max_length=48,
        rank=4,
        batch_size=4,
        gen_lengths=(128,),
        tokens_per_step=16,
        num_steps=2,
        num_zero_steps=2,
        is_judged=False,
    ),
}
"""Name on the command line -> size."""
