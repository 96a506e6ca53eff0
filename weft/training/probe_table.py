"""Tabulate the uncertainty of a model about every answer token of a training set, for figures."""

from pathlib import Path

import datasets
import pandas as pd
from transformers import PreTrainedTokenizerBase

from weft.config.methods import Method
from weft.config.training import Training
from weft.data.collate import PadToLength, move_to_device
from weft.model import Predictor
from weft.training.probe import probe_uncertainty


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
        A row per answer token, padding included: example_id, position, token, word, entropy (nats),
        is_padding.
    """
    examples = list(datasets.load_from_disk(str(prepared)))
    assert tokenizer.mask_token_id is not None, "load_tokenizer sets the mask token"
    collate = PadToLength(max_length=training.max_length, pad_token_id=tokenizer.pad_token_id)
    method = Method.model_validate({"preset": "weft", "padding_reference": True})  # probes padding as well
    frames: list[pd.DataFrame] = []
    for start in range(0, len(examples), training.micro_batch_size):
        chunk = examples[start : start + training.micro_batch_size]
        batch = move_to_device(collate(chunk), getattr(model, "device", "cpu"))
        entropy = probe_uncertainty(model, batch, method=method, mask_token_id=tokenizer.mask_token_id)
        for row, example in enumerate(chunk):
            positions = batch["is_maskable"][row].nonzero().flatten()
            ids = batch["clean_ids"][row][positions].tolist()
            pieces = [str(tokenizer.decode([token_id])) for token_id in ids]
            frames.append(
                pd.DataFrame(
                    {
                        "example_id": example["example_id"],
                        "position": positions.tolist(),
                        "token": pieces,
                        "word": words_of(pieces),
                        "entropy": entropy[row][positions].tolist(),
                        "is_padding": batch["is_padding"][row][positions].tolist(),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def words_of(pieces: list[str]) -> list[str]:
    """Return the word of each token; tokens whose adjacent characters are letters form a word."""
    words: list[list[int]] = []
    for index, piece in enumerate(pieces):
        is_continued = index > 0 and piece[:1].isalpha() and pieces[index - 1][-1:].isalpha()
        if is_continued:
            words[-1].append(index)
        else:
            words.append([index])
    result = [""] * len(pieces)
    for members in words:
        text = "".join(pieces[index] for index in members).strip()
        for index in members:
            result[index] = text or repr(pieces[index])[1:-1]
    return result
