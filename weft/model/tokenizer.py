"""Load and check the tokenizer of a checkpoint directory."""

from pathlib import Path

from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast, Qwen2Tokenizer

from weft.errors import CheckpointError

TOKENIZER_FILES = (
    "added_tokens.json",
    "chat_template.jinja",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
)
"""Files that a copy of a checkpoint directory needs beside configuration and weights."""


def load_tokenizer(path: str | Path, *, mask_token_id: int | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a checkpoint directory and check its special tokens.

    No code in the directory is executed. LLaDA's tokenizer is stored in ``tokenizer.json``. Dream's is
    Qwen2's tokenizer with ``vocab.json``, ``merges.txt`` and the added tokens in ``tokenizer_config.json``.

    Args:
        path: the directory.
        mask_token_id: id of the mask token in the model's configuration, for a tokenizer that declares no
            mask token (LLaDA's).

    Returns:
        The tokenizer. If it declares no padding token, it pads with the end-of-text token.

    Raises:
        CheckpointError: the tokenizer, its mask token, end-of-text token or chat template is missing, or
            tokenizer and configuration have different mask tokens.
    """
    folder = Path(path)
    is_plain = (folder / "tokenizer.json").exists() or not (folder / "vocab.json").exists()
    tokenizer_class = PreTrainedTokenizerFast if is_plain else Qwen2Tokenizer
    if not is_plain and not (folder / "merges.txt").exists():
        raise CheckpointError(
            f"{path} must contain merges.txt beside vocab.json, but it is missing; download it again"
        )
    try:
        tokenizer = tokenizer_class.from_pretrained(str(path), local_files_only=True)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} must contain a tokenizer (tokenizer.json): {error}") from error
    if tokenizer.mask_token_id is None and mask_token_id is not None:
        tokenizer.mask_token = tokenizer.convert_ids_to_tokens(mask_token_id)
    if tokenizer.mask_token_id is None:
        raise CheckpointError(
            f"{path}: the tokenizer must have a mask token, got none; add mask_token_id to config.json"
        )
    if mask_token_id is not None and tokenizer.mask_token_id != mask_token_id:
        raise CheckpointError(
            f"{path}: tokenizer and config.json must name the same mask token, got ids "
            f"{tokenizer.mask_token_id} and {mask_token_id}; they belong to different models"
        )
    if tokenizer.eos_token_id is None or tokenizer.chat_template is None:
        raise CheckpointError(f"{path}: the tokenizer must have an end-of-text token and a chat template")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
