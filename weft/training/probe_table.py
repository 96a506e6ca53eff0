"""Tabulate the uncertainty of a model about every answer token of a training set, for figures."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import datasets
import pandas as pd
from transformers import PreTrainedTokenizerBase

from weft.config.methods import Method
from weft.config.training import Training
from weft.data.collate import PadToLength, move_to_device
from weft.model import Predictor
from weft.training.probe import probe_uncertainty

MOST_SHARING = 8
"""Maximum number of tokens whose bytes are joined in search of whole characters."""
CACHE_SIZE = 2**16
"""Number of decoded pairs of tokens that are kept."""


def probe_table(
    model: Predictor,
    tokenizer: PreTrainedTokenizerBase,
    prepared: Path,
    training: Training,
) -> pd.DataFrame:
    """Compute the entropy of every answer token with the whole answer masked.

    Args:
        model: the base model, in evaluation mode.
        tokenizer: tokenizer of the model.
        prepared: prepared examples, an Arrow data set.
        training: settings with the number of tokens per example and of examples per forward pass.

    Returns:
        A row per answer token, padding included: example_id, position, token (see `token_texts`),
        entropy (nats), is_padding.
    """
    examples = list(datasets.load_from_disk(str(prepared)))
    assert tokenizer.mask_token_id is not None, "load_tokenizer sets the mask token"
    collate = PadToLength(max_length=training.max_length, pad_token_id=tokenizer.pad_token_id)
    method = Method.model_validate({"preset": "weft", "padding_reference": True})  # probes padding as well
    frames: list[pd.DataFrame] = []

    @lru_cache(maxsize=CACHE_SIZE)
    def decode(ids: tuple[int, ...]) -> str:
        return str(tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    for start in range(0, len(examples), training.micro_batch_size):
        chunk = examples[start : start + training.micro_batch_size]
        batch = move_to_device(collate(chunk), getattr(model, "device", "cpu"))
        entropy = probe_uncertainty(model, batch, method=method, mask_token_id=tokenizer.mask_token_id)
        for row, example in enumerate(chunk):
            positions = batch["is_maskable"][row].nonzero().flatten()
            ids = batch["clean_ids"][row][positions].tolist()
            frames.append(
                pd.DataFrame(
                    {
                        "example_id": example["example_id"],
                        "position": positions.tolist(),
                        "token": token_texts(decode, ids),
                        "entropy": entropy[row][positions].tolist(),
                        "is_padding": batch["is_padding"][row][positions].tolist(),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def token_texts(decode: Callable[[tuple[int, ...]], str], ids: Sequence[int]) -> list[str]:
    """Return the texts of consecutive tokens, which together are the text of the sequence.

    A token is decoded after the token before it, because some vocabularies omit a space at the beginning of
    a text. The first of several tokens that share a character has all of it, and the others have no text.

    Args:
        decode: function that returns the text of a sequence of tokens.
        ids: the tokens.

    Returns:
        A text per token.
    """
    texts: list[str] = []
    before: tuple[int, ...] = ()
    pending: tuple[int, ...] = ()
    for number, token_id in enumerate(ids, start=1):
        pending += (token_id,)
        known, joined = decode(before), decode(before + pending)
        text = joined.removeprefix(known) if joined.startswith(known) else decode(pending)
        is_partial = text.endswith("\N{REPLACEMENT CHARACTER}")
        if is_partial and len(pending) < MOST_SHARING and number < len(ids):
            continue
        texts += [text, *[""] * (len(pending) - 1)]
        before, pending = pending, ()
    return texts
