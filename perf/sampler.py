"""Compare the sampler with the plain loop in time, forward passes, memory and tokens.

Both run the same network on the same prompts, alternately, in the same process. If the sampler should return
the tokens of the plain loop, the measurement stops with an error if they differ.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from weft.sampling import generate
from weft.verify.imposed import (
    BLOCK_LENGTH,
    NUM_ENDING,
    ImposedLengths,
    cut_behind_end,
    require_equal,
    share_of_equal,
    typical_blocks,
)
from weft.verify.measure import peak_bytes, time_in_turns
from weft.verify.network import IN_PROPORTION, LLADA_8B, WIDER, Shape, random_network, random_prompts
from weft.verify.plain.answers import Counted, answer_plainly

Answers = list[list[int]]
Answer = Callable[[Any], Answers]
"""Function from a model to its answers to the prompts of a setup."""

TOKENS_PER_STEP = 2
SPREAD = 2.0
"""Standard deviation of the logits in measurements that do not depend on confidence."""
SURE_SPREAD = 20.0
"""Standard deviation of the logits at which three to four tokens per step reach the threshold."""
THRESHOLD = 0.9

EXACT_TITLE = "exact, without early stop"
APPROXIMATE: dict[str, dict[str, Any]] = {
    "prefix cache": {"kv_cache": "prefix"},
    "dual cache": {"kv_cache": "dual"},
    f"threshold {THRESHOLD}": {"confidence_threshold": THRESHOLD},
    f"dual cache, threshold {THRESHOLD}": {"kv_cache": "dual", "confidence_threshold": THRESHOLD},
    f"dual cache, threshold {THRESHOLD}, early stop": {
        "kv_cache": "dual",
        "confidence_threshold": THRESHOLD,
        "early_stop": True,
    },
}
"""Settings of the sampler that change tokens, by title."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Network, prompts and settings that both sides use.

    Attributes:
        shape: size of the network.
        prompt_lengths: lengths of the prompts, in tokens.
        batch_size: number of sequences in a batch.
        gen_length: length of the answers, in tokens.
        tokens_per_step: number of tokens revealed in each step.
        spread: standard deviation of the network's logits.
        blocks: blocks in which the answers end, from 0; no end is imposed if empty.
        rounds: number of timed rounds.
        device: device of the network.
        dtype: data type of the network.
    """

    shape: Shape
    prompt_lengths: tuple[int, ...]
    batch_size: int
    gen_length: int
    tokens_per_step: int = TOKENS_PER_STEP
    spread: float = SPREAD
    blocks: tuple[int, ...] = ()
    rounds: int = 1
    device: str = "cpu"
    dtype: torch.dtype = torch.float32

    def settings(self, tokens_per_step: int | None = None) -> dict[str, Any]:
        """Return the settings with which both sides are called."""
        return {
            "gen_length": self.gen_length,
            "block_length": BLOCK_LENGTH,
            "diffusion_steps": self.gen_length // (tokens_per_step or self.tokens_per_step),
            "mask_token_id": self.shape.mask_token_id,
            "batch_size": self.batch_size,
        }

    @property
    def prompts(self) -> Answers:
        """Token ids of the prompts."""
        return random_prompts(self.shape, list(self.prompt_lengths))

    def model(self) -> Any:
        """Create the network, with imposed ends if the setup has blocks."""
        model = random_network(self.shape, spread=self.spread, device=self.device, dtype=self.dtype)
        ends = {
            prompt[0]: len(prompt) + block * BLOCK_LENGTH + BLOCK_LENGTH // 2
            for prompt, block in zip(self.prompts, self.blocks, strict=False)
        }
        return ImposedLengths(model, eos_token_id=self.shape.eos_token_id, ends=ends) if ends else model

    def plainly(self, model: Any, tokens_per_step: int | None = None) -> Answers:
        """Answer the prompts by the plain loop."""
        return answer_plainly(
            model, self.prompts, pad_token_id=self.shape.eos_token_id, **self.settings(tokens_per_step)
        )

    def ours(self, model: Any, tokens_per_step: int | None = None, **mode: Any) -> Answers:
        """Answer the prompts by the sampler."""
        return generate(
            model,
            self.prompts,
            eos_token_id=self.shape.eos_token_id,
            **self.settings(tokens_per_step),
            **mode,
        )

    def cut(self, answers: Answers) -> Answers:
        """Cut each answer after its first end-of-text."""
        return [cut_behind_end(answer, self.shape.eos_token_id) for answer in answers]


@dataclass
class Side:
    """Answers and costs of one side.

    Attributes:
        answers: token ids of the answers.
        seconds: time of the fastest round.
        num_passes: number of forward passes, counted for each sequence.
        num_positions: number of positions in these passes.
    """

    answers: Answers
    seconds: float
    num_passes: int
    num_positions: int


def run_sides(model: Any, sides: Mapping[str, Answer], *, rounds: int) -> dict[str, Side]:
    """Run several sides alternately and count their forward passes.

    Args:
        model: the network.
        sides: functions that answer the prompts, by name.
        rounds: number of timed rounds.

    Returns:
        Answers and costs of each side.
    """
    last_run: dict[str, tuple[Answers, Counted]] = {}

    def counting(name: str, answer: Answer) -> Callable[[int], None]:
        def run(_: int) -> None:
            counted = Counted(model)
            last_run[name] = answer(counted), counted

        return run

    runs = {name: counting(name, answer) for name, answer in sides.items()}
    seconds = time_in_turns(runs, rounds=rounds, of_rounds=min)
    return {
        name: Side(answers, seconds[name], counted.num_passes, counted.num_positions)
        for name, (answers, counted) in last_run.items()
    }


def bench_sampler(*, threads: int, device: str, quick: bool = False) -> Iterator[str]:
    """Compare the sampler with the plain loop on networks with random weights.

    Args:
        threads: CPU threads.
        device: device of the networks.
        quick: use a very small network, as a smoke test.

    Yields:
        Lines of text; speeds and memory are ratios, ours over the plain loop's.

    Raises:
        SamplingError: an exact mode of the sampler does not return the tokens of the plain loop.
    """
    torch.set_num_threads(threads)
    shape = Shape(width=32, num_layers=2, vocab_size=31 * 32) if quick else IN_PROPORTION
    yield (
        f"Random weights in LLaDA's proportions ({shape}), fp32 on {device}, {threads} threads, blocks of "
        f"{BLOCK_LENGTH}; ours / plain loop"
    )
    yield from _exact(shape, device)
    yield from _early_stop(shape, device)
    yield from _approximate(shape, device)
    if torch.cuda.is_available() and not quick:
        yield from _eight_billion()
    else:
        yield "The shape of LLaDA-8B is measured on a GPU only."


def _exact(shape: Shape, device: str) -> Iterator[str]:
    """Compare exact decoding at three lengths, with padding, and with a wider network."""
    yield f"{EXACT_TITLE}, tokens equal  (goals: time 0.80, peak memory 0.20):"
    equal, unequal = (96, 96), (64, 96, 128, 176)
    setups = [
        ("128 tokens, prompts of 96", shape, equal, 128, 2),
        ("256 tokens, prompts of 96", shape, equal, 256, 8),
        ("512 tokens, prompts of 96", shape, equal, 512, 16),
        ("256 tokens, prompts of 64 to 176", shape, unequal, 256, 16),
    ]
    if shape == IN_PROPORTION:
        setups.append((f"128 tokens, width {WIDER.width}", WIDER, (96,), 128, 8))
    for title, used, prompt_lengths, gen_length, tokens_per_step in setups:
        setup = Setup(
            shape=used,
            prompt_lengths=prompt_lengths,
            batch_size=len(prompt_lengths),
            gen_length=gen_length,
            tokens_per_step=tokens_per_step,
            rounds=2,
            device=device,
        )
        yield _exact_line(title, setup)


def _exact_line(title: str, setup: Setup) -> str:
    model = setup.model()
    sides = run_sides(model, {"plain": setup.plainly, "ours": setup.ours}, rounds=setup.rounds)
    plain, ours = sides["plain"], sides["ours"]
    require_equal(ours.answers, plain.answers, title=title)
    return _line(
        f"{title}, {setup.tokens_per_step} a step",
        time=ours.seconds / plain.seconds,
        passes=ours.num_passes / plain.num_passes,
        **{"peak memory": _memory_ratio(setup, model)},
    )


def _memory_ratio(setup: Setup, model: Any) -> float:
    """Compare the memory beyond the parameters, with one step per block; more steps take no more memory."""
    device = torch.device(setup.device)
    ours = peak_bytes(lambda: setup.ours(model, BLOCK_LENGTH), device)
    return ours / peak_bytes(lambda: setup.plainly(model, BLOCK_LENGTH), device)


def _early_stop(shape: Shape, device: str) -> Iterator[str]:
    """Compare exact decoding with early stop, for answers with the lengths of LLaDA's answers to GSM8K."""
    yield "exact up to the end, early stop, lengths of LLaDA-8B's answers to GSM8K  (goal at 512: time 0.56):"
    for gen_length in NUM_ENDING:
        blocks = typical_blocks(gen_length, 8)
        setup = Setup(
            shape=shape,
            prompt_lengths=(96, 104, 80, 112, 88, 120, 72, 128),
            batch_size=2,
            gen_length=gen_length,
            tokens_per_step=16,
            blocks=tuple(blocks[index] for index in (3, 6, 0, 5, 2, 7, 1, 4)),
            device=device,
        )
        sides = run_sides(
            setup.model(),
            {"plain": setup.plainly, "ours": functools.partial(setup.ours, early_stop=True)},
            rounds=setup.rounds,
        )
        plain, ours = sides["plain"], sides["ours"]
        require_equal(setup.cut(ours.answers), setup.cut(plain.answers), title=f"early stop, {gen_length}")
        yield _line(
            f"{gen_length} tokens, 8 answers, {setup.tokens_per_step} a step",
            time=ours.seconds / plain.seconds,
            passes=ours.num_passes / plain.num_passes,
        )


