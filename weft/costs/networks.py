"""Sizes of the networks whose costs are computed: LLaDA, Dream, and networks of the same layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weft.config.sources import Pretraining
from weft.config.training import Lora, TargetModule
from weft.errors import WeftError
from weft.records.model_files import read_model_json

Number = int | float
"""A number of operations, bytes or tokens; means of tokens are not whole."""
STAGES: tuple[tuple[TargetModule, ...], ...] = (
    ("q_proj", "k_proj", "v_proj"),
    ("o_proj",),
    ("gate_proj", "up_proj"),
    ("down_proj",),
)
"""The linear modules of a layer in the order of their computation; attention follows the first three."""


@dataclass(frozen=True)
class Network:
    """Sizes of a mask predictor with the layers of Llama or Qwen2.

    Attributes:
        num_layers: number of transformer layers.
        hidden_size: width of the residual stream.
        intermediate_size: width of the feed-forward layer.
        num_heads: number of attention heads.
        num_key_value_heads: number of heads of keys and values.
        vocab_size: rows of the embedding and of the output head, which are separate matrices.
        has_biases: True if queries, keys and values have biases (Dream).
    """

    num_layers: int
    hidden_size: int
    intermediate_size: int
    num_heads: int
    num_key_value_heads: int
    vocab_size: int
    has_biases: bool = False

    @property
    def key_value_size(self) -> int:
        """Width of keys, and of values."""
        return self.hidden_size // self.num_heads * self.num_key_value_heads

    def shape(self, module: TargetModule) -> tuple[int, int]:
        """Return the number of inputs and of outputs of a linear module."""
        hidden, keys, inner = self.hidden_size, self.key_value_size, self.intermediate_size
        shapes: dict[TargetModule, tuple[int, int]] = {
            "q_proj": (hidden, hidden),
            "k_proj": (hidden, keys),
            "v_proj": (hidden, keys),
            "o_proj": (hidden, hidden),
            "gate_proj": (hidden, inner),
            "up_proj": (hidden, inner),
            "down_proj": (inner, hidden),
        }
        return shapes[module]

    def matrix_entries(self, modules: tuple[TargetModule, ...]) -> int:
        """Return the number of entries of the matrices of some modules of one layer."""
        return sum(inputs * outputs for inputs, outputs in map(self.shape, modules))

    @property
    def num_parameters(self) -> int:
        """Number of all parameters."""
        per_layer = sum(self.matrix_entries(stage) for stage in STAGES) + 2 * self.hidden_size
        if self.has_biases:
            per_layer += self.hidden_size + 2 * self.key_value_size
        ends = 2 * self.vocab_size * self.hidden_size + self.hidden_size
        return self.num_layers * per_layer + ends

    def trained_parameters(self, lora: Lora | None) -> int:
        """Return the number of parameters that are trained: those of the adapters, or all."""
        return self.num_parameters if lora is None else self.adapter_parameters(lora)

    def adapter_parameters(self, lora: Lora) -> int:
        """Return the number of parameters of LoRA adapters."""
        widths = (sum(self.shape(module)) for module in lora.target_modules)
        return self.num_layers * lora.rank * sum(widths)


_LLADA_8B = Network(32, 4096, 12288, 32, 32, 126_464)
_DREAM_7B = Network(28, 3584, 18944, 28, 4, 152_064, has_biases=True)
PUBLISHED_NETWORKS: Mapping[str, Network] = {
    "GSAI-ML/LLaDA-8B-Base": _LLADA_8B,
    "GSAI-ML/LLaDA-8B-Instruct": _LLADA_8B,
    "GSAI-ML/LLaDA-1.5": _LLADA_8B,
    "OnAnOrange/LLaDA-8B-Instruct-s1k-sft": _LLADA_8B,
    "Dream-org/Dream-v0-Base-7B": _DREAM_7B,
    "Dream-org/Dream-v0-Instruct-7B": _DREAM_7B,
    "OnAnOrange/Dream-7B-Instruct-s1k-sft": _DREAM_7B,
}
"""Repository on the hub -> sizes, by the published config.json. The parameters are 16,031,162,368 and
15,231,233,024 bytes in bfloat16, as the published indexes say."""

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "llada": ("n_layers", "d_model", "mlp_hidden_size", "n_heads", "n_kv_heads", "embedding_size"),
    "Dream": (
        "num_hidden_layers",
        "hidden_size",
        "intermediate_size",
        "num_attention_heads",
        "num_key_value_heads",
        "vocab_size",
    ),
}
"""``model_type`` in config.json -> fields with the sizes, in the order of `Network`."""
_DEFAULTS = {"n_kv_heads": "n_heads", "embedding_size": "vocab_size"}


def read_network(folder: Path) -> Network | None:
    """Read the sizes of the network in a checkpoint directory.

    Args:
        folder: directory with the config.json of LLaDA or Dream.

    Returns:
        The sizes; None if config.json does not give them, which is an error only for the job that loads it.
    """
    try:
        fields = read_model_json(folder / "config.json")
    except WeftError:
        return None
    family = str(fields.get("model_type"))
    names = _FIELDS.get(family, ())
    given = [fields.get(name) or fields.get(_DEFAULTS.get(name, name)) for name in names]
    sizes = [size for size in given if isinstance(size, int) and not isinstance(size, bool) and size > 0]
    if not names or len(sizes) < len(names):
        return None
    layers, hidden, inner, heads, key_value_heads, vocab = sizes
    if hidden % heads:
        return None
    return Network(layers, hidden, inner, heads, key_value_heads, vocab, has_biases=family == "Dream")


def pretrained_network(recipe: Pretraining) -> Network:
    """Return the sizes of a network that is trained from scratch."""
    shape = recipe.architecture
    return Network(
        num_layers=shape.num_layers,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        num_heads=shape.num_heads,
        num_key_value_heads=shape.num_heads,
        vocab_size=recipe.vocab_size,
    )
