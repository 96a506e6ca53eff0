"""Checkpoints of true width: LLaDA-8B with fewer layers and random weights, and a stand-in tokenizer.

They show what a small model hides: shapes, memory, types and token ids of the published model. The weights
are written in parts of `CHUNK` numbers, so that they never exist in memory as a whole.
"""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from weft.data.tokenizer import (
    CHAT_TEMPLATE,
    END_HEADER,
    END_OF_TEXT,
    END_OF_TURN,
    MASK,
    START_HEADER,
    START_OF_TEXT,
)
from weft.model import LladaConfig
from weft.model.checkpoint import find_family

CHUNK = 1 << 24
"""Numbers that are made at once."""
BYTES = 2
"""Size of a number in bf16."""
SCALE_BITS = 121 << 7
"""Exponent of random bf16 numbers, whose magnitudes are 2^-6 (1 + k/128) with k uniform from 0 to 127."""
WEIGHT_RMS = 2**-6 * math.sqrt(sum((1 + k / 128) ** 2 for k in range(128)) / 128)
"""Root mean square of these numbers: 0.024."""
ONE = 0x3F80
"""1.0 in bf16."""

NUM_ORDINARY_TOKENS = 126_080
"""Tokens of LLaDA's tokenizer before the special ones."""
SPECIAL_IDS = {
    START_OF_TEXT: 126_080,
    END_OF_TEXT: 126_081,
    MASK: 126_336,
    START_HEADER: 126_346,
    END_HEADER: 126_347,
    END_OF_TURN: 126_348,
}
"""Ids of LLaDA's special tokens, from tokenizer_config.json of GSAI-ML/LLaDA-8B-Instruct."""
SMALL_TOKENIZER = Path("experiments/tiny-base/tokenizer.json")
"""Tokenizer whose merges the stand-in has."""


def llada_8b_config(*, num_layers: int = 32) -> LladaConfig:
    """Return the configuration of LLaDA-8B (config.json of GSAI-ML/LLaDA-8B-Instruct), with fewer layers."""
    return LladaConfig(
        vocab_size=126_464,
        hidden_size=4096,
        intermediate_size=12_288,
        num_hidden_layers=num_layers,
        num_attention_heads=32,
        num_key_value_heads=32,
        max_position_embeddings=4096,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
        tie_word_embeddings=False,
        eos_token_id=SPECIAL_IDS[END_OF_TEXT],
        pad_token_id=SPECIAL_IDS[END_OF_TEXT],
        mask_token_id=SPECIAL_IDS[MASK],
    )


def write_wide_model(folder: Path, *, num_layers: int, seed: int = 0) -> None:
    """Write LLaDA-8B with fewer layers: configuration, random bf16 weights, and a stand-in tokenizer.

    Args:
        folder: the checkpoint directory; created if missing.
        num_layers: number of transformer blocks. Embedding and head take 2.1 GB, each block 0.44 GB.
        seed: seed of the weights.
    """
    folder.mkdir(parents=True, exist_ok=True)
    layout, config = find_family("llada"), llada_8b_config(num_layers=num_layers)
    with torch.device("meta"):
        model: Any = layout.model_class(config)
    shapes = {layout.to_published_name(name): tuple(t.shape) for name, t in model.state_dict().items()}
    write_bf16(folder / "model.safetensors", shapes, random_bf16(np.random.default_rng(seed)))
    (folder / "config.json").write_text(json.dumps(layout.to_fields(config), indent=2))
    stand_in_tokenizer().save_pretrained(folder)


Bits = np.ndarray[Any, np.dtype[np.uint16]]
"""Bits of bf16 numbers."""


def random_bf16(rng: np.random.Generator) -> Callable[[tuple[int, ...], int], Bits]:
    """Return a function for `write_bf16` that makes random matrices, and ones for the scales of norms."""

    def make(shape: tuple[int, ...], count: int) -> Bits:
        if len(shape) == 1:
            return np.full(count, ONE, dtype=np.uint16)
        signs_and_mantissas = rng.integers(0, 1 << 16, size=count, dtype=np.uint16) & np.uint16(0x807F)
        return signs_and_mantissas | np.uint16(SCALE_BITS)

    return make


def write_bf16(
    file: Path,
    shapes: Mapping[str, tuple[int, ...]],
    make: Callable[[tuple[int, ...], int], Bits] | None,
) -> None:
    """Write a safetensors file of bf16 tensors.

    Args:
        file: the file.
        shapes: name of each tensor -> its shape.
        make: function of the shape of a tensor and of a number of values; returns that many values as the
            bits of bf16 numbers (uint16). None leaves a hole in the file, which reads as zeros and takes no
            space.
    """
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, end = end, end + BYTES * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        if make is None:
            stream.truncate(8 + len(text) + end)
            return
        for shape in shapes.values():
            size = math.prod(shape)
            for start in range(0, size, CHUNK):
                stream.write(make(shape, min(CHUNK, size - start)).astype("<u2").tobytes())


def stand_in_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with the number of tokens and the special ids of LLaDA's, and merges of our own.

    The published tokenizer cannot be shipped. As in it, ordinary tokens come before the special ones, and
    ``mask_token`` is not declared. Ids from 126,349 to 126,463 have an embedding but no token.
    """
    fields = json.loads(SMALL_TOKENIZER.read_text())
    ordinary = [token for token in fields["model"]["vocab"] if token not in SPECIAL_IDS]
    ordinary += [f"<unused {number}>" for number in range(NUM_ORDINARY_TOKENS - len(ordinary))]
    by_id = {token_id: token for token, token_id in SPECIAL_IDS.items()}
    special = [
        by_id.get(token_id, f"<|reserved {token_id}|>")
        for token_id in range(NUM_ORDINARY_TOKENS, max(by_id) + 1)
    ]
    vocabulary = {token: token_id for token_id, token in enumerate([*ordinary, *special])}
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    fields["model"]["vocab"] = vocabulary
    fields["added_tokens"] = [{"id": vocabulary[token], "content": token, **plain} for token in special]
    from tokenizers import Tokenizer

    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=Tokenizer.from_str(json.dumps(fields)),
        bos_token=START_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
