"""Measure what a base model of the small world can do: each part, and the chains of fine-tuning.

    python -m tools.base_parts experiments/tiny-base

A part is a kind of text of pretraining with a question. The steps of the worked answers are measured in the
place where fine-tuning needs them: behind the question and the steps before them.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from transformers import PreTrainedTokenizerBase

from tools.small_world import SEED, answer_questions, draw_validation_problems, measure_accuracy
from weft.config import FineTuning, find_experiment, load_experiment
from weft.data.encoding import encode_prompt
from weft.data.tasks import TASKS
from weft.data.tasks.parts import PARTS, sample_text
from weft.data.tasks.problem import Problem
from weft.model import load_model, load_tokenizer

WORKED = ("countdown", "gsm8k", "math500")
"""Benchmarks whose training answers have steps."""

HIDDEN_TOKENS = 24
"""Masked tokens after a step whose result is asked."""

Row = tuple[str, str, float]
"""Kind of ability, its name, and the accuracy in percent."""


def measure(
    model: Any, tokenizer: PreTrainedTokenizerBase, experiment: FineTuning, count: int
) -> Iterator[Row]:
    """Yield the accuracy of a base model on each part and on the chains, from ``count`` questions each."""
    for part in PARTS:
        rng = random.Random(f"{SEED}/{part}")
        texts = [sample_text(part, rng) for _ in range(count)]
        questions = [text.question for text in texts if text.question and not text.has_separate_lines]
        if questions and not part.startswith("direct"):
            answers = answer_questions(model, tokenizer, experiment, questions, prefill="")
            right = [_before_end(a) == text.body for a, text in zip(answers, texts, strict=True)]
            yield "part, whole answer", part, 100 * sum(right) / count
    for benchmark in WORKED:
        problems = draw_validation_problems(benchmark, count)
        for number in range(3):
            right = [_knows_result(model, tokenizer, problem, number) for problem in problems]
            yield f"result of step {number + 1}, in the answer", benchmark, 100 * sum(right) / count
    for benchmark in TASKS:
        accuracy = measure_accuracy(model, tokenizer, experiment, draw_validation_problems(benchmark, count))
        yield "chain of fine-tuning", benchmark, accuracy


def _before_end(answer: str) -> str:
    return answer.split("<|eot_id|>", maxsplit=1)[0]


def _knows_result(model: Any, tokenizer: PreTrainedTokenizerBase, problem: Problem, number: int) -> bool:
    """Return True if the model predicts the result of a step, given the steps before it and its operands."""
    steps = problem.rationale.split("\n")
    left, right = steps[number].split("=")
    given = "\n".join([*steps[:number], f"{left}="])
    known = encode_prompt(tokenizer, problem.question, prefill=f"<reasoning>{given}")
    ids = torch.tensor([known + [tokenizer.mask_token_id] * HIDDEN_TOKENS])
    with torch.no_grad():
        predicted = int(model(input_ids=ids).logits[0, len(known)].argmax())
    return predicted == tokenizer.convert_tokens_to_ids(right)


def main(
    base: Annotated[Path, typer.Argument(help="Checkpoint directory of the base model.")],
    experiment: Annotated[str, typer.Option(help="Experiment with the settings of sampling.")] = "tiny",
    count: Annotated[int, typer.Option(help="Questions of each kind.")] = 200,
) -> None:
    """Print a table in Markdown with the accuracy on each part and on the chains."""
    described = load_experiment(find_experiment(experiment))
    assert described.kind == "fine-tuning", "the base model belongs to an experiment that fine-tunes it"
    model = load_model(base).eval()
    tokenizer = load_tokenizer(base, mask_token_id=model.config.mask_token_id)
    typer.echo("| ability | kind | accuracy, % |\n| --- | --- | ---: |")
    for ability, name, accuracy in measure(model, tokenizer, described, count):
        typer.echo(f"| {ability} | {name} | {accuracy:.1f} |")


if __name__ == "__main__":
    typer.run(main)
