import json

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.support.models import ScriptedModel
from tests.support.uniforms import GivenDraws
from weft.config.methods import PRESETS, Method
from weft.errors import MaskingError
from weft.model import Prediction
from weft.training.objective import (
    RECORD_FIELDS,
    corrupt,
    diffusion_loss,
    noisy_loss,
    probe_uncertainty,
    relative_rates,
    scale_rows,
    step_totals,
)

MASK, PAD = 9, 8


def method(preset="weft", **changes):
    return Method.model_validate({"preset": preset} | changes)


def batch():
    clean = torch.tensor([[1, 2, 3, 4, PAD], [5, 6, 7, PAD, PAD]])
    maskable = torch.tensor([[False, True, True, True, True], [False, False, True, True, True]])
    return {"clean_ids": clean, "is_maskable": maskable, "is_padding": clean == PAD}


def draws(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return GivenDraws(torch.rand(2, generator=generator), torch.rand(2, 5, generator=generator))


def loss(predictor, chosen, seed=0, **known):
    value, _ = diffusion_loss(
        predictor, batch(), draws(seed), method=chosen, t_min=1e-3, mask_token_id=MASK, **known
    )
    return value


def corrupted(predictor, chosen, seed=0, given=None, **known):
    numbers = given or draws(seed)
    return corrupt(predictor, batch(), numbers, method=chosen, t_min=1e-3, mask_token_id=MASK, **known)


def random_model(seed=0):
    return ScriptedModel(torch.randn(5, 10, generator=torch.Generator().manual_seed(seed)))


def even_model():
    return ScriptedModel(torch.zeros(5, 10))  # every position equally unsure


EQUAL_TO_SFT = {
    "weft": {"divisor": "answer_tokens"},
    "weft-raw": {"divisor": "answer_tokens"},
    "weft-nll": {"divisor": "answer_tokens"},
    "weft-sw": {"divisor": "answer_tokens"},
    "weft-elbo": {},
    "weft-permuted": {"divisor": "answer_tokens"},
}


@pytest.mark.parametrize("padding_reference", [False, True])
@pytest.mark.parametrize("preset", EQUAL_TO_SFT)
@pytest.mark.parametrize("seed", range(4))
def test_equal_uncertainties_give_sft_to_the_bit(preset, padding_reference, seed):
    chosen = method(preset, padding_reference=padding_reference, **EQUAL_TO_SFT[preset])
    assert loss(even_model(), chosen, seed).item() == loss(even_model(), method("sft"), seed).item()


@pytest.mark.parametrize("seed", range(4))
def test_an_exponent_of_zero_gives_sft_to_the_bit(seed):
    chosen = method("weft", exponent=0.0, divisor="answer_tokens")
    assert loss(random_model(), chosen, seed).item() == loss(random_model(), method("sft"), seed).item()


@pytest.mark.parametrize("seed", range(4))
def test_a_power_of_zero_is_no_weight_to_the_bit(seed):
    powerless, without = method("weft", weight_power=0.0), method("weft-noweight")
    assert loss(random_model(), powerless, seed).item() == loss(random_model(), without, seed).item()


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_gives_a_finite_loss_that_reaches_the_parameters(model, tokenizer, preset):
    ids = torch.randint(0, 300, (2, 12))
    answer = torch.arange(12).expand(2, 12) >= 4
    padding = torch.arange(12).expand(2, 12) >= 10
    inputs = {"clean_ids": ids, "is_maskable": answer, "is_padding": padding}
    numbers = GivenDraws(torch.tensor([0.5, 0.9]), torch.rand(2, 12))
    known = torch.where(answer, torch.rand(2, 12), 0)
    value, _ = diffusion_loss(
        model,
        inputs,
        numbers,
        method=method(preset),
        t_min=1e-3,
        mask_token_id=tokenizer.mask_token_id,
        known_uncertainty=known if method(preset).probe_model != "live" else None,
    )
    (slope,) = torch.autograd.grad(value, [model.model.layers[0].self_attn.q_proj.weight])
    assert torch.isfinite(value)
    assert slope.abs().sum() > 0


@given(st.sampled_from(sorted(PRESETS)), st.integers(0, 1000))
def test_the_prompt_is_never_masked_and_what_is_masked_is_of_the_answer(preset, seed):
    noisy = corrupted(random_model(seed), method(preset), seed, known_uncertainty=torch.rand(2, 5))
    copies = method(preset).masks_per_example
    clean, answer = (batch()[name].repeat(copies, 1) for name in ("clean_ids", "is_maskable"))
    is_masked = noisy.noisy_ids == MASK
    assert not (is_masked & ~answer).any()
    assert torch.equal(noisy.noisy_ids[~is_masked], clean[~is_masked])
    assert not (noisy.is_predicted & ~is_masked).any()
    assert torch.equal(noisy.target_ids, clean[noisy.is_predicted])
    assert torch.isfinite(noisy.weight).all()


def test_the_probe_sees_no_token_of_the_answer():
    model = random_model()
    probe_uncertainty(model, batch(), method=method(), mask_token_id=MASK)
    assert model.calls[0].tolist() == [[1, MASK, MASK, MASK, MASK], [5, 6, MASK, MASK, MASK]]


def test_the_probe_sees_the_padding_only_where_a_method_shows_it():
    model = random_model()
    probe_uncertainty(model, batch(), method=method("gift-lift"), mask_token_id=MASK)
    assert model.calls[0].tolist() == [[1, MASK, MASK, MASK, PAD], [5, 6, MASK, PAD, PAD]]


@pytest.mark.parametrize("content", [[2, 3, 4], [7, 7, 7]])
def test_the_answers_content_does_not_reach_the_rates(model, tokenizer, content):
    def rates(ids):
        inputs = batch() | {"clean_ids": torch.tensor([[1, *ids, PAD], [5, 6, 7, PAD, PAD]])}
        chosen = method(masking="token")
        return relative_rates(
            model, inputs, draws(), method=chosen, mask_token_id=tokenizer.mask_token_id
        ).relative

    assert torch.equal(rates(content), rates([10, 11, 12]))


@pytest.mark.parametrize(("preset", "expected"), [("weft", [False]), ("gift-lift", [True])])
def test_dropout_in_the_probe_is_off_unless_asked_for(preset, expected):
    class Dropping(nn.Module):
        def __init__(self):
            super().__init__()
            self.modes = []

        def forward(self, input_ids, logits_positions, logits_fn):
            self.modes.append(self.training)
            n = int(logits_positions.sum())
            return Prediction(outputs=logits_fn(torch.randn(n, 10), slice(0, n)))

    model = Dropping().train()
    probe_uncertainty(model, batch(), method=method(preset), mask_token_id=MASK)
    assert model.modes == expected
    assert model.training


def test_what_is_asked_for_is_entropy_or_negative_log_likelihood():
    logits = torch.randn(5, 10)
    model = ScriptedModel(logits)
    entropy = probe_uncertainty(model, batch(), method=method("weft"), mask_token_id=MASK)
    nll = probe_uncertainty(model, batch(), method=method("weft-nll"), mask_token_id=MASK)
    log_p = logits.log_softmax(-1)
    assert entropy[0, 1].item() == pytest.approx(-(log_p[1].exp() * log_p[1]).sum().item(), rel=1e-5)
    assert nll[0, 1].item() == pytest.approx(-log_p[1, 2].item(), rel=1e-5)
    assert entropy[0, 0] == 0  # the prompt
    assert entropy[0, 4] == 0  # padding is outside the scheme, and the head is not asked


def test_unsure_tokens_are_masked_more_often():
    logits = torch.zeros(5, 10)
    logits[2, 0] = 6.0  # position 2 is nearly certain
    masked = torch.stack([corrupted(ScriptedModel(logits), method(), s).is_predicted[0] for s in range(300)])
    share = masked.float().mean(dim=0)
    assert share[2] < 0.6 * share[1]
    assert share[0] == 0


@pytest.mark.parametrize(("inside", "low", "high"), [(False, 0.4, 0.6), (True, 0.0, 0.2)])
def test_padding_is_masked_at_rate_t_unless_drawn_into_the_scheme(inside, low, high):
    logits = torch.zeros(5, 10)
    logits[3:, PAD] = 9.0  # sure of the padding
    chosen = method(padding_reference=inside)
    masked = [corrupted(ScriptedModel(logits), chosen, s).is_predicted[0, 4] for s in range(300)]
    assert low < torch.stack(masked).float().mean() < high


def test_padding_out_of_the_loss_is_masked_and_not_counted():
    everything = GivenDraws(torch.ones(2) * 0.999, torch.zeros(2, 5))
    noisy = corrupted(random_model(), method("sft", padding_in_loss=False), given=everything)
    assert (noisy.noisy_ids == MASK).sum(dim=1).tolist() == [4, 3]
    assert noisy.is_predicted.sum(dim=1).tolist() == [3, 1]
    assert noisy.divide_by.tolist() == [3, 1]


def test_padding_out_of_the_masks_stays_visible():
    everything = GivenDraws(torch.ones(2) * 0.999, torch.zeros(2, 5))
    noisy = corrupted(
        random_model(), method("sft", padding_masked=False, padding_in_loss=False), given=everything
    )
    assert noisy.noisy_ids.tolist() == [[1, MASK, MASK, MASK, PAD], [5, 6, MASK, PAD, PAD]]


def test_complementary_masks_partition_the_answer():
    noisy = corrupted(random_model(), method("sft-2x", t_sampling="complementary"), 3)
    first, second = (noisy.noisy_ids == MASK).split(2)
    assert torch.equal(first ^ second, batch()["is_maskable"])


def test_complementary_masks_are_weighted_by_their_own_rates():
    # t = 0.25: a masked token of the first has weight 4, one of the second 1 / 0.75
    given = GivenDraws((torch.full((2,), 0.25) - 1e-3) / (1 - 1e-3), torch.rand(2, 5))
    noisy = corrupted(random_model(), method("sft-2x", t_sampling="complementary"), given=given)
    in_first = noisy.is_predicted.nonzero()[:, 0] < 2
    assert noisy.weight[in_first].tolist() == pytest.approx([4] * int(in_first.sum()), rel=1e-4)
    assert noisy.weight[~in_first].tolist() == pytest.approx([4 / 3] * int((~in_first).sum()), rel=1e-4)


def test_two_masks_are_averaged():
    class SameTwice(GivenDraws):
        def mask(self, copy):
            return self.masks

    given = SameTwice(torch.tensor([0.3, 0.6]), torch.rand(2, 5))
    values = [
        diffusion_loss(random_model(), batch(), given, method=method(name), t_min=1e-3, mask_token_id=MASK)[0]
        for name in ("sft", "sft-2x")
    ]
    assert values[1].item() == pytest.approx(values[0].item(), rel=1e-6)


def test_if_nothing_is_masked_the_loss_is_zero_or_the_mask_is_drawn_at_one_rate():
    nothing = GivenDraws(torch.tensor([0.5, 0.5]), torch.ones(2, 5))
    assert not corrupted(random_model(), method(), given=nothing).is_predicted.any()
    fallen_back = corrupted(random_model(), method("gift-lift"), given=nothing)
    assert fallen_back.is_predicted.sum().item() == 4  # all tokens but the padding


def test_a_bound_on_the_weight_holds():
    small = GivenDraws(torch.tensor([0.0, 0.0]), torch.zeros(2, 5))
    assert corrupted(random_model(), method("sft"), given=small).weight.max().item() == pytest.approx(
        1000, rel=1e-3
    )
    assert corrupted(random_model(), method("sft", max_weight=20.0), given=small).weight.max() == 20


def test_simple_weights_mask_at_one_rate_and_weigh_by_relative_uncertainty():
    noisy = corrupted(random_model(), method("weft-sw"))
    plain = corrupted(random_model(), method("sft"))
    assert torch.equal(noisy.noisy_ids, plain.noisy_ids)
    rates = relative_rates(random_model(), batch(), draws(), method=method("weft-sw"), mask_token_id=MASK)
    torch.testing.assert_close(noisy.weight, plain.weight * rates.relative[noisy.is_predicted])


def test_the_permuted_control_keeps_the_rates_and_changes_their_owners():
    own, other = (
        relative_rates(random_model(), batch(), draws(), method=method(name), mask_token_id=MASK).relative
        for name in ("weft", "weft-permuted")
    )
    assert own[0].sort().values.tolist() == pytest.approx(other[0].sort().values.tolist())
    assert own[0, 1:4].flip(0).tolist() == other[0, 1:4].tolist()  # the given draws reverse the order


def test_known_uncertainties_need_no_probe():
    model = random_model()
    known = probe_uncertainty(random_model(), batch(), method=method(), mask_token_id=MASK)
    frozen = loss(model, method("weft-frozen"), known_uncertainty=known)
    assert len(model.calls) == 1
    assert frozen.item() == loss(random_model(), method()).item()


def test_the_reference_of_the_data_set_comes_from_outside():
    chosen = method("weft-frozen", reference="dataset")
    rates = relative_rates(
        random_model(),
        batch(),
        draws(),
        method=chosen,
        mask_token_id=MASK,
        known_uncertainty=torch.full((2, 5), 4.0),
        dataset_reference=0.5,
    )
    assert rates.relative[0, 1:4].tolist() == [4, 4, 4]


def by_hand(chosen, pieces):
    """The loss over several micro-batches as the Trainer averages it."""
    parts = [
        corrupt(
            random_model(),
            {name: tensor[piece] for name, tensor in batch().items()},
            GivenDraws(draws().times[piece], draws().masks[piece]),
            method=chosen,
            t_min=1e-3,
            mask_token_id=MASK,
        )
        for piece in pieces
    ]
    totals = torch.stack([step_totals(part) for part in parts]).sum(dim=0).float()
    losses = [
        noisy_loss(random_model(), part, scale_rows(part, chosen, totals, num_parts=len(parts)))[0]
        for part in parts
    ]
    return (sum(losses) / len(losses)).item()


@pytest.mark.parametrize("scope", ["batch", "example"])
@pytest.mark.parametrize("preset", ["sft", "weft", "weft-elbo", "cart", "sft-2x"])
def test_the_loss_does_not_depend_on_how_a_batch_is_divided(preset, scope):
    chosen = method(preset, divisor_scope=scope)
    whole, split = by_hand(chosen, [slice(0, 2)]), by_hand(chosen, [slice(0, 1), slice(1, 2)])
    assert split == pytest.approx(whole, rel=1e-5)


def test_counting_over_micro_batches_of_one_is_counting_over_examples():
    split = [slice(0, 1), slice(1, 2)]
    over_micro = by_hand(method("sft", divisor_scope="micro_batch"), split)
    assert over_micro == pytest.approx(by_hand(method("sft", divisor_scope="example"), split), rel=1e-6)
    whole = by_hand(method("sft", divisor_scope="micro_batch"), [slice(0, 2)])
    assert over_micro != pytest.approx(whole, rel=1e-3)


def test_repetitions_that_fill_a_batch_count_for_nothing():
    doubled = {name: tensor.repeat(2, 1) for name, tensor in batch().items()}
    doubled["is_filler"] = torch.tensor([False, False, True, True])
    given = GivenDraws(draws().times.repeat(2), draws().masks.repeat(2, 1))
    for name in ("sft", "weft"):
        value, noisy = diffusion_loss(
            random_model(), doubled, given, method=method(name), t_min=1e-3, mask_token_id=MASK
        )
        assert value.item() == pytest.approx(loss(random_model(), method(name)).item(), rel=1e-6)
        plain = corrupted(random_model(), method(name))
        torch.testing.assert_close(noisy.sums, plain.sums)


def test_what_is_logged():
    sums = corrupted(random_model(), method()).sums.reshape(-1, 2)
    record = dict(zip(RECORD_FIELDS, (sums[:, 0] / sums[:, 1]).tolist(), strict=True))
    assert record["masked_share"] == pytest.approx(
        corrupted(random_model(), method()).is_predicted.sum().item() / 7
    )
    assert record["mean_t"] == pytest.approx(draws().times.mean().item(), abs=2e-3)
    assert 0 < record["mean_uncertainty"] < 2.4
    assert corrupted(random_model(), method("sft")).sums[6:].tolist() == [0, 0, 0, 0]


def test_an_example_without_answer_stops():
    broken = batch() | {"is_maskable": torch.zeros(2, 5, dtype=torch.bool)}
    with pytest.raises(MaskingError, match=r"rows \[0, 1\]"):
        diffusion_loss(random_model(), broken, draws(), method=method(), t_min=1e-3, mask_token_id=MASK)


def reference(shared_data):
    from weft.model import load_model

    folder = shared_data / "reference" / "llada_small"
    stored = json.loads((folder / "losses.json").read_text())
    ids = torch.tensor(stored["clean_ids"])
    answer = torch.arange(ids.shape[1])[None] >= torch.tensor(stored["prompt_length"])[:, None]
    inputs = {"clean_ids": ids, "is_maskable": answer, "is_padding": ids == stored["pad_token_id"]}
    t_min = 1e-3
    given = GivenDraws((torch.tensor(stored["t"]) - t_min) / (1 - t_min), torch.tensor(stored["uniform"]))
    return load_model(folder), stored, inputs, given


@pytest.mark.parametrize(
    ("preset", "key"), [("sft", "sft_d1_loss"), ("gift-lift", "gift_lift_loss")], ids=["d1", "LIFT"]
)
def test_the_published_losses_come_out(shared_data, preset, key):
    model, stored, inputs, given = reference(shared_data)
    value, _ = diffusion_loss(
        model, inputs, given, method=method(preset), t_min=1e-3, mask_token_id=stored["mask_token_id"]
    )
    assert value.item() == pytest.approx(stored[key], abs=1e-5)


def test_the_published_entropies_and_rates_come_out(shared_data):
    model, stored, inputs, given = reference(shared_data)
    rates = relative_rates(
        model, inputs, given, method=method("gift-lift"), mask_token_id=stored["mask_token_id"]
    )
    at = rates.in_scheme
    for found, key in (
        (rates.uncertainty, "gift_lift_token_entropy"),
        (1 - (1 - torch.tensor(stored["t"])[:, None]) ** rates.relative, "gift_lift_token_masking_rate"),
    ):
        torch.testing.assert_close(found[at], torch.tensor(stored[key])[at], atol=1e-5, rtol=1e-5)


def test_sft_loss_equals_a_plain_transcription_of_the_published_step(model, tokenizer):
    ids = torch.randint(0, 300, (3, 20))
    answer = torch.arange(20).expand(3, 20) >= torch.tensor([4, 6, 8])[:, None]
    inputs = {"clean_ids": ids, "is_maskable": answer, "is_padding": torch.zeros_like(answer)}
    given = GivenDraws(torch.rand(3), torch.rand(3, 20))
    value, _ = diffusion_loss(
        model, inputs, given, method=method("sft"), t_min=1e-3, mask_token_id=tokenizer.mask_token_id
    )
    t = (1 - 1e-3) * given.times + 1e-3
    masked = (given.masks < t[:, None]) & answer
    logits = model(input_ids=torch.where(masked, tokenizer.mask_token_id, ids)).logits
    nll = F.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="none").reshape(ids.shape)
    expected = (nll * masked / t[:, None]).sum() / answer.sum()
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)


