import json
import shutil

import pytest

from weft.errors import CheckpointError
from weft.model import load_tokenizer


@pytest.fixture
def folder(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


@pytest.fixture
def dream_folder(shared_data, tmp_path):
    """Qwen's vocabulary with Dream's added tokens, and a tokenizer class that must not be run."""
    source = shared_data / "qwen2.5_tokenizer"
    for name in ("vocab.json", "merges.txt"):
        shutil.copyfile(source / name, tmp_path / name)
    settings = json.loads((source / "tokenizer_config.json").read_text())
    added = {i: token for i, token in settings["added_tokens_decoder"].items() if int(i) < 151665}
    special = added["151643"]
    added |= {"151665": special | {"content": "<|beginoftext|>"}, "151666": special | {"content": "<|mask|>"}}
    settings |= {
        "added_tokens_decoder": added,
        "additional_special_tokens": ["<|beginoftext|>", "<|mask|>"],
        "auto_map": {"AutoTokenizer": ["tokenization_dream.DreamTokenizer", None]},
        "bos_token": "<|beginoftext|>",
        "eos_token": "<|endoftext|>",
        "mask_token": "<|mask|>",
        "pad_token": "<|endoftext|>",
        "tokenizer_class": "DreamTokenizer",
    }
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    (tmp_path / "tokenization_dream.py").write_text("raise SystemExit(3)\n")
    return tmp_path


def test_a_tokenizer_without_mask_token_takes_it_from_the_configuration(tokenizer, folder):
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_text())
    settings.pop("mask_token")
    file.write_text(json.dumps(settings))
    with pytest.raises(CheckpointError, match="mask token, got none; add mask_token_id"):
        load_tokenizer(folder)
    assert load_tokenizer(folder, mask_token_id=tokenizer.mask_token_id).mask_token == tokenizer.mask_token


def test_tokenizer_and_configuration_must_agree(tokenizer, folder):
    with pytest.raises(CheckpointError, match="must name the same mask token"):
        load_tokenizer(folder, mask_token_id=tokenizer.mask_token_id + 1)


def test_an_empty_directory_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path)


def test_a_vocabulary_without_merges_is_refused(tmp_path):
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"merges\.txt"):
        load_tokenizer(tmp_path)


def test_dreams_tokenizer_is_qwens_with_further_tokens_and_no_code_of_its_own(dream_folder):
    tokenizer = load_tokenizer(dream_folder, mask_token_id=151666)
    assert (tokenizer.mask_token_id, tokenizer.bos_token_id) == (151666, 151665)
    assert tokenizer.eos_token_id == tokenizer.pad_token_id == 151643
    # Qwen's ids, as its own tests state them: "Hello world!"; digits one by one; the mask as one token.
    assert tokenizer("Hello world!").input_ids == [9707, 1879, 0]
    assert tokenizer("12<|mask|>").input_ids == [16, 17, 151666]
    text = "Wörter,  it's 3.5\n\n\tx² = ½"
    assert tokenizer.decode(tokenizer(text).input_ids) == text
