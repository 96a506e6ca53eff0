"""Peak memory of training and sampling on one GPU, by part, in bytes.

The activations are the tensors that PyTorch saves for the backward pass of a layer of Llama with a fused
kernel of attention. A test counts them on a layer of true width. Buffers of the allocator and of the CUDA
libraries are an assumption (`CONTEXT_BYTES`), as nothing that runs without a GPU shows them.
"""

from dataclasses import asdict, dataclass, replace

from weft.config.sampling import Sampling
from weft.config.training import Lora, Training
from weft.costs.gpus import GIB
from weft.costs.networks import STAGES, Network, Number

DTYPE_BYTES = {"float32": 4, "bfloat16": 2}
"""Bytes of a number."""
CONTEXT_BYTES = 1.5 * GIB
"""Assumed memory of the CUDA context, of the libraries' workspaces and of fragmentation."""
HEAD_CHUNK = 512
"""Tokens whose logits exist at the same time (`weft.model.head`; a test compares the two)."""
REDUCE_BUCKET = 500_000_000
"""Numbers in the buffer in which DeepSpeed collects gradients, its default (``reduce_bucket_size``)."""
LIVE_PARAMETERS = 1_000_000_000
"""Parameters that ZeRO-3 keeps gathered at most, DeepSpeed's default (``stage3_max_live_parameters``)."""
ADAM_NUMBERS = 2
"""Numbers that AdamW keeps for each trained parameter."""


@dataclass(frozen=True)
class MemoryParts:
    """Peak memory of a process on one GPU, in bytes.

    Attributes:
        weights: all parameters, adapters included.
        gradients: gradients of the trained parameters.
        optimizer: states of AdamW, and DeepSpeed's copies of the trained parameters in float32.
        buckets: buffer in which DeepSpeed collects gradients before it sums them over the processes.
        activations: tensors saved for the backward pass, or those of one layer in a forward pass.
        logits: logits of a chunk of tokens, and what is computed from them.
        context: assumed memory of CUDA and its libraries.
    """

    weights: Number
    gradients: Number = 0
    optimizer: Number = 0
    buckets: Number = 0
    activations: Number = 0
    logits: Number = 0
    context: Number = 0

    @property
    def total(self) -> Number:
        """Sum of all parts."""
        return sum(self.by_part().values())

    def by_part(self) -> dict[str, Number]:
        """Return the bytes of each part by its name, in the order of the attributes."""
        return asdict(self)


def saved_by_layer(network: Network, lora: Lora | None, number: int) -> Number:
    """Return the bytes per token that a layer saves for its backward pass.

    Args:
        network: sizes of the network.
        lora: adapters in float32; None if all parameters are trained.
        number: bytes of a number of the activations.

    Returns:
        Bytes per token.
    """
    hidden, keys, inner = network.hidden_size, network.key_value_size, network.intermediate_size
    is_full = lora is None
    norms = 2 * (4 * hidden + 4 + (number * hidden if is_full else 0))  # in float32; both factors if trained
    attention = number * (2 * hidden + 2 * keys) + 4 * network.num_heads  # q, k, v, output, log-sum-exp
    feed_forward = 3 * number * inner  # gate, its activation, and the other factor
    if lora is None:
        inputs = number * (
            2 * hidden + inner
        )  # of q, k, v; of gate and up; of down. That of o is saved above.
        return norms + attention + feed_forward + inputs
    return norms + attention + feed_forward + _saved_by_adapters(network, lora, number)


def _saved_by_adapters(network: Network, lora: Lora, number: int) -> Number:
    """Return the bytes per token that the adapters of a layer save.

    Each adapter converts its input to float32 and drops parts of it, which needs a mask of one byte. Without
    dropout, adapters of models in float32 share the input; that of ``o_proj`` is the output of attention.
    """
    total: Number = 0
    for stage in STAGES:
        adapted = [module for module in stage if module in lora.target_modules]
        width = network.shape(stage[0])[0]
        copies = len(adapted)
        if lora.dropout == 0 and number == 4:
            copies = 0 if stage == ("o_proj",) else min(copies, 1)
        total += copies * 4 * width + len(adapted) * 4 * lora.rank
        total += len(adapted) * width if lora.dropout > 0 else 0
    return total


