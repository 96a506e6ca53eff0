"""Load and check the tokenizer of a checkpoint directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast, Qwen2Tokenizer

from weft.errors import CheckpointError, describe_error, shorten
from weft.model.checkpoint import read_config
from weft.model.limited import LimitError, run_limited
from weft.records.model_files import TOKENIZER_FILES, require_model_file

PANIC = "PanicException"
"""Name of the class of errors in Rust code, which cannot be imported."""
RUNS = (*(character * 3000 for character in "a1 \n."), "aA1 .-" * 500)
"""Texts by which it is checked that a tokenizer splits texts in bounded time. A regular expression whose time
grows exponentially takes for ever on one of them."""
PROBE = ("What is 7319 and 1?", "It is 7320.")
"""Question and answer by which a chat template is checked."""


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
        CheckpointError: the tokenizer, its mask token, end-of-text token or chat template is missing, the
            template cannot be used, tokenizer and configuration have different mask tokens, or the model has
            no embedding for one of these tokens.
    """
    folder = Path(path)
    is_plain = (folder / "tokenizer.json").exists() or not (folder / "vocab.json").exists()
    tokenizer_class = PreTrainedTokenizerFast if is_plain else Qwen2Tokenizer
    if not is_plain and not (folder / "merges.txt").exists():
        raise CheckpointError(
            f"{path} must contain merges.txt beside vocab.json, but it is missing; download it again"
        )
    if is_plain and not any((folder / name).exists() for name in ("tokenizer.json", "tokenizer.model")):
        absence = "a folder without it" if folder.is_dir() else "no such folder"
        raise CheckpointError(
            f"{path} must contain a tokenizer (tokenizer.json), got {absence}; correct the path or fetch "
            "it again"
        )
    for name in TOKENIZER_FILES:
        if (folder / name).exists():
            require_model_file(folder / name)
    with _damage_explained(folder):
        tokenizer = tokenizer_class.from_pretrained(str(path), local_files_only=True)
        return _complete(folder, tokenizer, mask_token_id)


@contextmanager
def _damage_explained(folder: Path) -> Iterator[None]:
    """Raise a CheckpointError for whatever the libraries raise for a damaged tokenizer."""
    try:
        yield
    except CheckpointError:
        raise
    except BaseException as error:
        # The tokenizers library raises Exception for a damaged file, or a panic, which is no Exception.
        if not (isinstance(error, Exception) or type(error).__name__ == PANIC):
            raise
        raise CheckpointError(
            f"{folder} must contain a tokenizer (tokenizer.json), got "
            f"{shorten(describe_error(error))}; fetch it again"
        ) from error


def _complete(
    folder: Path, tokenizer: PreTrainedTokenizerBase, mask_token_id: int | None
) -> PreTrainedTokenizerBase:
    """Set the tokens that a tokenizer does not declare, and check it."""
    path = folder
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
    _check_ids(folder, tokenizer)
    _check_splitting(folder, tokenizer)
    check_template(folder, tokenizer)
    return tokenizer


def _check_ids(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Check that the model has an embedding for each token that weft uses, if its configuration is there."""
    if not (folder / "config.json").is_file():
        return
    size = read_config(folder).vocab_size
    ids = {
        "mask": tokenizer.mask_token_id,
        "end-of-text": tokenizer.eos_token_id,
        "padding": tokenizer.pad_token_id,
    }
    largest = max(tokenizer.get_vocab().values(), default=0)
    for name, token_id in {**ids, "last": largest}.items():
        if not 0 <= token_id < size:
            raise CheckpointError(
                f"{folder}: the id of the {name} token must be from 0 to {size - 1}, the vocabulary of "
                f"config.json, got {token_id}; use the tokenizer of the model"
            )


def _check_splitting(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Check that long runs of a character are split into tokens in bounded time."""
    try:
        run_limited(lambda: [len(tokenizer(text)["input_ids"]) for text in RUNS])
    except LimitError as error:
        raise CheckpointError(
            f"{folder}: the tokenizer must split long texts into tokens, got {error}; fetch it again"
        ) from error


def check_template(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    """Check the chat template of a tokenizer with a question and its answer.

    Args:
        folder: directory of the tokenizer, for messages.
        tokenizer: the tokenizer.

    Raises:
        CheckpointError: the template is not valid, fails, drops the texts, or writes no header of the
            assistant in front of an answer to generate although it writes one in front of a given answer.
    """
    separate = folder / "chat_template.jinja"
    file = separate if separate.exists() else folder / "tokenizer_config.json"
    question, answer = PROBE
    user = [{"role": "user", "content": question}]
    dialogue = [*user, {"role": "assistant", "content": answer}]

    def format_probe() -> list[str]:
        prompt = str(tokenizer.apply_chat_template(user, tokenize=False, add_generation_prompt=True))
        silent = str(tokenizer.apply_chat_template(user, tokenize=False))
        return [prompt, silent, str(tokenizer.apply_chat_template(dialogue, tokenize=False))]

    try:
        prompt, silent, whole = run_limited(format_probe)
    except LimitError as error:
        raise CheckpointError(
            f"{file}: the chat template must format a question and an answer without further variables, got "
            f"{error}; restore the template of the published model"
        ) from error
    if question not in prompt or question not in whole or answer not in whole:
        raise CheckpointError(
            f"{file}: the chat template must write the texts of all turns, got {whole!r:.200} for {PROBE}; "
            "restore the template of the published model"
        )
    rest = whole.removeprefix(prompt)
    if prompt == silent and whole.startswith(prompt) and not rest.lstrip().startswith(answer):
        raise CheckpointError(
            f"{file}: the chat template must write the assistant header with add_generation_prompt, got "
            f"{prompt!r:.200}, which an answer would not follow; restore the template of the published model"
        )
