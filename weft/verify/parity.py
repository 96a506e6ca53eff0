"""Part ``parity``: logits, losses and tokens on this device against the stored and the plain ones.

The small networks of `weft.verify.formula` are compared in float32 with numbers that the plain
implementations computed in double precision on a CPU. The network of the chosen size is compared with the
plain network on the same device and in the same type.
"""

from collections.abc import Iterator
from typing import Any

import torch

from weft.config.methods import Method
from weft.data.collate import move_to_device
from weft.model.checkpoint import find_layout
from weft.sampling import generate
from weft.training.objective import ForwardProcess, add_noise, masked_token_loss, normalize_weights
from weft.verify.formula import (
    FAMILIES,
    MASK_ID,
    SAMPLED,
    SAMPLING_CASES,
    Family,
    case_batch,
    formula_case,
    formula_ids,
    formula_model,
    formula_prompts,
)
from weft.verify.plain.networks import plain_dream, plain_llada, shift_to_predicted
from weft.verify.plain.objective import METHODS, T_MIN
from weft.verify.records import Measurement
from weft.verify.stored import stored_logits, stored_losses, stored_tokens
from weft.verify.uniforms import GivenUniforms

LOGIT_LIMIT = 1e-3
"""Largest difference of a stored logit in float32; logits reach 5, and a CPU differs by at most 1e-5."""
LOSS_LIMIT = 1e-4
"""Largest relative difference of a stored loss in float32; a CPU differs by at most 1e-6."""
SPREAD_LIMITS = {torch.float32: 1e-4, torch.bfloat16: 0.05}
"""Largest root mean square difference from the plain network, in standard deviations of the logits."""
COMPARED_LENGTH = 64
"""Tokens of the two sequences with which the network of the chosen size is compared."""


def check_stored(device: torch.device) -> Iterator[Measurement]:
    """Compare the small networks on a device with the stored numbers, in float32.

    Args:
        device: the device.

    Yields:
        The largest differences of logits and losses, and the number of unequal tokens, for each family.
    """
    for family in FAMILIES:
        model = formula_model(family).to(device)
        yield Measurement(
            subject=_subject(family),
            quantity="largest difference of a stored logit",
            value=_logit_difference(model, family),
            unit="1",
            limit=LOGIT_LIMIT,
        )
        yield Measurement(
            subject=_subject(family),
            quantity=f"largest relative difference of {len(METHODS)} stored losses",
            value=max(_loss_differences(model, family)),
            unit="1",
            limit=LOSS_LIMIT,
        )
        yield Measurement(
            subject=_subject(family),
            quantity=f"tokens of {2 * len(SAMPLING_CASES)} stored answers that differ",
            value=_count_unequal_tokens(model, family),
            unit="tokens",
            limit=0,
        )


def compare_with_plain(model: Any) -> Iterator[Measurement]:
    """Compare the logits of a whole network with those of the plain network with the same weights.

    Args:
        model: a mask predictor without adapters.

    Yields:
        The root mean square difference in standard deviations of the logits, and the share of positions with
        another most probable token.
    """
    config = model.config
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, config.vocab_size - 2, (2, COMPARED_LENGTH), generator=generator)
    ids[:, COMPARED_LENGTH // 2 :: 2] = config.mask_token_id
    ids = ids.to(model.device)
    layout = find_layout(model)
    tensors = {layout.to_published_name(name): tensor for name, tensor in model.state_dict().items()}
    shape = {
        "num_heads": config.num_attention_heads,
        "theta": config.rope_parameters["rope_theta"],
        "eps": config.rms_norm_eps,
    }
    with torch.no_grad():
        ours = model(input_ids=ids).logits.float()
        if layout.family == "dream":
            shape["num_kv_heads"] = config.num_key_value_heads
            plain = shift_to_predicted(plain_dream(tensors, ids, **shape)).float()
        else:
            plain = plain_llada(tensors, ids, **shape).float()
    subject = f"{layout.family}, whole network, {str(model.dtype).removeprefix('torch.')}"
    spread = plain.std(dim=-1, keepdim=True)
    yield Measurement(
        subject=subject,
        quantity="root mean square difference from the plain network's logits",
        value=((ours - plain) / spread).square().mean().sqrt().item(),
        unit="standard deviations of the logits",
        limit=SPREAD_LIMITS[model.dtype],
    )
    yield Measurement(
        subject=subject,
        quantity="positions with another most probable token than in the plain network",
        value=(ours.argmax(dim=-1) != plain.argmax(dim=-1)).float().mean().item(),
        unit="share",
    )


def _subject(family: Family) -> str:
    return f"{family}, small network, float32"


def _logit_difference(model: Any, family: Family) -> float:
    stored = stored_logits()
    with torch.no_grad():
        logits = model(input_ids=formula_ids().to(model.device)).logits
    return (stored.select(logits).double().cpu() - stored.of_family(family)).abs().max().item()


def _loss_differences(model: Any, family: Family) -> Iterator[float]:
    """Yield the relative difference of the loss of each method from the stored one."""
    case = formula_case()
    batch = move_to_device(case_batch(case), model.device)
    uniforms = GivenUniforms(torch.tensor(case.time_uniforms), torch.tensor(case.mask_uniforms))
    for name, expected in stored_losses().of_family(family).losses.items():
        method = Method.model_validate({"preset": name})
        process = ForwardProcess(method=method, t_min=T_MIN, mask_token_id=case.mask_id)
        with torch.no_grad():
            noisy = normalize_weights([add_noise(model, batch, uniforms, process)], method)[0]
            loss, _ = masked_token_loss(model, noisy)
        yield abs(loss.item() / expected - 1)


def _count_unequal_tokens(model: Any, family: Family) -> int:
    prompts, count = formula_prompts().tolist(), 0
    for name, expected in stored_tokens().of_family(family).items():
        answers = generate(model, prompts, mask_token_id=MASK_ID, **SAMPLED, **SAMPLING_CASES[name])
        pairs = zip(answers, expected, strict=True)
        count += sum(ours != token for pair in pairs for ours, token in zip(*pair, strict=True))
    return count
