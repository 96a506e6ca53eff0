"""Compare how sure trained runs are of an answer's tokens in three contexts.

    python -m tools.answer_contexts --experiment tiny --benchmark countdown

WeFT measures the uncertainty of a token with the whole answer masked. This tool compares the probability of
the right token there with its probability if it is the only masked token, and if it and all later tokens are
masked, which is how an answer is written. The worked answers to the questions must have the same number of
tokens, as those of the generated benchmarks have. For each run, it prints the position with the lowest mean
probability in the last context. The runs must be finished; the questions are validation problems.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import pandas as pd
import torch
import typer
from transformers import PreTrainedTokenizerBase

from tools.commands import brief_errors, load_fine_tuning
from tools.small_world import draw_validation_problems
from weft.data.collate import PreparedExample
from weft.data.encoding import encode_example
from weft.data.tasks.examples import make_example
from weft.errors import DataError
from weft.layout import ResultLayout
from weft.model import load_finetuned, load_tokenizer, merge_adapter

CONTEXTS = ("all masked", "only it masked", "it and later ones masked")
"""Which tokens of the answer are masked while a token is predicted."""


@torch.inference_mode()
def measure(model: Any, example: PreparedExample, mask_token_id: int) -> torch.Tensor:
    """Return the probability of each answer token in each of the `CONTEXTS`.

    Args:
        model: the model, in evaluation mode, on the CPU.
        example: prompt and answer.
        mask_token_id: id of the mask token.

    Returns:
        Probabilities, shape (contexts, answer tokens).
    """
    answer = torch.tensor(example["answer_ids"])
    length = len(answer)
    start = len(example["prompt_ids"])
    places = torch.arange(length)
    masked = torch.stack(
        [torch.ones(length, length, dtype=torch.bool), places == places[:, None], places >= places[:, None]]
    )
    answers = torch.where(masked, mask_token_id, answer).flatten(0, 1)  # a row per context and token
    prompts = torch.tensor(example["prompt_ids"]).expand(len(answers), -1)
    logits = (
        model(input_ids=torch.cat([prompts, answers], dim=1))
        .logits[:, start:]
        .view(len(CONTEXTS), length, length, -1)
    )
    chosen = logits[:, places, places].softmax(dim=-1)  # the prediction of a row for its own token
    probabilities: torch.Tensor = chosen[:, places, answer]
    return probabilities


def compare_contexts(
    model: Any, tokenizer: PreTrainedTokenizerBase, examples: Sequence[PreparedExample]
) -> pd.DataFrame:
    """Return the mean probability of the right token at each position of the answer.

    Args:
        model: the model, in evaluation mode, on the CPU.
        tokenizer: its tokenizer.
        examples: examples whose answers have the same number of tokens.

    Returns:
        A table with a row per position, and the columns token, which is that of the first example, and
        `CONTEXTS`.

    Raises:
        DataError: the answers differ in their number of tokens.
    """
    lengths = {len(example["answer_ids"]) for example in examples}
    if len(lengths) != 1:
        raise DataError(
            f"expected answers with the same number of tokens, got {sorted(lengths)}; use another benchmark"
        )
    mask_token_id = tokenizer.mask_token_id
    means = torch.stack([measure(model, example, mask_token_id) for example in examples]).mean(dim=0)
    tokens = [tokenizer.decode([token]) for token in examples[0]["answer_ids"]]
    return pd.DataFrame({"token": tokens, **dict(zip(CONTEXTS, means.tolist(), strict=True))})


def main(
    experiment: Annotated[str, typer.Option(help="Experiment whose runs are measured.")] = "tiny",
    benchmark: Annotated[str, typer.Option(help="Benchmark of the questions.")] = "countdown",
    questions: Annotated[int, typer.Option(help="Number of questions.")] = 50,
) -> None:
    """Print, for each run, the position that is least certain while an answer is written."""
    described = load_fine_tuning(experiment)
    examples = [make_example(problem) for problem in draw_validation_problems(benchmark, questions)]
    layout = ResultLayout.of(described.name)
    typer.echo(f"| run | position | {' | '.join(CONTEXTS)} |")
    typer.echo("| --- | --- | ---: | ---: | ---: |")
    for run in described.trained_runs:
        model = merge_adapter(load_finetuned(layout.base, layout.run(run.run_id))).eval()
        tokenizer = load_tokenizer(layout.base, mask_token_id=model.config.mask_token_id)
        prepared = [encode_example(tokenizer, example) for example in examples]
        table = compare_contexts(model, tokenizer, prepared)
        place = int(table[CONTEXTS[-1]].to_numpy().argmin())
        row = table.iloc[place]
        around = "".join(table["token"][:place]).rsplit("\n", 1)[-1]
        means = " | ".join(f"{row[context]:.3f}" for context in CONTEXTS)
        typer.echo(f"| {run.run_id} | `{around}`**`{row['token']}`** | {means} |")


if __name__ == "__main__":
    with brief_errors():
        typer.run(main)
