"""From text examples to tokens: an Arrow data set, and what was cut off on the way."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import datasets
from transformers import PreTrainedTokenizerBase

from weft.data.examples import Example, encode_example
from weft.errors import DataError


def prepare_examples(
    examples: Iterable[Example],
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    *,
    max_length: int,
    heldout_share: float,
) -> dict[str, Any]:
    """Tokenise examples and write them as an Arrow data set.

    Args:
        examples: in training order.
        tokenizer: of the base model.
        out: directory to write; gets ``summary.json`` beside the Arrow files.
        max_length: tokens per example; longer ones will lose their end in training.
        heldout_share: share of the examples, from the front, that is left out.

    Returns:
        The summary: counts, lengths, share cut off.

    Raises:
        DataError: a prompt leaves no room for its answer, or nothing is left to train on.
    """
    encoded = [encode_example(tokenizer, example) for example in examples]
    encoded = encoded[int(len(encoded) * heldout_share) :]
    if not encoded:
        raise DataError(f"at least one example must be left after holding out {heldout_share:.0%}, got none")
    too_long = [e["example_id"] for e in encoded if len(e["prompt_ids"]) >= max_length]
    if too_long:
        raise DataError(
            f"every prompt must be shorter than training.max_length={max_length} tokens; "
            f"{len(too_long)} are not, first {too_long[:3]}; raise max_length or drop them"
        )
    lengths = [len(e["prompt_ids"]) + len(e["answer_ids"]) for e in encoded]
    summary = {
        "num_examples": len(encoded),
        "mean_length": round(sum(lengths) / len(lengths), 2),
        "max_length": max(lengths),
        "num_cut_off": sum(length > max_length for length in lengths),
    }
    out.mkdir(parents=True, exist_ok=True)
    datasets.disable_progress_bars()
    datasets.Dataset.from_list(encoded).save_to_disk(str(out))
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary
