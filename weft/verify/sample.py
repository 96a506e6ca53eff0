"""Part ``sample``: the sampler against the plain published loop, on eight questions of each benchmark.

Both sides answer the same prompts with the same network, one after the other, in one batch. With random
weights the prompts consist of random tokens and have the lengths of questions, and the answers are made to
end where LLaDA-8B's published answers end (`weft.verify.imposed`), for both sides.
"""

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import torch

from weft.config.sampling import KvCache, Sampling
from weft.sampling import generate
from weft.verify import planned
from weft.verify.imposed import NUM_ENDING, ImposedLengths, cut_behind_end, share_of_equal, typical_blocks
from weft.verify.measure import peak_bytes, time_in_turns
from weft.verify.plain.answers import answer_plainly
from weft.verify.planned import Peak
from weft.verify.records import Measurement, Skipped
from weft.verify.sizes import INSTRUCTION_TOKENS, MAIN_BENCHMARK, QUESTION_TOKENS, Size
from weft.verify.step import TIME, describe_speed

Answers = list[list[int]]


class Call(TypedDict):
    """Settings with which both sides are called."""

    gen_length: int
    block_length: int
    mask_token_id: int
    batch_size: int


class Mode(TypedDict, total=False):
    """Settings that a mode adds to a call of `weft.generate`."""

    early_stop: bool
    kv_cache: KvCache
    confidence_threshold: float


PLAIN = "plain loop"
EXACT, EARLY_STOP, APPROXIMATE = "exact", "exact up to the end, early stop", "approximate"
THRESHOLD = 0.9
"""Confidence above which the approximate mode reveals all predictions, as in Fast-dLLM."""
MODES: Mapping[str, Mode] = {
    EXACT: {},
    EARLY_STOP: {"early_stop": True},
    APPROXIMATE: {"kv_cache": "dual", "confidence_threshold": THRESHOLD, "early_stop": True},
}
"""Name of a mode -> settings of the sampler that it adds."""
EXACT_GOAL, EARLY_STOP_GOAL, APPROXIMATE_GOAL = 0.75, 0.5, 0.1
"""Largest time of each mode relative to the plain loop; that of early stop is for 512 tokens."""
EARLY_STOP_LENGTH = 512
SHARPENING = 8.0
"""Factor of the logits of random weights for the approximate mode, at which three to four tokens pass the
threshold per step, as Fast-dLLM reports for trained ones. A power of two is exact in 16 bits."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison of the sampler with the plain loop.

    Attributes:
        benchmark: name of the benchmark.
        prompts: token ids of its questions.
        gen_length: length of the answers, in tokens.
        tokens_per_step: tokens that the plain loop and the exact modes reveal per step.
        modes: modes of the sampler, keys of `MODES`.
        is_sharpened: True if the logits are multiplied by `SHARPENING` for both sides.
    """

    benchmark: str
    prompts: Answers
    gen_length: int
    tokens_per_step: int
    modes: tuple[str, ...]
    is_sharpened: bool = False

    @property
    def title(self) -> str:
        """Name of the row."""
        suffix = ", sharpened" if self.is_sharpened else ""
        return f"{self.benchmark}, {self.gen_length} tokens, {self.tokens_per_step} per step{suffix}"

    @property
    def prompt_lengths(self) -> list[int]:
        """Lengths of the prompts, in tokens."""
        return [len(prompt) for prompt in self.prompts]


def random_questions(num_ids: int) -> dict[str, Answers]:
    """Return eight prompts of random ids below a number for each benchmark, with its questions' lengths."""
    generator = torch.Generator().manual_seed(0)
    first_ids = iter(range(num_ids))
    prompts: dict[str, Answers] = {}
    for name, lengths in QUESTION_TOKENS.items():
        drawn = [
            torch.randint(0, num_ids, (INSTRUCTION_TOKENS + length - 1,), generator=generator)
            for length in lengths
        ]
        prompts[name] = [[next(first_ids), *ids.tolist()] for ids in drawn]
    return prompts


