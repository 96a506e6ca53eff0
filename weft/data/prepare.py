"""Tokenize training examples into a data set on disk, and count what the length limit cuts off."""

from collections.abc import Callable, Sequence
from pathlib import Path

import datasets
import numpy as np
from transformers import PreTrainedTokenizerBase

from weft.config.sources import SpecialTokens
from weft.config.training import TooLong
from weft.data.collate import PreparedExample
from weft.data.encoding import Layout, encode_example, encode_question, turn_end_id
from weft.data.special_tokens import guard_text
from weft.errors import DataError
from weft.layout import SUMMARY_FILE
from weft.records import Example, LengthSummary, Question
from weft.records.checks import MAX_PLACES, join_places
from weft.records.files import write_json

ANSWER_TAG = "<answer>"


def prepare_examples(
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerBase,
    out: Path,
    *,
    max_length: int,
    heldout_share: float,
    layout: Layout = "exact",
    special_tokens: SpecialTokens = "error",
    too_long: TooLong = "error",
    name_place: Callable[[Example], str] = lambda example: f"example_id {example.example_id}",
) -> LengthSummary:
    """Tokenize examples and write them as an Arrow data set of `PreparedExample` rows.

    Examples that are left out because they are too long are left out before others are held out, as if they
    had been deleted from the data.

    Args:
        examples: the examples in training order.
        tokenizer: tokenizer of the base model.
        out: directory to write; the summary is written to ``summary.json`` in it.
        max_length: limit in tokens, to which longer examples are truncated in training.
        heldout_share: share of the examples, from the first on, that is held out of training.
        layout: tokenization of prompt and answer, see `encode_example`.
        special_tokens: what to do with special tokens in the texts.
        too_long: what to do with examples that are longer than ``max_length``.
        name_place: returns the place of an example for messages, such as "FILE, line N".

    Returns:
        The summary.

    Raises:
        DataError: a text contains a special token, the chat template refuses an example, a prompt leaves no
            room for its answer and ``too_long`` is ``error``, or no example is left for training.

    Source:
        d1 @ 837888f holds out the first int(0.01 n) examples after its shuffle.
    """
    encoded = []
    for example in examples:
        try:
            encoded.append(encode_example(tokenizer, example, layout=layout, special_tokens=special_tokens))
        except DataError as error:
            raise DataError(f"{name_place(example)}: {error}") from error
    offending = [index for index, row in enumerate(encoded) if _is_too_long(row, max_length, too_long)]
    places = [name_place(examples[index]) for index in offending[:MAX_PLACES]]
    if offending and too_long == "error":
        longest = max(len(row["prompt_ids"]) for row in encoded)
        raise DataError(
            f"every prompt must be shorter than training.max_length={max_length} tokens, got "
            f"{len(offending)} of {len(examples)} that leave no room for an answer: "
            f"{join_places(places, total=len(offending))} (the longest prompt has {longest} tokens); raise "
            "max_length, or set too_long: drop in the experiment to leave them out"
        )
    kept = sorted({*range(len(examples))} - {*offending})
    num_heldout = int(len(kept) * heldout_share)
    trained = kept[num_heldout:]
    if not trained:
        raise _no_example_left(len(offending), heldout_share)
    rows = [encoded[index] for index in trained]
    texts = [examples[index] for index in trained]
    summary = _summarise(
        rows, texts, tokenizer, max_length=max_length, num_heldout=num_heldout, layout=layout
    )
    if offending:
        left_out = {"num_too_long": len(offending), "too_long_places": tuple(places)}
        summary = summary.model_copy(update=left_out)
    datasets.disable_progress_bars()
    datasets.Dataset.from_list(rows).save_to_disk(str(out))
    write_json(out / SUMMARY_FILE, summary)
    return summary


def _is_too_long(row: PreparedExample, max_length: int, rule: TooLong) -> bool:
    """Return True if a rule concerns an example: its prompt, or all of it, exceeds the limit."""
    prompt, answer = len(row["prompt_ids"]), len(row["answer_ids"])
    return prompt >= max_length or (rule == "drop_truncated" and prompt + answer > max_length)


def _no_example_left(num_too_long: int, heldout_share: float) -> DataError:
    left_out, remedy = "", ""
    if num_too_long:
        left_out = f"leaving out {num_too_long} that are too long and "
        remedy = "raise training.max_length, "
    return DataError(
        f"at least one example must be left after {left_out}holding out {heldout_share:.0%}, got none; "
        f"{remedy}add examples or lower training.heldout_share"
    )