def _approximate(shape: Shape, device: str) -> Iterator[str]:
    """Compare the approximate modes, which change tokens."""
    setup = Setup(
        shape=shape,
        prompt_lengths=(96, 120),
        batch_size=2,
        gen_length=512,
        spread=SURE_SPREAD,
        blocks=tuple(typical_blocks(512, 2)),
        device=device,
    )
    modes = {name: functools.partial(setup.ours, **mode) for name, mode in APPROXIMATE.items()}
    sides = run_sides(setup.model(), {"plain": setup.plainly, **modes}, rounds=setup.rounds)
    plain = sides.pop("plain")
    ends = " and ".join(str(block + 1) for block in setup.blocks)
    yield (
        f"APPROXIMATE, 512 tokens, 2 answers that end in blocks {ends}, against the plain loop's "
        f"{setup.tokens_per_step} tokens a step  (goal: time 0.10).  Random weights say nothing about the "
        "agreement of a trained network's answers; here they are sharpened to give the threshold something:"
    )
    for name, side in sides.items():
        yield _line(
            name,
            time=side.seconds / plain.seconds,
            passes=side.num_passes / plain.num_passes,
            **{
                "positions": side.num_positions / plain.num_positions,
                "equal tokens": share_of_equal(setup.cut(side.answers), setup.cut(plain.answers)),
            },
        )


def _eight_billion() -> Iterator[str]:
    """Compare both sides in LLaDA-8B's own shape, in bf16, where rounding may decide between tokens."""
    yield "the shape of LLaDA-8B, random weights in bf16, 8 prompts of 200, 2 steps a block:"
    for gen_length in (128, 512):
        setup = Setup(
            shape=LLADA_8B,
            prompt_lengths=(200,) * 8,
            batch_size=8,
            gen_length=gen_length,
            tokens_per_step=16,
            rounds=2,
            device="cuda",
            dtype=torch.bfloat16,
        )
        model = setup.model()
        sides = run_sides(model, {"plain": setup.plainly, "ours": setup.ours}, rounds=setup.rounds)
        plain, ours = sides["plain"], sides["ours"]
        yield _line(
            f"{gen_length} tokens",
            time=ours.seconds / plain.seconds,
            **{
                "peak memory": _memory_ratio(setup, model),
                "equal tokens": share_of_equal(ours.answers, plain.answers),
            },
        )
        del model


def _line(title: str, **ratios: float) -> str:
    return f"  {title:<44} " + ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
