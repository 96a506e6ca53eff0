"""Measure how approximate sampling changes the answers of a trained network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from perf.sampler import APPROXIMATE, Answer, Answers, Side, run_sides
from weft.benchmarks import Score, find_scorer
from weft.config import FineTuning
from weft.config.sources import GeneratedBenchmark
from weft.data.encoding import encode_prompt
from weft.data.questions import generate_questions
from weft.errors import ConfigError
from weft.model import load_model, load_tokenizer, read_config
from weft.records import Question
from weft.sampling import generate
from weft.stats import compare_means
from weft.stats.credit import BenchmarkCredit
from weft.verify.imposed import cut_behind_end, require_equal, share_of_equal
from weft.verify.plain.answers import answer_plainly

RULES = "d1"
EXACT: dict[str, dict[str, Any]] = {"exact": {}, "exact, early stop": {"early_stop": True}}


@dataclass(frozen=True)
class Questions:
    """Questions of all benchmarks in sequence.

    Attributes:
        rows: the questions.
        prompts: token ids of the prompts.
        tokenizer: tokenizer of the network.
    """

    rows: list[Question]
    prompts: Answers
    tokenizer: Any

    @classmethod
    def draw(cls, experiment: FineTuning, tokenizer: Any, *, num_examples: int) -> "Questions":
        """Take the first questions of each generated benchmark of an experiment."""
        rows = [
            row
            for name, source in experiment.benchmarks.items()
            if isinstance(source, GeneratedBenchmark)
            for row in generate_questions(name, source.model_copy(update={"num_examples": num_examples}))
        ]
        prefill = experiment.sampling.prefill
        prompts = [encode_prompt(tokenizer, row.prompt, prefill=prefill) for row in rows]
        return cls(rows, prompts, tokenizer)

    def score(self, answers: Answers) -> dict[str, list[Score]]:
        """Score answers, by benchmark."""
        scores: dict[str, list[Score]] = {}
        texts = self.tokenizer.batch_decode(answers, skip_special_tokens=False)
        for row, text in zip(self.rows, texts, strict=True):
            scorer = find_scorer(row.benchmark, RULES)
            score = scorer(text, question=row.question, reference=row.reference)
            scores.setdefault(row.benchmark, []).append(score)
        return scores


def require_suitable(experiment: FineTuning, base: Path) -> None:
    """Check that the plain loop can sample with the settings of an experiment.

    Args:
        experiment: experiment with the sampling settings and the questions.
        base: checkpoint directory.

    Raises:
        ConfigError: the plain loop lacks a sampling setting, or no benchmark is generated.
        CheckpointError: the directory does not contain a supported model.
    """
    sampling = experiment.sampling
    unsuitable = {
        "confidence_threshold": sampling.confidence_threshold is not None,
        "temperature": sampling.temperature > 0,
        "remasking": sampling.remasking != "low_confidence",
        "cfg_scale": sampling.cfg_scale > 0,
        "attend_padding": sampling.attend_padding,
    }
    settings = [f"{name}: {getattr(sampling, name)}" for name, is_set in unsuitable.items() if is_set]
    if settings:
        raise ConfigError(
            f"experiment {experiment.name!r} must reveal a fixed number of the most confident tokens per "
            f"step, as the plain loop does, got sampling.{', '.join(settings)}; remove this setting, because "
            "caches and thresholds are measured in any case"
        )
    if not any(isinstance(source, GeneratedBenchmark) for source in experiment.benchmarks.values()):
        raise ConfigError(
            f"experiment {experiment.name!r} must have a benchmark with source: generated, whose questions "
            f"are answered, got {list(experiment.benchmarks)} with other sources"
        )
    read_config(base)


def bench_trained(
    experiment: FineTuning, base: Path, *, threads: int, device: str, num_examples: int
) -> Iterator[str]:
    """Answer questions with a trained network in every mode and compare with the exact answers.

    Args:
        experiment: experiment with the sampling settings and the questions.
        base: checkpoint directory.
        threads: CPU threads.
        device: device of the network.
        num_examples: questions per benchmark.

    Yields:
        Lines of text.

    Raises:
        ConfigError: the experiment cannot be compared, see `require_suitable`.
        SamplingError: an exact mode of the sampler does not return the tokens of the plain loop.
    """
    require_suitable(experiment, base)
    torch.set_num_threads(threads)
    model = load_model(base).to(device)
    tokenizer = load_tokenizer(base, mask_token_id=model.config.mask_token_id)
    questions = Questions.draw(experiment, tokenizer, num_examples=num_examples)
    sampling = experiment.sampling
    assert sampling.tokens_per_step is not None, "tokens_per_step is required without a threshold"
    settings = {
        "gen_length": sampling.gen_lengths[0],
        "block_length": sampling.block_length,
        "diffusion_steps": sampling.gen_lengths[0] // sampling.tokens_per_step,
        "mask_token_id": tokenizer.mask_token_id,
        "batch_size": sampling.batch_size,
    }
    eos = tokenizer.eos_token_id

    def ours(mode: dict[str, Any]) -> Answer:
        return lambda model: generate(model, questions.prompts, eos_token_id=eos, **settings, **mode)

    sides = run_sides(
        model,
        {
            "plain loop": lambda model: answer_plainly(
                model, questions.prompts, pad_token_id=eos, **settings
            ),
            **{name: ours(mode) for name, mode in (EXACT | APPROXIMATE).items()},
        },
        rounds=1,
    )
    plain, exact = sides.pop("plain loop"), sides["exact"]
    for name in EXACT:
        _require_exact(name, sides[name].answers, plain.answers, eos=eos)
    num_same = len(exact.answers)
    benchmarks = dict.fromkeys(row.benchmark for row in questions.rows)
    yield (
        f"{base}: {len(questions.rows)} questions of {', '.join(benchmarks)}, "
        f"{settings['gen_length']} tokens, blocks of {sampling.block_length}, {sampling.tokens_per_step} a "
        f"step, {sampling.batch_size} rows; {num_same} of {num_same} exact answers equal the plain "
        "loop's"
    )
    yield f"  accuracy in points by the rules {RULES}, its change against exact with a paired 95 % interval:"
    truth = questions.score(exact.answers)
    for name, side in sides.items():
        if name == next(iter(APPROXIMATE)):
            yield "  APPROXIMATE:"
        yield _line(
            f"  {name}" if name in APPROXIMATE else name,
            side,
            plain=plain,
            exact=[cut_behind_end(answer, eos) for answer in exact.answers],
            ours=[cut_behind_end(answer, eos) for answer in side.answers],
            change=describe_change(questions.score(side.answers), truth),
        )


def _require_exact(name: str, ours: Answers, plain: Answers, *, eos: int) -> None:
    """Raise an error if an exact mode returns other tokens; with early stop, compare up to the end."""
    if EXACT[name].get("early_stop"):
        ours, plain = ([cut_behind_end(answer, eos) for answer in side] for side in (ours, plain))
    require_equal(ours, plain, title=f"trained network, {name}")


def describe_change(ours: dict[str, list[Score]], exact: dict[str, list[Score]]) -> str:
    """Format the mean accuracy over benchmarks and its change.

    Args:
        ours: scores of one mode, by benchmark.
        exact: scores of the exact answers, by benchmark.

    Returns:
        Accuracy in percent, and its change in points with a 95 % interval.

    Source:
        `weft.stats.paired`; the interval covers the choice of questions only, because there is one network.
    """
    pairs = [
        BenchmarkCredit((_credit(ours[name]), _credit(exact[name])), _weight(exact[name])) for name in exact
    ]
    change = compare_means(pairs, confidence=0.95)
    accuracy = np.mean([pair.pooled_accuracies()[0] for pair in pairs])
    low, high = 100 * change.low, 100 * change.high
    return f"{100 * accuracy:.1f} ({100 * change.difference:+.1f}, {low:+.1f} to {high:+.1f})"


def _credit(scores: Sequence[Score]) -> Any:
    return np.array([[score.credit for score in scores]])


def _weight(scores: Sequence[Score]) -> Any:
    return np.array([float(score.weight) for score in scores])


def _line(name: str, side: Side, *, plain: Side, exact: Answers, ours: Answers, change: str) -> str:
    num_equal = sum(answer == expected for answer, expected in zip(ours, exact, strict=True))
    num_tokens = sum(map(len, plain.answers))
    return (
        f"  {name:<42} time {side.seconds / plain.seconds:.2f}, tokens per pass "
        f"{num_tokens / side.num_passes:.1f}, equal answers {100 * num_equal / len(exact):.0f} %, "
        f"equal tokens {100 * share_of_equal(ours, exact):.1f} %, accuracy {change}"
    )
