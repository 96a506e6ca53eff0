"""Compare training steps with plain transcriptions of the published steps, in speed and memory.

The model has LLaDA-8B's proportions (32 layers, feed-forward 3 x hidden, vocabulary 31 x hidden), so that
the head has the same share of a forward pass, 7 %.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from weft.config.methods import Method
from weft.config.training import Lora
from weft.data.collate import TrainingBatch
from weft.model import LladaConfig, LladaForMaskedDiffusion
from weft.training.adapters import add_adapters, lora_settings
from weft.training.objective import ForwardProcess, add_noise, masked_token_loss, normalize_weights
from weft.training.probe_cache import CachedUncertainty, probe_batch
from weft.training.uniforms import KeyedUniforms
from weft.verify.measure import Run, peak_bytes, time_in_turns

HIDDEN, LAYERS, VOCAB = 128, 32, 3968
BATCH, LENGTH, PROMPT = 8, 128, 32
MASK = VOCAB - 1
T_MIN = 1e-3
NUM_STEPS = 9
"""Number of steps of each kind; the first two are not counted."""
NUM_EPOCHS, NUM_BATCHES, REFRESH = 20, 2, 5
LORA = Lora(rank=4, alpha=8, dropout=0.0, target_modules=["q_proj", "k_proj", "v_proj"])

Step = Callable[[int], Tensor]
"""Function from the number of a step to its loss."""


@dataclass(frozen=True)
class Measured:
    """Median seconds of a step, forward and backward, and its peak memory beyond the parameters, in bytes."""

    seconds: float
    peak_bytes: int


def bench_training(*, threads: int) -> Iterator[str]:
    """Compare training steps with their references.

    Args:
        threads: CPU threads.

    Yields:
        Lines of text; speeds and memory are ratios, not times and sizes.
    """
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # otherwise the profiler logs every start and stop
    torch.set_num_threads(threads)
    yield (
        f"{BATCH} x {LENGTH} tokens, {LAYERS} layers of width {HIDDEN}, vocabulary {VOCAB}, {threads} "
        f"threads; median of {NUM_STEPS - 2} alternating steps, forward and backward, without optimiser"
    )
    yield from _against_published()
    yield from _live_probe()
    yield from _twenty_epochs()


def _against_published() -> Iterator[str]:
    """Compare with plain transcriptions of the published steps, which compute logits at all positions."""
    model = _model()
    hidden = torch.randn(BATCH, LENGTH, HIDDEN, requires_grad=True)
    measured = _measure(
        {
            "published loss": lambda number: _published_loss(model.lm_head(hidden), number),
            "our loss": lambda number: _our_loss(model, hidden, number),
            "published SFT": lambda number: _published_loss(
                model(input_ids=_noisy(number)[0]).logits, number
            ),
            "our SFT": _step(model, "sft"),
            "published WeFT": lambda number: _published_weft(model, number),
            "our WeFT": _step(model, "gift-lift"),
        },
        model,
    )
    yield "ours / plain transcription of the published step, all parameters trained:"
    for title, ours, published, goal in (
        ("loss alone (head, cross entropy)", "our loss", "published loss", "  (goal: memory 0.6)"),
        ("whole SFT step (d1)", "our SFT", "published SFT", ""),
        ("whole WeFT step (GIFT in LIFT)", "our WeFT", "published WeFT", ""),
    ):
        ratio = measured[ours].seconds / measured[published].seconds
        memory = measured[ours].peak_bytes / measured[published].peak_bytes
        yield f"  {title:<34} time {ratio:.2f}, peak memory {memory:.2f}{goal}"


def _live_probe() -> Iterator[str]:
    """Compare the step of WeFT, which begins with a probe, with the step of SFT."""
    yield "WeFT with a live probe / SFT, time of a step  (goal 1.35; published 1.24):"
    for title, adapters, checkpointing in (
        ("all parameters", False, False),
        ("adapters on q, k, v", True, False),
        ("adapters, gradient checkpointing", True, True),
    ):
        model = _model(adapters=adapters, checkpointing=checkpointing)
        measured = _measure({name: _step(model, name) for name in ("sft", "weft")}, model)
        yield f"  {title:<34} {measured['weft'].seconds / measured['sft'].seconds:.2f}"


def _twenty_epochs() -> Iterator[str]:
    """Train for twenty epochs with each kind of probe, including the optimiser, in alternating epochs."""
    rows = {
        "sft": Method.model_validate({"preset": "sft"}),
        "live": Method.model_validate({"preset": "weft"}),
        "refreshed": Method.model_validate({"preset": "weft-refreshed", "refresh_epochs": REFRESH}),
        "frozen": Method.model_validate({"preset": "weft-frozen"}),
    }
    models: dict[str, Any] = {name: _model(adapters=True) for name in rows}
    optimisers = {
        name: torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)
        for name, model in models.items()
    }
    cached: dict[str, CachedUncertainty] = {}
    seconds = dict.fromkeys(rows, 0.0)
    for epoch, (name, method) in itertools.product(range(NUM_EPOCHS), rows.items()):
        model, optimiser = models[name], optimisers[name]
        began = time.perf_counter()
        if (name == "frozen" and epoch == 0) or (name == "refreshed" and epoch % REFRESH == 0):
            cached[name] = CachedUncertainty(
                {
                    key: values
                    for number in range(NUM_BATCHES)
                    for key, values in probe_batch(model, _batch(number), method=method, mask_token_id=MASK)
                }
            )
        for number in range(NUM_BATCHES):
            _compute_loss(model, method, number, epoch, cached=cached.get(name)).backward()
            optimiser.step()
            optimiser.zero_grad()
        seconds[name] += time.perf_counter() - began
    yield f"{NUM_EPOCHS} epochs of training adapters, optimiser and probes included, time / SFT's:"
    for name, title, goal in (
        ("live", "live probe", ""),
        ("refreshed", f"refreshed every {REFRESH} epochs", ""),
        ("frozen", "frozen, computed once", "  (goal 1.03)"),
    ):
        yield f"  {title:<34} {seconds[name] / seconds['sft']:.2f}{goal}"


def _model(*, adapters: bool = False, checkpointing: bool = False) -> Any:
    torch.manual_seed(0)
    config = LladaConfig(
        vocab_size=VOCAB,
        hidden_size=HIDDEN,
        intermediate_size=3 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=4,
    )
    model: Any = LladaForMaskedDiffusion(config)
    if adapters:
        model = add_adapters(model, lora_settings(LORA))
    if checkpointing:
        model.enable_input_require_grads()
        model.activation_checkpointing_enable()
    return model.train()


def _batch(number: int) -> TrainingBatch:
    generator = torch.Generator().manual_seed(number)
    ids = torch.randint(0, VOCAB - 1, (BATCH, LENGTH), generator=generator)
    is_answer = (torch.arange(LENGTH) >= PROMPT).expand(BATCH, LENGTH)
    index = torch.arange(BATCH) + number * BATCH
    return TrainingBatch(
        clean_ids=ids,
        is_maskable=is_answer,
        is_padding=torch.zeros_like(is_answer),
        example_key=index,
        index_in_epoch=index,
        is_pad_row=torch.zeros(BATCH, dtype=torch.bool),
    )


def _uniforms(number: int, epoch: int = 0) -> KeyedUniforms:
    return KeyedUniforms(
        seed=0, epoch=epoch, example_keys=torch.arange(BATCH) + number * BATCH, length=LENGTH
    )


def _compute_loss(
    model: Any, method: Method, number: int, epoch: int = 0, *, cached: CachedUncertainty | None = None
) -> Tensor:
    """Compute the loss of a step of one micro-batch with the functions of the Trainer."""
    process = ForwardProcess(method=method, t_min=T_MIN, mask_token_id=MASK)
    noisy = add_noise(model, _batch(number), _uniforms(number, epoch), process, cached=cached)
    return masked_token_loss(model, normalize_weights([noisy], method)[0])[0]


def _step(model: Any, preset: str) -> Step:
    method = Method.model_validate({"preset": preset})
    return lambda number: _compute_loss(model, method, number)


def _noisy(number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mask as d1's collator does; return noisy ids, labels and times."""
    batch, uniforms = _batch(number), _uniforms(number)
    t = (1 - T_MIN) * uniforms.time(0)[:, None].expand(BATCH, LENGTH) + T_MIN
    is_masked = (uniforms.mask(0) < t) & batch["is_maskable"]
    labels = torch.where(is_masked, batch["clean_ids"], -100)
    return torch.where(is_masked, MASK, batch["clean_ids"]), labels, t