def list_rows(
    size: Size, prompts: Mapping[str, Answers], tokens_per_step: int, *, has_random_weights: bool
) -> list[Row]:
    """Return the comparisons in the order of their importance.

    Args:
        size: lengths of the answers, and tokens per step of the rows of all benchmarks.
        prompts: prompts of each benchmark.
        tokens_per_step: tokens per step of the experiment, for the first rows.
        has_random_weights: True if the approximate mode needs sharper logits.

    Returns:
        The exact and the approximate modes at the longest length, then the exact modes for each benchmark and
        length, the longest first.
    """
    main = MAIN_BENCHMARK if MAIN_BENCHMARK in prompts else next(iter(prompts))
    longest = max(size.gen_lengths)
    rows = [
        Row(
            benchmark=main,
            prompts=prompts[main],
            gen_length=longest,
            tokens_per_step=tokens_per_step,
            modes=modes,
            is_sharpened=modes == (APPROXIMATE,),
        )
        for modes in (((EXACT, EARLY_STOP), (APPROXIMATE,)) if has_random_weights else (tuple(MODES),))
    ]
    rows += [
        Row(
            benchmark=name,
            prompts=asked,
            gen_length=gen_length,
            tokens_per_step=size.tokens_per_step,
            modes=(EXACT, EARLY_STOP),
        )
        for gen_length in sorted(size.gen_lengths, reverse=True)
        for name, asked in prompts.items()
    ]
    return rows


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The network and the settings with which all rows are measured.

    Attributes:
        model: the mask predictor.
        sampling: sampling settings of the experiment.
        mask_token_id: id of the mask token.
        eos_token_id: id of end-of-text.
        imposes_ends: True if the ends of the answers are imposed, which random weights require.
        is_exact: True if the exact modes must return the tokens of the plain loop; in 16 bits rounding may
            decide between two tokens.
        peak: rate of operations for the utilisation.
    """

    model: Any
    sampling: Sampling
    mask_token_id: int
    eos_token_id: int
    imposes_ends: bool
    is_exact: bool
    peak: Peak

    def measure(self, row: Row) -> Iterator[Measurement]:
        """Time all sides of a row, and compare their answers and their memory.

        Args:
            row: the comparison.

        Yields:
            For each side its time, speed, utilisation and peak memory beyond the weights; for each mode its
            time relative to the plain loop and its equal tokens.
        """
        head = self.model.lm_head.weight
        with torch.no_grad():
            head.mul_(SHARPENING if row.is_sharpened else 1)
            yield from self._measure(row, self._with_ends(row), self._sides(row))
            head.div_(SHARPENING if row.is_sharpened else 1)

    def _measure(
        self, row: Row, model: Any, sides: Mapping[str, Callable[[Any, int], Answers]]
    ) -> Iterator[Measurement]:
        for side in sides.values():  # the first calls load kernels
            side(model, row.gen_length // self.sampling.block_length)
        answers: dict[str, Answers] = {}

        def run_of(name: str, side: Callable[[Any, int], Answers]) -> Callable[[int], None]:
            def run(_: int) -> None:
                answers[name] = side(model, row.gen_length // row.tokens_per_step)

            return run

        runs = {name: run_of(name, side) for name, side in sides.items()}
        seconds = time_in_turns(runs, rounds=1, of_rounds=min)
        for name, side in sides.items():
            yield from self._costs(row, name, seconds[name])
            memory = functools.partial(side, model, row.gen_length // self.sampling.block_length)
            yield Measurement(
                subject=f"{row.title}, {name}",
                quantity="peak memory beyond the weights",
                value=peak_bytes(memory, self.model.device) / 2**30,
                unit="GiB",
            )
            if name != PLAIN:
                yield Measurement(
                    subject=f"{row.title}, {name}",
                    quantity=f"time / {PLAIN}",
                    value=seconds[name] / seconds[PLAIN],
                    unit="ratio",
                    goal=_goal(name, row.gen_length),
                )
                yield self._compare(f"{row.title}, {name}", answers[name], answers[PLAIN], mode=name)

    def _with_ends(self, row: Row) -> Any:
        if not self.imposes_ends:
            return self.model
        block = self.sampling.block_length
        blocks = typical_blocks(row.gen_length, len(row.prompts))
        ends = {
            prompt[0]: len(prompt) + index * block + block // 2
            for prompt, index in zip(row.prompts, blocks, strict=True)
        }
        return ImposedLengths(self.model, eos_token_id=self.eos_token_id, ends=ends)

    def _sides(self, row: Row) -> dict[str, Callable[[Any, int], Answers]]:
        """Return functions of a model and a number of steps that answer the prompts, by name."""
        settings = Call(
            gen_length=row.gen_length,
            block_length=self.sampling.block_length,
            mask_token_id=self.mask_token_id,
            batch_size=len(row.prompts),
        )

        def plainly(model: Any, num_steps: int) -> Answers:
            return answer_plainly(
                model, row.prompts, pad_token_id=self.eos_token_id, diffusion_steps=num_steps, **settings
            )

        def ours(mode: str, model: Any, num_steps: int) -> Answers:
            return generate(
                model,
                row.prompts,
                eos_token_id=self.eos_token_id,
                diffusion_steps=num_steps,
                **settings,
                **MODES[mode],
            )

        return {PLAIN: plainly, **{mode: functools.partial(ours, mode) for mode in row.modes}}

    def _costs(self, row: Row, name: str, seconds: float) -> Iterator[Measurement]:
        operations = self._operations(row, name)
        num_tokens = len(row.prompts) * row.gen_length
        if operations is not None:
            yield from describe_speed(
                f"{row.title}, {name}", seconds, num_tokens=num_tokens, operations=operations, peak=self.peak
            )
            return
        yield Measurement(subject=f"{row.title}, {name}", quantity=TIME, value=seconds, unit="s")
        yield Measurement(
            subject=f"{row.title}, {name}", quantity="speed", value=num_tokens / seconds, unit="tokens/s"
        )

    def _operations(self, row: Row, name: str) -> float | None:
        """Return the operations of a side; None where they depend on the answers in an unknown way."""
        config, lengths = self.model.config, row.prompt_lengths
        if name == PLAIN:
            num_steps = row.gen_length // row.tokens_per_step
            return planned.plain_operations(config, lengths, gen_length=row.gen_length, num_steps=num_steps)
        if name == APPROXIMATE or (name == EARLY_STOP and not self.imposes_ends):
            return None
        share = 1.0
        if name == EARLY_STOP:
            ending = NUM_ENDING[row.gen_length]
            blocks = typical_blocks(row.gen_length, len(row.prompts))
            share = sum(block + 1 for block in blocks) / len(blocks) / len(ending)
        sampling = self.sampling.model_copy(
            update={"tokens_per_step": row.tokens_per_step, "kv_cache": None, "batch_size": len(lengths)}
        )
        return planned.answer_operations(
            config, sampling, lengths, gen_length=row.gen_length, share_of_blocks=share
        )

    def _compare(self, subject: str, ours: Answers, plain: Answers, *, mode: str) -> Measurement:
        if mode != EXACT:
            ours, plain = (
                [cut_behind_end(answer, self.eos_token_id) for answer in side] for side in (ours, plain)
            )
        differing = 1 - share_of_equal(ours, plain)
        limit = 0.0 if self.is_exact and mode != APPROXIMATE else None
        return Measurement(
            subject=subject, quantity="tokens that differ", value=differing, unit="share", limit=limit
        )


def measure_rows(
    bench: Bench, rows: Sequence[Row], *, seconds_left: float
) -> Iterator[Measurement | Skipped]:
    """Measure rows until the time is used up.

    Args:
        bench: network and settings.
        rows: the comparisons, the most important first.
        seconds_left: no row begins after this time.

    Yields:
        The measurements of each row, and what was left out.
    """
    began = time.perf_counter()
    for row in rows:
        if time.perf_counter() - began > seconds_left:
            yield Skipped(what=row.title, why=f"the part had used its time of {seconds_left:.0f} s")
            continue
        yield from bench.measure(row)


def _goal(mode: str, gen_length: int) -> float | None:
    if mode == EARLY_STOP:
        return EARLY_STOP_GOAL if gen_length == EARLY_STOP_LENGTH else None
    return EXACT_GOAL if mode == EXACT else APPROXIMATE_GOAL
