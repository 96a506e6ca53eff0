"""The probe pass over a whole training set, for looking at what the model is unsure of."""

from pathlib import Path
from typing import Any

import datasets
import pandas as pd
from transformers import PreTrainedTokenizerBase

from weft.config.methods import Method
from weft.data.collate import PadToLength
from weft.model import Predictor
from weft.training.objective import probe_uncertainty


def probe_dataset(
    model: Predictor,
    tokenizer: PreTrainedTokenizerBase,
    prepared: Path,
    *,
    max_length: int,
    batch_size: int,
) -> pd.DataFrame:
    """Compute the entropy of every answer token with the whole answer masked.

    Args:
        model: the base model, in evaluation mode.
        tokenizer: its tokenizer.
        prepared: prepared examples, an Arrow data set.
        max_length: tokens per example.
        batch_size: examples per forward pass.

    Returns:
        A row per answer token: example_id, position, token, word, entropy (nats), is_padding.
    """
    examples = list(datasets.load_from_disk(str(prepared)))
    assert tokenizer.mask_token_id is not None, "load_tokenizer makes sure of the mask token"
    collate = PadToLength(max_length=max_length, pad_token_id=tokenizer.pad_token_id)
    method = Method.model_validate({"preset": "weft", "padding_reference": True})  # padding is looked at too
    rows: list[dict[str, Any]] = []
    for start in range(0, len(examples), batch_size):
        chunk = examples[start : start + batch_size]
        batch = {name: tensor.to(getattr(model, "device", "cpu")) for name, tensor in collate(chunk).items()}
        entropy = probe_uncertainty(model, batch, method=method, mask_token_id=tokenizer.mask_token_id)
        for row, example in enumerate(chunk):
            positions = batch["is_maskable"][row].nonzero().flatten()
            ids = batch["clean_ids"][row][positions].tolist()
            pieces = [str(tokenizer.decode([token_id])) for token_id in ids]
            columns = zip(
                positions.tolist(),
                pieces,
                words_of(pieces),
                entropy[row][positions].tolist(),
                batch["is_padding"][row][positions].tolist(),
                strict=True,
            )
            names = ("position", "token", "word", "entropy", "is_padding")
            rows += [
                {"example_id": example["example_id"]} | dict(zip(names, c, strict=True)) for c in columns
            ]
    return pd.DataFrame(rows)


def words_of(pieces: list[str]) -> list[str]:
    """Give each piece the word that it belongs to: pieces joined up to white space or punctuation."""
    words: list[list[int]] = []
    for index, piece in enumerate(pieces):
        joins = index > 0 and piece[:1].isalpha() and pieces[index - 1][-1:].isalpha()
        if joins:
            words[-1].append(index)
        else:
            words.append([index])
    result = [""] * len(pieces)
    for members in words:
        text = "".join(pieces[index] for index in members).strip()
        for index in members:
            result[index] = text or repr(pieces[index])[1:-1]
    return result