class LargestTensor(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation makes."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(made) if isinstance(leaf, torch.Tensor)]
        self.numel = max([self.numel, *sizes])
        return made


@pytest.mark.parametrize("preset", ["sft", "weft", "weft-nll", "sft-2x"])
def test_no_tensor_of_a_step_has_logits_at_more_positions_than_a_chunk(model, tokenizer, monkeypatch, preset):
    monkeypatch.setattr("weft.model.head.HEAD_CHUNK", 8)
    rows, length, vocab = 4, 40, len(tokenizer)
    is_answer = (torch.arange(length) >= 4).expand(rows, length)
    inputs = {
        "clean_ids": torch.randint(0, vocab - 100, (rows, length)),
        "is_maskable": is_answer,
        "is_padding": torch.zeros_like(is_answer),
    }
    given = GivenDraws(torch.full((rows,), 0.99), torch.rand(rows, length))  # nearly all is masked
    with LargestTensor() as largest:
        value, _ = diffusion_loss(
            model, inputs, given, method=method(preset), t_min=1e-3, mask_token_id=tokenizer.mask_token_id
        )
        value.backward()
    model.zero_grad()
    parameters = max(parameter.numel() for parameter in model.parameters())
    activations = 2 * rows * length * 96  # two masks of every example, the feed-forward's width
    assert largest.numel <= max(8 * vocab, parameters, activations) < rows * length * vocab / 2
