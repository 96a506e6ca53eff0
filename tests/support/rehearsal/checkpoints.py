"""LLaDA and Dream in their published forms: small networks, and tokenizers with the published ids.

The sizes and ids are those of GSAI-ML/LLaDA-8B-Instruct and Dream-org/Dream-v0-Instruct-7B. The ordinary
tokens are 256 bytes, some merges, and names that no text contains.
"""

import json
import tempfile
from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedConfig

from weft.data.tasks.examples import generate_examples
from weft.model import DreamConfig, DreamForMaskedDiffusion, LladaConfig, LladaForMaskedDiffusion
from weft.model.checkpoint import save_model

NUM_LLADA_TOKENS, LLADA_VOCABULARY = 126_080, 126_464
"""Ordinary tokens, and rows of the embedding."""
LLADA_ADDED = [
    "<|startoftext|>", "<|endoftext|>", "[CLS]", "[gMASK]",
    *(f"<|reserved_token_{number}|>" for number in range(252)),
    "<|mdm_mask|>",
    *(f"<|reserved_token_{number}|>" for number in range(253, 256)),
    "<role>", "</role>", "<|arithmetic_start|>", "<|arithmetic_end|>", "<|number_start|>", "<|number_end|>",
    "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
]  # fmt: skip
"""Special tokens, from id 126080 on."""
LLADA_IDS = {"<|endoftext|>": 126_081, "<|mdm_mask|>": 126_336, "<|eot_id|>": 126_348}
NUM_DREAM_TOKENS, DREAM_VOCABULARY = 151_643, 152_064
DREAM_ADDED = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>",
    *(f"<|{part}_{end}|>" for part in ("object_ref", "box", "quad", "vision") for end in ("start", "end")),
    "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>",
    "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|beginoftext|>",
    "<|mask|>",
]  # fmt: skip
"""Added tokens, from id 151643 on."""
DREAM_IDS = {"<|endoftext|>": 151_643, "<|im_end|>": 151_645, "<|mask|>": 151_666}
SHARD_BYTES = 9_000_000
"""Size of a weight file, so that the embedding and the head lie in different ones."""
REMOTE_CODE = b"raise SystemExit('code of a repository must not be run')\n"
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "tie_word_embeddings": False,
}

# As LLaDA's published template: every conversation ends with the assistant's header.
LLADA_TEMPLATE = (
    "{% for message in messages %}{{ bos_token if loop.first else '' }}"
    "<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}<|start_header_id|>assistant<|end_header_id|>\n\n"
)
DREAM_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@cache
def llada_files() -> dict[str, bytes]:
    """Return name -> content of the files of a repository in the form of LLaDA-8B-Instruct."""
    config = LladaConfig(
        vocab_size=LLADA_VOCABULARY,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
        mask_token_id=LLADA_IDS["<|mdm_mask|>"],
        eos_token_id=LLADA_IDS["<|endoftext|>"],
        pad_token_id=LLADA_IDS["<|endoftext|>"],
        **SMALL,
    )
    tokenizer = _train_tokenizer(NUM_LLADA_TOKENS)
    tokenizer.add_special_tokens(LLADA_ADDED)
    # No mask token is declared; the configuration of the model names its id.
    settings = {
        "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
        "cls_token": "[CLS]", "chat_template": LLADA_TEMPLATE, "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False, "trust_remote_code": True,
    }  # fmt: skip
    special = {name: settings[name] for name in ("bos_token", "eos_token", "pad_token", "cls_token")}
    return {
        **_network_files(LladaForMaskedDiffusion, config),
        "tokenizer.json": tokenizer.to_str().encode(),
        "tokenizer_config.json": json.dumps(settings).encode(),
        "special_tokens_map.json": json.dumps(special).encode(),
        "modeling_llada.py": REMOTE_CODE,
        "configuration_llada.py": REMOTE_CODE,
        "README.md": b"A stand-in.\n",
    }


@cache
def dream_files() -> dict[str, bytes]:
    """Return name -> content of the files of a repository in the form of Dream-v0-Instruct-7B."""
    config = DreamConfig(
        vocab_size=DREAM_VOCABULARY,
        num_key_value_heads=1,
        max_position_embeddings=131_072,
        rms_norm_eps=1e-6,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        mask_token_id=DREAM_IDS["<|mask|>"],
        bos_token_id=NUM_DREAM_TOKENS + DREAM_ADDED.index("<|beginoftext|>"),
        eos_token_id=DREAM_IDS["<|endoftext|>"],
        pad_token_id=DREAM_IDS["<|endoftext|>"],
        **SMALL,
    )
    bpe = json.loads(_train_tokenizer(NUM_DREAM_TOKENS).to_str())["model"]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in bpe["merges"]]
    added = {
        str(NUM_DREAM_TOKENS + number): {"content": token, "special": "tool_call" not in token}
        for number, token in enumerate(DREAM_ADDED)
    }
    settings = {
        "added_tokens_decoder": added, "bos_token": "<|beginoftext|>", "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>", "mask_token": "<|mask|>", "unk_token": None,
        "chat_template": DREAM_TEMPLATE, "tokenizer_class": "DreamTokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_dream.DreamTokenizer", None]},
    }  # fmt: skip
    return {
        **_network_files(DreamForMaskedDiffusion, config),
        "vocab.json": json.dumps(bpe["vocab"]).encode(),
        "merges.txt": "\n".join(["#version: 0.2", *merges, ""]).encode(),
        "tokenizer_config.json": json.dumps(settings).encode(),
        "modeling_dream.py": REMOTE_CODE,
        "tokenization_dream.py": REMOTE_CODE,
    }


def _train_tokenizer(num_tokens: int) -> Tokenizer:
    """Train a byte-level tokenizer, and fill its vocabulary up with tokens that no text contains."""
    examples = generate_examples({"gsm8k": 50, "math500": 50}, seed=1)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator((f"{e.question}\n{e.answer}" for e in examples), trainer)
    bpe = json.loads(tokenizer.to_str())["model"]
    vocabulary = dict(bpe["vocab"])
    vocabulary |= {f"<unused {number}>": number for number in range(len(vocabulary), num_tokens)}
    merges = [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in bpe["merges"]]
    filled = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    filled.pre_tokenizer = tokenizer.pre_tokenizer
    filled.decoder = decoders.ByteLevel()
    return filled


def _network_files(kind: type, config: PreTrainedConfig) -> dict[str, bytes]:
    """Return the files of a network with random parameters in bf16, in several shards."""
    torch.manual_seed(0)
    network = kind(config).to(torch.bfloat16)
    with tempfile.TemporaryDirectory() as folder:
        save_model(network, folder, max_shard_bytes=SHARD_BYTES)
        return {file.name: file.read_bytes() for file in Path(folder).iterdir()}