def training_memory(network: Network, training: Training, *, num_processes: int) -> MemoryParts:
    """Return the peak memory of a process that trains, on its GPU.

    Args:
        network: sizes of the network.
        training: settings of the training.
        num_processes: DeepSpeed ranks, each with a GPU of its own.

    Returns:
        Bytes of each part.
    """
    number, stage, lora = DTYPE_BYTES[training.dtype], training.zero_stage, training.lora
    trained = network.trained_parameters(lora)
    trained_number = number if lora is None else 4
    frozen = 0 if lora is None else network.num_parameters * number
    share = {at: num_processes if stage >= at else 1 for at in (1, 2, 3)}
    copies = 4 if stage > 0 else 0
    optimizer = (copies + 4 * ADAM_NUMBERS) * trained / share[1]
    gradients = trained * trained_number / share[2]
    weights = (frozen + trained * trained_number) / share[3]
    if stage == 3 and num_processes > 1:
        gathered = min(LIVE_PARAMETERS, network.num_parameters)
        weights += gathered * number
    if training.offload_parameters:
        weights = min(LIVE_PARAMETERS, network.num_parameters) * number
    static = MemoryParts(
        weights=weights,
        gradients=0 if training.offload_optimizer and stage >= 2 else gradients,
        optimizer=0 if training.offload_optimizer else optimizer,
        context=CONTEXT_BYTES,
    )
    tokens = training.micro_batch_size * training.max_length
    layer = saved_by_layer(network, lora, number)
    if training.gradient_checkpointing:
        activations = tokens * (network.num_layers * number * network.hidden_size + layer)
    else:
        activations = tokens * network.num_layers * layer
    backward = replace(
        static,
        buckets=REDUCE_BUCKET * trained_number if stage in (1, 2) else 0,
        activations=activations,
        logits=_head_memory(network, tokens, number, has_weight_gradient=lora is None),
    )
    # The optimiser step converts narrower gradients to float32, when the other parts are free again.
    converted = 4 * trained / share[1] if trained_number < 4 and not training.offload_optimizer else 0
    step = replace(static, gradients=static.gradients + converted)
    return max(backward, step, key=lambda parts: parts.total)


def offloaded_memory(network: Network, training: Training) -> Number:
    """Return the bytes of optimiser states and parameters in CPU memory, over all processes."""
    trained = network.trained_parameters(training.lora)
    states = (4 + 4 + 4 * ADAM_NUMBERS) * trained if training.offload_optimizer else 0
    parameters = network.num_parameters * DTYPE_BYTES[training.dtype] if training.offload_parameters else 0
    return states + parameters


def forward_memory(network: Network, *, dtype: str, tokens: int, lora: Lora | None = None) -> MemoryParts:
    """Return the peak memory of forward passes without gradients.

    Args:
        network: sizes of the network.
        dtype: type of parameters and activations.
        tokens: tokens in all sequences of a pass.
        lora: adapters that are not merged.

    Returns:
        Bytes of each part.
    """
    number = DTYPE_BYTES[dtype]
    adapters = 0 if lora is None else 4 * network.adapter_parameters(lora)
    # Residual stream, its norm in float32, and the three tensors of the feed-forward layer or of attention.
    width = (
        2 * number * network.hidden_size + 4 * network.hidden_size + 3 * number * network.intermediate_size
    )
    return MemoryParts(
        weights=network.num_parameters * number + adapters,
        activations=tokens * width,
        logits=_head_memory(network, tokens, number, has_weight_gradient=False),
        context=CONTEXT_BYTES,
    )


def sampling_memory(
    network: Network, sampling: Sampling, *, prompt_length: int, lora: Lora | None = None
) -> MemoryParts:
    """Return the peak memory of sampling the longest answers.

    Args:
        network: sizes of the network.
        sampling: settings of the sampler.
        prompt_length: tokens of a prompt.
        lora: adapters that are not merged.

    Returns:
        Bytes of each part.
    """
    canvas = sampling.batch_size * (prompt_length + max(sampling.gen_lengths))
    parts = forward_memory(network, dtype=sampling.dtype, tokens=canvas, lora=lora)
    if sampling.kv_cache is None:
        return parts
    cached = 2 * network.num_layers * network.key_value_size * DTYPE_BYTES[sampling.dtype] * canvas
    return replace(parts, activations=parts.activations + cached)


def _head_memory(network: Network, tokens: int, number: int, *, has_weight_gradient: bool) -> Number:
    """Return the bytes of the logits of a chunk, and of the gradients that the head computes from them."""
    rows = min(tokens, HEAD_CHUNK) * network.vocab_size
    # The logits, the same in float32, and a temporary of the softmax or the gradient of the logits.
    total = rows * (number + 4 + 4) + tokens * network.hidden_size * number
    if has_weight_gradient:  # their sum in float32, that of a chunk, and the sum in the weight's type
        total += network.vocab_size * network.hidden_size * (4 + 2 * number)
    return total
