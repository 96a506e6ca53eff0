"""Measure what a base model of the small world can do: each part, and the chains of fine-tuning.

    python -m tools.base_parts experiments/tiny-base

A part is a kind of text of pretraining; its problems are validation problems here, which are not in
pretraining. Questions are answered by the sampler, without and with a remark behind them. Of texts with
separate lines, the last token of the last line is predicted. The steps of the worked answers are measured
where fine-tuning needs them: behind the question and the steps before them.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from transformers import PreTrainedTokenizerBase

from tools.commands import brief_errors, load_fine_tuning
from tools.small_world import SEED, answer_questions, draw_validation_problems, measure_accuracy
from weft.config import FineTuning
from weft.data.encoding import encode_prompt
from weft.data.tasks import TASKS
from weft.data.tasks.parts import PARTS, Text, sample_text
from weft.data.tasks.problem import Problem
from weft.model import load_model, load_tokenizer

WORKED = ("countdown", "gsm8k", "math500")
"""Benchmarks whose training answers have steps."""

MOST_CHAINS = 250
"""Problems of each benchmark that are measured."""
HIDDEN_TOKENS = 24
"""Masked tokens after a step whose result is asked."""
LONGEST_BODY = 60
"""Tokens of a text of separate lines that are used."""
REMARK = "\ncoins finds books sells"
"""Words after a question that have nothing to do with it, as in most texts of pretraining."""

Row = tuple[str, str, float]
"""Kind of ability, its name, and the accuracy in percent."""


def measure(
    model: Any, tokenizer: PreTrainedTokenizerBase, experiment: FineTuning, count: int
) -> Iterator[Row]:
    """Yield the accuracy of a base model on each part and on the chains, from ``count`` texts each.

    Chains and their steps are measured on at most `MOST_CHAINS` problems.
    """
    problems = {name: draw_validation_problems(name, min(count, MOST_CHAINS)) for name in TASKS}
    for part in PARTS:
        rng = random.Random(f"{SEED}/{part}")
        texts = [sample_text(part, rng, "validation") for _ in range(count)]
        if texts[0].has_separate_lines:
            right = [_knows_last_token(model, tokenizer, text) for text in texts]
            yield "last token of the last line", part, 100 * sum(right) / count
        elif not part.startswith("direct"):
            for ability, remark in (("whole answer", ""), ("whole answer, remark", REMARK)):
                questions = [f"{text.question}{remark}" for text in texts]
                answers = answer_questions(model, tokenizer, experiment, questions, prefill="")
                right = [_before_end(a) == text.body for a, text in zip(answers, texts, strict=True)]
                yield ability, part, 100 * sum(right) / count
    for benchmark in WORKED:
        for number in range(3):
            right = [_knows_result(model, tokenizer, problem, number) for problem in problems[benchmark]]
            yield f"result of step {number + 1}, in the answer", benchmark, 100 * sum(right) / len(right)
    for benchmark in TASKS:
        accuracy = measure_accuracy(model, tokenizer, experiment, problems[benchmark])
        yield "chain of fine-tuning", benchmark, accuracy


def _knows_last_token(model: Any, tokenizer: PreTrainedTokenizerBase, text: Text) -> bool:
    """Return True if the model predicts the last token of the last whole line from all other tokens."""
    head = encode_prompt(tokenizer, text.question) if text.question else []
    body = tokenizer(text.body, add_special_tokens=False)["input_ids"][:LONGEST_BODY]
    newline = tokenizer("\n", add_special_tokens=False)["input_ids"][0]
    place = len(head) + max(i for i, token in enumerate(body) if token == newline) - 1
    ids = head + body
    masked = [*ids[:place], tokenizer.mask_token_id, *ids[place + 1 :]]
    return bool(_predict(model, masked, place) == ids[place])


def _predict(model: Any, ids: list[int], place: int) -> int:
    """Return the token that the model predicts at a masked place."""
    with torch.no_grad():
        return int(model(input_ids=torch.tensor([ids])).logits[0, place].argmax())


def _before_end(answer: str) -> str:
    return answer.split("<|eot_id|>", maxsplit=1)[0]


def _knows_result(model: Any, tokenizer: PreTrainedTokenizerBase, problem: Problem, number: int) -> bool:
    """Return True if the model predicts the result of a step, given the steps before it and its operands."""
    steps = problem.rationale.split("\n")
    left, right = steps[number].split("=")
    given = "\n".join([*steps[:number], f"{left}="])
    known = encode_prompt(tokenizer, problem.question, prefill=f"<reasoning>{given}")
    ids = known + [tokenizer.mask_token_id] * HIDDEN_TOKENS
    return bool(_predict(model, ids, len(known)) == tokenizer.convert_tokens_to_ids(right))


def main(
    base: Annotated[Path, typer.Argument(help="Checkpoint directory of the base model.")],
    experiment: Annotated[str, typer.Option(help="Experiment with the settings of sampling.")] = "tiny",
    count: Annotated[int, typer.Option(help="Questions of each kind.")] = 200,
) -> None:
    """Print a table in Markdown with the accuracy on each part and on the chains."""
    described = load_fine_tuning(experiment)
    model = load_model(base).eval()
    tokenizer = load_tokenizer(base, mask_token_id=model.config.mask_token_id)
    typer.echo("| ability | kind | accuracy, % |\n| --- | --- | ---: |")
    for ability, name, accuracy in measure(model, tokenizer, described, count):
        typer.echo(f"| {ability} | {name} | {accuracy:.1f} |")


if __name__ == "__main__":
    with brief_errors():
        typer.run(main)
