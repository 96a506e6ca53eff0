"""From text examples to tokens: an Arrow data set, and what was cut off on the way."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from transformers import PreTrainedTokenizerBase

from weft.data.examples import ANSWER_TAG, Example, Layout, encode_example, turn_end_id
from weft.errors import DataError


def prepare_examples(
    examples: Iterable[Example],
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    *,
    max_length: int,
    heldout_share: float,
    layout: Layout = "exact",
) -> dict[str, Any]:
    """Tokenise examples and write them as an Arrow data set.

    Args:
        examples: in training order.
        tokenizer: of the base model.
        out: directory to write; gets ``summary.json`` beside the Arrow files.
        max_length: tokens per example; longer ones will lose their end in training.
        heldout_share: share of the examples, from the front, that is left out.
        layout: how prompt and answer become tokens, see `encode_example`.

    Returns:
        The summary, see `summarise_lengths`; also ``num_heldout`` and ``layout``.

    Raises:
        DataError: a prompt leaves no room for its answer, or nothing is left to train on.

    Source:
        d1 @ 837888f holds out the first int(0.01 n) examples after its shuffle.
    """
    texts = list(examples)
    num_heldout = int(len(texts) * heldout_share)
    texts = texts[num_heldout:]
    if not texts:
        raise DataError(f"at least one example must be left after holding out {heldout_share:.0%}, got none")
    encoded = [encode_example(tokenizer, example, layout=layout) for example in texts]
    too_long = [e["example_id"] for e in encoded if len(e["prompt_ids"]) >= max_length]
    if too_long:
        raise DataError(
            f"every prompt must be shorter than training.max_length={max_length} tokens; "
            f"{len(too_long)} are not, first {too_long[:3]}; raise max_length or drop them"
        )
    lengths = summarise_lengths(texts, encoded, tokenizer, max_length=max_length)
    summary = {**lengths, "num_heldout": num_heldout, "layout": layout}
    out.mkdir(parents=True, exist_ok=True)
    datasets.disable_progress_bars()
    datasets.Dataset.from_list(encoded).save_to_disk(str(out))
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def summarise_lengths(
    examples: Sequence[Example],
    encoded: Sequence[dict[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
) -> dict[str, Any]:
    """Count how long tokenised examples are, and what ``max_length`` cuts off them.

    A length is that of prompt and answer with its end, in tokens, before cutting and without padding.

    Args:
        examples: at least one.
        encoded: the same examples from `encode_example`.
        tokenizer: that made them.
        max_length: tokens per example.

    Returns:
        - ``num_examples``: examples that are trained on;
        - ``mean_length``, ``median_length``, ``p95_length`` (95th percentile), ``max_length`` (the longest):
          tokens per example;
        - ``mean_prompt_length``, ``median_prompt_length``, ``max_prompt_length``: tokens per prompt;
        - ``length_limit``: the ``max_length`` that was asked for, in tokens;
        - ``num_tokens``, ``num_tokens_cut``: tokens of all examples, and those beyond the limit;
        - ``num_cut_off``: examples longer than the limit;
        - ``share_tokens_cut``, ``share_cut_off``, ``share_end_of_turn_cut_off``: 0 to 1, of the tokens, of
          the examples, and of the examples whose answer does not reach its end of turn;
        - ``num_with_answer_tag``: examples whose answer has the tag ``<answer>``;
        - ``share_answer_tag_cut_off``: 0 to 1, of these, where the tag is cut off; None if there are none.
    """
    prompts = np.array([len(e["prompt_ids"]) for e in encoded])
    lengths = prompts + [len(e["answer_ids"]) for e in encoded]
    ends = np.array([_index_of_last(turn_end_id(tokenizer), e) for e in encoded])
    cut = np.maximum(lengths - max_length, 0)
    tagged = [(e, n) for x, e, n in zip(examples, encoded, lengths, strict=True) if ANSWER_TAG in x.answer]
    tags_lost = sum(
        int(n) > max_length and ANSWER_TAG not in _decode_kept_answer(tokenizer, e, max_length)
        for e, n in tagged
    )
    return {
        "num_examples": len(encoded),
        "mean_length": round(float(lengths.mean()), 2),
        "median_length": float(np.median(lengths)),
        "p95_length": round(float(np.quantile(lengths, 0.95)), 1),
        "max_length": int(lengths.max()),
        "mean_prompt_length": round(float(prompts.mean()), 2),
        "median_prompt_length": float(np.median(prompts)),
        "max_prompt_length": int(prompts.max()),
        "length_limit": max_length,
        "num_tokens": int(lengths.sum()),
        "num_tokens_cut": int(cut.sum()),
        "num_cut_off": int((cut > 0).sum()),
        "share_tokens_cut": round(float(cut.sum() / lengths.sum()), 4),
        "share_cut_off": round(float((cut > 0).mean()), 4),
        "share_end_of_turn_cut_off": round(float((ends >= max_length).mean()), 4),
        "num_with_answer_tag": len(tagged),
        "share_answer_tag_cut_off": round(tags_lost / len(tagged), 4) if tagged else None,
    }


def describe_summary(summary: dict[str, Any]) -> str:
    """Say in one line for people how long examples are and what is cut off."""
    line = (
        f"{summary['num_examples']} examples ({summary['num_heldout']} held out), "
        f"median {summary['median_length']:.0f} and 95th percentile {summary['p95_length']:.0f} tokens"
    )
    if not summary["num_cut_off"]:
        return f"{line}; none longer than {summary['length_limit']}"
    tags = summary["share_answer_tag_cut_off"]
    lost = "" if tags is None else f", {100 * tags:.1f} % lose their answer tag"
    return (
        f"{line}; {100 * summary['share_cut_off']:.1f} % are cut off at {summary['length_limit']}{lost}, "
        f"{100 * summary['share_tokens_cut']:.1f} % of the tokens are gone"
    )


def _index_of_last(token: int, encoded: dict[str, Any]) -> int:
    """Return where a token stands last in an example."""
    ids = [*encoded["prompt_ids"], *encoded["answer_ids"]]
    return len(ids) - 1 - ids[::-1].index(token)


def _decode_kept_answer(tokenizer: PreTrainedTokenizerBase, encoded: dict[str, Any], max_length: int) -> str:
    kept = encoded["answer_ids"][: max_length - len(encoded["prompt_ids"])]
    return str(tokenizer.decode(kept))
