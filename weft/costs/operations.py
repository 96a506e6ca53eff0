"""Operations of training and sampling: additions and multiplications of all matrix products.

A product of matrices of ``m x k`` and ``k x n`` has ``2 m k n`` operations. Everything else (norms,
activation functions, rotations, the softmax) is not counted, as in ``torch.utils.flop_counter``.
"""

from dataclasses import dataclass

from weft.config.methods import Method
from weft.config.sampling import Sampling
from weft.config.training import Lora, TargetModule, Training
from weft.costs.networks import STAGES, Network, Number

MASKED_SHARE = 0.5
"""Assumed share of the answer tokens that a training step masks: the mean of a uniform masking rate."""
ATTENTION_BACKWARD = 2.5
"""Operations of the backward pass of attention relative to its forward pass: the gradients take twice the
products, and the fused kernels compute the attention weights again."""


@dataclass(frozen=True)
class Pass:
    """Sizes of one pass of a network over a sequence.

    Attributes:
        network: sizes of the network.
        length: tokens in the sequence.
        lora: adapters, which are not merged; None if there are none.
    """

    network: Network
    length: int
    lora: Lora | None = None

    def forward(self, head_tokens: Number) -> Number:
        """Return the operations of a forward pass of one sequence with the head at some tokens."""
        return self.network.num_layers * self.layer() + self.head(head_tokens)

    def layer(self) -> Number:
        """Return the operations of the forward pass of a layer."""
        linear = sum(self.linear(stage, self.length) for stage in STAGES)
        return linear + self.attention(self.length, self.length)

    def last_layer(self, num_columns: Number) -> Number:
        """Return the operations of the last layer if its output is needed at some columns only.

        Keys and values are computed everywhere and, because the layer of transformers does so, once more at
        the columns (`weft.model.predictor`).
        """
        at_columns = sum(self.linear(stage, num_columns) for stage in STAGES)
        everywhere = self.linear(("k_proj", "v_proj"), self.length)
        return everywhere + at_columns + self.attention(num_columns, self.length)

    def linear(self, modules: tuple[TargetModule, ...], tokens: Number) -> Number:
        """Return the operations of linear modules and of their adapters."""
        return 2 * tokens * (self.network.matrix_entries(modules) + self._adapter_entries(modules))

    def attention(self, queries: Number, keys: Number) -> Number:
        """Return the operations of the products of queries with keys, and of weights with values."""
        return 4 * queries * keys * self.network.hidden_size

    def head(self, tokens: Number) -> Number:
        """Return the operations of the logits of some tokens."""
        return 2 * tokens * self.network.hidden_size * self.network.vocab_size

    def backward(self, *, checkpointing: bool) -> Number:
        """Return the operations of the backward pass of all layers, with their second forward pass.

        The gradient of a matrix is computed if it is trained, and the gradient of a module's input if
        anything before it is trained. The gradients of the head are those of `training_head`.
        """
        num_layers = self.network.num_layers
        again = num_layers * (self.layer() - self._not_repeated()) if checkpointing else 0
        # The embedding is trained, or transformers lets the gradient reach it so that checkpoints work.
        if self.lora is None or checkpointing:
            return again + num_layers * self._layer_backward()
        return (num_layers - 1) * self._layer_backward() + self._first_layer_backward(self.lora)

    def training_head(self, tokens: Number) -> Number:
        """Return the operations of loss and gradients at the head, which needs no second forward pass."""
        return self.head(tokens) * (3 if self.lora is None else 2)

    def _layer_backward(self) -> Number:
        attention = ATTENTION_BACKWARD * self.attention(self.length, self.length)
        return attention + sum(self._module_backward(stage) for stage in STAGES)

    def _first_layer_backward(self, lora: Lora) -> Number:
        """Return the operations of the backward pass of the first layer, which ends at its first adapters."""
        first = next(index for index, stage in enumerate(STAGES) if {*stage} & {*lora.target_modules})
        total = self._module_backward(STAGES[first], has_input_gradient=False)
        total += sum(self._module_backward(stage) for stage in STAGES[first + 1 :])
        attention = ATTENTION_BACKWARD * self.attention(self.length, self.length)
        return total + (attention if first == 0 else 0)

    def _module_backward(self, stage: tuple[TargetModule, ...], *, has_input_gradient: bool = True) -> Number:
        """Return the operations of the gradients of linear modules with a common input."""
        if self.lora is None:
            return 2 * self.linear(stage, self.length)
        total: Number = 0
        for module in stage:
            inputs, outputs = self.network.shape(module)
            is_adapted = module in self.lora.target_modules
            total += inputs * outputs if has_input_gradient else 0
            if is_adapted:  # gradients of A and B, of B's input, and of A's input
                rank = self.lora.rank
                total += rank * (inputs + 2 * outputs + (inputs if has_input_gradient else 0))
        return 2 * self.length * total

    def _not_repeated(self) -> Number:
        """Return the operations at the end of a layer that checkpointing skips, as no gradient needs them."""
        if self.lora is not None and "down_proj" in self.lora.target_modules:
            return 2 * self.length * self.lora.rank * self.network.hidden_size
        return self.linear(("down_proj",), self.length)

    def _adapter_entries(self, modules: tuple[TargetModule, ...]) -> int:
        if self.lora is None:
            return 0
        adapted = [module for module in modules if module in self.lora.target_modules]
        return sum(self.lora.rank * sum(self.network.shape(module)) for module in adapted)