def _published_loss(logits: Tensor, number: int) -> Tensor:
    """Transcribe d1's loss: cross entropy at all positions over t and over the number of answer tokens."""
    _, labels, t = _noisy(number)
    nll = F.cross_entropy(logits.view(-1, VOCAB), labels.view(-1), ignore_index=-100, reduction="none")
    return (nll.view(BATCH, LENGTH) / t).sum() / (BATCH * (LENGTH - PROMPT))


def _published_weft(model: Any, number: int) -> Tensor:
    """Transcribe LIFT's GIFT step: logits, probabilities and losses at all positions, twice."""
    batch, uniforms = _batch(number), _uniforms(number)
    ids, is_answer = batch["clean_ids"], batch["is_maskable"]
    t = (1 - T_MIN) * uniforms.time(0)[:, None] + T_MIN
    with torch.no_grad():
        log_p = model(input_ids=ids.masked_fill(is_answer, MASK)).logits.log_softmax(dim=-1)
        beta = -(log_p.exp() * log_p).sum(dim=-1)
        beta = beta.clamp(min=0).sqrt()
        rate = 1 - (1 - t) ** (beta / beta[is_answer].mean())
        is_masked = (uniforms.mask(0) < rate) & is_answer
    logits = model(input_ids=ids.masked_fill(is_masked, MASK)).logits
    labels = torch.where(is_masked, ids, -100)
    nll = F.cross_entropy(logits.view(-1, VOCAB), labels.view(-1), ignore_index=-100, reduction="none")
    return (nll.view(BATCH, LENGTH) / rate).sum() / is_masked.sum()


def _our_loss(model: Any, hidden: Tensor, number: int) -> Tensor:
    _, labels, t = _noisy(number)
    is_masked = labels != -100
    weights = t[is_masked].reciprocal() / (BATCH * (LENGTH - PROMPT))
    loss, _ = model.lm_head(hidden[is_masked], targets=labels[is_masked], token_weights=weights)
    return loss


def _measure(steps: dict[str, Step], model: Any) -> dict[str, Measured]:
    """Run the steps alternately and time them, then measure the memory of one more step of each kind."""

    def run(step: Step) -> Run:
        return lambda number: step(number).backward()

    runs = {name: run(step) for name, step in steps.items()}
    seconds = time_in_turns(runs, rounds=NUM_STEPS, num_warm_up=2, afterwards=model.zero_grad)
    return {name: Measured(seconds[name], _peak_bytes(step, model)) for name, step in steps.items()}


def _peak_bytes(step: Step, model: Any) -> int:
    """Measure the memory of a step, without that of the gradients, which are allocated before."""
    step(0).backward()
    size = peak_bytes(lambda: step(0).backward(), torch.device("cpu"))
    model.zero_grad()
    return size