def measure_prompts(
    questions: Sequence[Question],
    tokenizer: PreTrainedTokenizerBase,
    *,
    source: Path,
    prefill: str,
    special_tokens: SpecialTokens,
) -> dict[str, int]:
    """Tokenize the prompts of test questions, which shows before a training that they can be asked.

    Args:
        questions: the questions of a file, one per line.
        tokenizer: tokenizer of the base model.
        source: the file, for messages.
        prefill: beginning of every answer.
        special_tokens: what to do with special tokens in the texts.

    Returns:
        example_id -> length of the prompt in tokens.

    Raises:
        DataError: a prompt contains a special token, or the chat template refuses it.
    """
    try:
        guard_text(tokenizer, prefill, special_tokens, part="prefill")
    except DataError as error:
        raise DataError(f"sampling.prefill in the experiment: {error}") from error
    lengths = {}
    for number, question in enumerate(questions, start=1):
        try:
            ids = encode_question(tokenizer, question, prefill=prefill, special_tokens=special_tokens)
        except DataError as error:
            raise DataError(f"{source}, line {number}: {error}") from error
        lengths[question.example_id] = len(ids)
    return lengths


def _summarise(
    encoded: Sequence[PreparedExample],
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    num_heldout: int,
    layout: Layout,
) -> LengthSummary:
    tagged = [row for row, example in zip(encoded, examples, strict=True) if ANSWER_TAG in example.answer]
    num_tags_lost = sum(not _keeps_tag(row, tokenizer, max_length) for row in tagged)
    turn_end = turn_end_id(tokenizer)
    turn_ends = np.array([_last_index(turn_end, row) for row in encoded])
    prompts = np.array([len(row["prompt_ids"]) for row in encoded])
    lengths = prompts + [len(row["answer_ids"]) for row in encoded]
    cut = np.maximum(lengths - max_length, 0)
    return LengthSummary(
        num_examples=len(encoded),
        mean_length=round(float(lengths.mean()), 2),
        median_length=float(np.median(lengths)),
        p95_length=round(float(np.quantile(lengths, 0.95)), 1),
        max_length=int(lengths.max()),
        mean_prompt_length=round(float(prompts.mean()), 2),
        median_prompt_length=float(np.median(prompts)),
        max_prompt_length=int(prompts.max()),
        length_limit=max_length,
        num_tokens=int(lengths.sum()),
        num_tokens_cut=int(cut.sum()),
        num_cut_off=int((cut > 0).sum()),
        share_tokens_cut=round(float(cut.sum() / lengths.sum()), 4),
        share_cut_off=round(float((cut > 0).mean()), 4),
        share_end_of_turn_cut_off=round(float((turn_ends >= max_length).mean()), 4),
        num_with_answer_tag=len(tagged),
        share_answer_tag_cut_off=round(num_tags_lost / len(tagged), 4) if tagged else None,
        num_heldout=num_heldout,
        layout=layout,
    )


def describe_summary(summary: LengthSummary) -> str:
    """Return a line of text with the lengths of the examples and the share that is cut off."""
    left_out = f", {summary.num_too_long} left out as too long" if summary.num_too_long else ""
    line = (
        f"{summary.num_examples} examples ({summary.num_heldout} held out{left_out}), "
        f"median {summary.median_length:.0f} and 95th percentile {summary.p95_length:.0f} tokens"
    )
    if not summary.num_cut_off:
        return f"{line}; none longer than {summary.length_limit}"
    share = summary.share_answer_tag_cut_off
    lost_tags = "" if share is None else f", {100 * share:.1f} % lose their answer tag"
    return (
        f"{line}; {100 * summary.share_cut_off:.1f} % are cut off at {summary.length_limit}{lost_tags}, "
        f"{100 * summary.share_tokens_cut:.1f} % of the tokens are lost"
    )


def _last_index(token: int, row: PreparedExample) -> int:
    """Return the last index of a token in an example."""
    ids = [*row["prompt_ids"], *row["answer_ids"]]
    return len(ids) - 1 - ids[::-1].index(token)


def _keeps_tag(row: PreparedExample, tokenizer: PreTrainedTokenizerBase, max_length: int) -> bool:
    """Return True if an answer with a tag still has the tag after it is cut to the limit."""
    room = max_length - len(row["prompt_ids"])
    return len(row["answer_ids"]) <= room or ANSWER_TAG in str(tokenizer.decode(row["answer_ids"][:room]))
