"""Problems of the small world, answered by a model and scored, for the tools that measure models."""

import itertools
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from weft.benchmarks import find_scorer
from weft.benchmarks.scoring import summarise
from weft.config import FineTuning
from weft.data.encoding import encode_prompt
from weft.data.tasks import TASKS, draw_problems
from weft.data.tasks.problem import Problem
from weft.errors import DataError
from weft.sampling import generate

SEED = 77
"""Seed of the validation problems, which differs from those of the experiments."""


def draw_validation_problems(benchmark: str, count: int) -> list[Problem]:
    """Return validation problems of a generated benchmark.

    Raises:
        DataError: the benchmark has no generator.
    """
    if benchmark not in TASKS:
        raise DataError(f"the benchmark must be one of {', '.join(TASKS)}, got {benchmark}")
    return list(itertools.islice(draw_problems(TASKS[benchmark], split="validation", seed=SEED), count))


def answer_questions(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    experiment: FineTuning,
    questions: Sequence[str],
    *,
    prefill: str,
    tokens_per_step: int | None = None,
) -> list[str]:
    """Answer questions with the settings and the longest answers of an experiment.

    Args:
        model: the model, in evaluation mode.
        tokenizer: its tokenizer.
        experiment: the experiment.
        questions: texts of the user's turn.
        prefill: beginning of each answer.
        tokens_per_step: tokens that are revealed in a step; None for that of the experiment.

    Returns:
        Texts of the answers with the prefill and with special tokens, in the order of the questions.
    """
    sampling, length = experiment.sampling, max(experiment.gen_lengths)
    steps = length // tokens_per_step if tokens_per_step else sampling.diffusion_steps(length)
    ids = generate(
        model,
        [encode_prompt(tokenizer, question, prefill=prefill) for question in questions],
        gen_length=length,
        block_length=sampling.block_length,
        diffusion_steps=steps,
        mask_token_id=tokenizer.mask_token_id,
        eos_token_id=tokenizer.eos_token_id,
        early_stop=True,
        batch_size=sampling.batch_size,
    )
    return [prefill + str(tokenizer.decode(answer)) for answer in ids]


def measure_accuracy(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    experiment: FineTuning,
    problems: Sequence[Problem],
    *,
    tokens_per_step: int | None = None,
) -> float:
    """Return the accuracy of a model on problems of one benchmark, in percent, by the first scoring rules.

    The arguments are those of `answer_questions`, with problems instead of questions.
    """
    answers = answer_questions(
        model,
        tokenizer,
        experiment,
        [problem.question for problem in problems],
        prefill=experiment.sampling.prefill,
        tokens_per_step=tokens_per_step,
    )
    score = find_scorer(problems[0].benchmark, experiment.scoring[0])
    summary = summarise(
        score(answer, question=problem.question, reference=problem.reference)
        for answer, problem in zip(answers, problems, strict=True)
    )
    return 100 * summary.accuracy
