"""Checks of a checkpoint directory without loading it, from small files and the headers of large ones.

The module imports no heavy library, because the Snakefile imports it through `weft.data.context`. The rule
that places a model makes the full checks.
"""

from pathlib import Path

from weft.errors import CheckpointError, show
from weft.records.base import JsonObject
from weft.records.model_files import TOKENIZER_FILES, read_model_json, require_model_file
from weft.records.weights import check_weight_files

VOCABULARY_FIELDS = {"llada": ("embedding_size", "vocab_size"), "Dream": ("vocab_size",)}
"""``model_type`` in config.json -> fields with the number of embeddings; the first number counts."""
SPECIAL_IDS = ("mask_token_id", "pad_token_id", "eos_token_id")
TOKENIZER_CONFIG = "tokenizer_config.json"


def check_checkpoint_files(folder: Path) -> None:
    """Check that a directory has what a fine-tuning or a sampling needs.

    Args:
        folder: checkpoint directory.

    Raises:
        CheckpointError: configuration, tokenizer, chat template or weights are missing or damaged, or a
            special token has no embedding.
    """
    if not folder.is_dir():
        raise CheckpointError(f"expected a checkpoint directory at {folder}, got none; correct the path")
    _check_ids(folder, read_model_json(folder / "config.json"))
    _check_tokenizer(folder)
    check_weight_files(folder)


def _check_ids(folder: Path, config: JsonObject) -> None:
    """Check the family and the ids of special tokens."""
    family = str(config.get("model_type"))
    if family not in VOCABULARY_FIELDS:
        raise CheckpointError(
            f"{folder}/config.json: model_type must be one of {sorted(VOCABULARY_FIELDS)}, got "
            f"{show(family)}; weft trains and samples models of these families only"
        )
    sizes = (config.get(name) for name in VOCABULARY_FIELDS[family])
    size = next((size for size in sizes if isinstance(size, int)), None)
    for name in SPECIAL_IDS:
        token_id = config.get(name)
        if size is not None and isinstance(token_id, int) and not 0 <= token_id < size:
            raise CheckpointError(
                f"{folder}/config.json: {name} must be from 0 to {size - 1}, the vocabulary, got "
                f"{show(token_id)}; restore the configuration of the published model"
            )


def _check_tokenizer(folder: Path) -> None:
    """Check that the files of the tokenizer and a chat template exist."""
    if not (folder / "tokenizer.json").exists():
        missing = [name for name in ("vocab.json", "merges.txt") if not (folder / name).exists()]
        if missing:
            raise CheckpointError(
                f"{folder} must contain a tokenizer, tokenizer.json or vocab.json with merges.txt, missing: "
                f"{', '.join(['tokenizer.json', *missing])}; download it again"
            )
    settings, template = read_model_json(folder / TOKENIZER_CONFIG), folder / "chat_template.jinja"
    for name in TOKENIZER_FILES:
        if (folder / name).exists():
            require_model_file(folder / name)
    if template.exists() and not template.read_bytes().strip():
        raise CheckpointError(
            f"{template} must contain a chat template, got an empty file, with which every prompt is empty; "
            "download it again, or delete it to use the template in tokenizer_config.json"
        )
    if not settings.get("chat_template") and not template.exists():
        raise CheckpointError(
            f"{folder} must contain a chat template, in {TOKENIZER_CONFIG} or chat_template.jinja, got none; "
            "add the template of the published instruction model"
        )