def training_operations(
    network: Network, training: Training, method: Method | None = None, *, answer_tokens: Number | None = None
) -> Number:
    """Return the operations of the training on one example, once.

    Args:
        network: sizes of the network.
        training: settings of the training.
        method: the method; None for SFT.
        answer_tokens: mean number of tokens of an answer with its padding; None for ``max_length``, the
            largest possible number.

    Returns:
        Operations of the forward and backward passes of all masks and, with a live probe, of the probe pass.
    """
    sequence = Pass(network, training.max_length, training.lora)
    answer = training.max_length if answer_tokens is None else answer_tokens
    step = sequence.forward(0) + sequence.training_head(MASKED_SHARE * answer)
    step += sequence.backward(checkpointing=training.gradient_checkpointing)
    if method is None:
        return step
    probes = sequence.forward(answer) if method.has_probe and method.probe_model == "live" else 0
    return method.masks_per_example * step + probes


def probe_operations(network: Network, training: Training, *, has_adapters: bool) -> Number:
    """Return the operations of the probe pass over one example, with or without the adapters."""
    lora = training.lora if has_adapters else None
    return Pass(network, training.max_length, lora).forward(training.max_length)


def sampling_operations(
    network: Network,
    sampling: Sampling,
    *,
    prompt_length: Number,
    gen_length: int,
    lora: Lora | None = None,
    share_of_blocks: Number = 1.0,
) -> Number:
    """Return the operations of the answer to one question.

    Args:
        network: sizes of the network.
        sampling: settings of the sampler. With a confidence threshold the number of steps depends on the
            answer, and one token per step is assumed, which is the most.
        prompt_length: tokens of the prompt.
        gen_length: tokens of the answer.
        lora: adapters, if they are not merged into the weights.
        share_of_blocks: mean share of the blocks that are denoised, below 1 with early stop.

    Returns:
        Operations of all denoising steps.
    """
    block, per_step = sampling.block_length, sampling.tokens_per_step or 1
    num_blocks, num_steps = gen_length // block, block // per_step
    canvas = round(prompt_length) + gen_length
    num_columns = per_step if sampling.remasking == "random" else (block + per_step) / 2
    total: Number = 0
    for index in range(num_blocks):
        if sampling.kv_cache is None:
            total += num_steps * _step(network, lora, canvas, canvas, num_columns)
            continue
        window = block if sampling.kv_cache == "dual" else gen_length - index * block
        first_columns = per_step if sampling.remasking == "random" else block
        total += _step(network, lora, canvas, canvas, first_columns)
        later_columns = per_step if sampling.remasking == "random" else block / 2
        total += (num_steps - 1) * _step(network, lora, canvas, window, later_columns)
    passes = 2 if sampling.cfg_scale > 0 else 1
    return passes * share_of_blocks * total


def _step(network: Network, lora: Lora | None, canvas: int, window: int, num_columns: Number) -> Number:
    """Return the operations of a step that computes a window of the canvas, and the head at some columns."""
    sequence = Pass(network, window, lora)
    linear = sum(sequence.linear(stage, window) for stage in STAGES)
    body = (network.num_layers - 1) * (linear + sequence.attention(window, canvas))
    missing = sequence.attention(num_columns, canvas - window)  # keys of the last layer that are cached
    return body + sequence.last_layer(num_columns) + missing + sequence.head(num_columns)
