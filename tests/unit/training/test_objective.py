import json

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.support.batches import (
    MASK,
    PAD,
    batch,
    method,
    noisy_batch,
    process,
    random_model,
    step_loss,
    training_batch,
    uniforms,
)
from tests.support.models import ScriptedModel
from weft.config.methods import PRESETS
from weft.errors import MaskingError
from weft.training.objective import (
    add_noise,
    masked_token_loss,
    normalize_weights,
    relative_rates,
)
from weft.training.probe import has_token_rate, probe_uncertainty
from weft.training.probe_cache import CachedUncertainty, probe_batch
from weft.verify.uniforms import GivenUniforms


def loss(predictor, chosen, seed=0, cached=None):
    return step_loss(predictor, batch(), uniforms(seed), process(chosen), cached)[0]


def rates(predictor, chosen, inputs=None, mask_token_id=MASK):
    inputs = inputs or batch()
    uncertainty = probe_uncertainty(predictor, inputs, method=chosen, mask_token_id=mask_token_id)
    return relative_rates(uncertainty, has_token_rate(inputs, chosen), uniforms(), method=chosen)


def cache(predictor, chosen, inputs=None, mask_token_id=MASK):
    probed = probe_batch(predictor, inputs or batch(), method=chosen, mask_token_id=mask_token_id)
    return CachedUncertainty(dict(probed))


def even_model():
    return ScriptedModel(torch.zeros(5, 10))  # equal entropy at all positions


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
    inputs = training_batch(ids, answer, padding)
    numbers = GivenUniforms(torch.tensor([0.5, 0.9]), torch.rand(2, 12))
    is_live = method(preset).probe_model == "live"
    cached = None if is_live else cache(model, method(preset), inputs, tokenizer.mask_token_id)
    value, _ = step_loss(model, inputs, numbers, process(method(preset), tokenizer.mask_token_id), cached)
    (slope,) = torch.autograd.grad(value, [model.model.layers[0].self_attn.q_proj.weight])
    assert torch.isfinite(value)
    assert slope.abs().sum() > 0


@given(st.sampled_from(sorted(PRESETS)), st.integers(0, 1000))
def test_only_answer_tokens_are_masked(preset, seed):
    noisy = noisy_batch(random_model(seed), method(preset), seed)
    copies = method(preset).masks_per_example
    clean, answer = (batch()[name].repeat(copies, 1) for name in ("clean_ids", "is_maskable"))
    is_masked = noisy.noisy_ids == MASK
    assert not (is_masked & ~answer).any()
    assert torch.equal(noisy.noisy_ids[~is_masked], clean[~is_masked])
    assert not (noisy.is_predicted & ~is_masked).any()
    assert torch.equal(noisy.clean_ids, clean)
    assert torch.isfinite(noisy.weight).all()
    assert not noisy.weight[~noisy.is_predicted].any()


@pytest.mark.parametrize("content", [[2, 3, 4], [7, 7, 7]])
def test_rates_do_not_depend_on_the_content_of_the_answer(model, tokenizer, content):
    def rates_of(ids):
        inputs = batch() | {"clean_ids": torch.tensor([[1, *ids, PAD], [5, 6, 7, PAD, PAD]])}
        return rates(model, method(), inputs, tokenizer.mask_token_id)

    assert torch.equal(rates_of(content), rates_of([10, 11, 12]))


def test_tokens_with_high_entropy_are_masked_more_often():
    logits = torch.zeros(5, 10)
    logits[2, 0] = 6.0  # position 2 is nearly certain
    masked = torch.stack(
        [noisy_batch(ScriptedModel(logits), method(), s).is_predicted[0] for s in range(300)]
    )
    share = masked.float().mean(dim=0)
    assert share[2] < 0.6 * share[1]
    assert share[0] == 0


@pytest.mark.parametrize(("inside", "low", "high"), [(False, 0.4, 0.6), (True, 0.0, 0.2)])
def test_padding_is_masked_at_rate_t_unless_it_has_token_rates(inside, low, high):
    logits = torch.zeros(5, 10)
    logits[3:, PAD] = 9.0  # low entropy of the padding
    chosen = method(padding_reference=inside)
    masked = [noisy_batch(ScriptedModel(logits), chosen, s).is_predicted[0, 4] for s in range(300)]
    assert low < torch.stack(masked).float().mean() < high


def test_padding_out_of_the_loss_is_masked_and_not_counted():
    everything = GivenUniforms(torch.ones(2) * 0.999, torch.zeros(2, 5))
    noisy = noisy_batch(random_model(), method("sft", padding_in_loss=False), given=everything)
    assert (noisy.noisy_ids == MASK).sum(dim=1).tolist() == [4, 3]
    assert noisy.is_predicted.sum(dim=1).tolist() == [3, 1]
    assert noisy.num_loss_tokens.tolist() == [3, 1]


def test_padding_out_of_the_masks_stays_visible():
    everything = GivenUniforms(torch.ones(2) * 0.999, torch.zeros(2, 5))
    noisy = noisy_batch(
        random_model(), method("sft", padding_masked=False, padding_in_loss=False), given=everything
    )
    assert noisy.noisy_ids.tolist() == [[1, MASK, MASK, MASK, PAD], [5, 6, MASK, PAD, PAD]]


def test_complementary_masks_partition_the_answer():
    noisy = noisy_batch(random_model(), method("sft-2x", t_sampling="complementary"), 3)
    first, second = (noisy.noisy_ids == MASK).split(2)
    assert torch.equal(first ^ second, batch()["is_maskable"])


def test_complementary_masks_are_weighted_by_their_own_rates():
    # t = 0.25: a masked token of the first has weight 4, one of the second 1 / 0.75
    given = GivenUniforms((torch.full((2,), 0.25) - 1e-3) / (1 - 1e-3), torch.rand(2, 5))
    noisy = noisy_batch(random_model(), method("sft-2x", t_sampling="complementary"), given=given)
    in_first = noisy.is_predicted.nonzero()[:, 0] < 2
    weight = noisy.weight[noisy.is_predicted]
    assert weight[in_first].tolist() == pytest.approx([4] * int(in_first.sum()), rel=1e-4)
    assert weight[~in_first].tolist() == pytest.approx([4 / 3] * int((~in_first).sum()), rel=1e-4)


def test_the_rates_of_a_complementary_mask_are_at_least_t_min():
    # t is bounded by 0.999, so that the first mask leaves all tokens to the second, whose rate is 0.001.
    given = GivenUniforms(torch.full((2,), 1 - 2.0**-24), torch.full((2, 5), 0.9995))
    noisy = noisy_batch(random_model(), method("sft-2x", t_sampling="complementary"), given=given)
    assert not noisy.is_predicted[:2].any()
    assert noisy.weight[noisy.is_predicted].tolist() == pytest.approx([1000] * 7, rel=1e-3)


def test_two_masks_are_averaged():
    class SameTwice(GivenUniforms):
        def mask(self, copy):
            return self.masks

    given = SameTwice(torch.tensor([0.3, 0.6]), torch.rand(2, 5))
    values = [
        step_loss(random_model(), batch(), given, process(method(name)))[0] for name in ("sft", "sft-2x")
    ]
    assert values[1].item() == pytest.approx(values[0].item(), rel=1e-6)


def test_without_masked_tokens_the_loss_is_zero_or_the_fallback_mask_is_used():
    nothing = GivenUniforms(torch.tensor([0.5, 0.5]), torch.ones(2, 5))
    assert not noisy_batch(random_model(), method(), given=nothing).is_predicted.any()
    fallen_back = noisy_batch(random_model(), method("gift-lift"), given=nothing)
    assert fallen_back.is_predicted.sum().item() == 4  # all tokens but the padding


def test_the_fallback_mask_is_used_only_if_no_token_of_the_micro_batch_is_masked():
    given = GivenUniforms(torch.tensor([0.5, 0.5]), torch.tensor([[0.0] * 5, [1.0] * 5]))
    noisy = noisy_batch(random_model(), method("gift-lift"), given=given)
    assert noisy.is_predicted.sum(dim=1).tolist() == [3, 0]


@pytest.mark.parametrize("scope", ["batch", "example", "micro_batch"])
def test_the_loss_of_a_step_without_masked_tokens_is_zero(scope):
    nothing = GivenUniforms(torch.tensor([0.5, 0.5]), torch.ones(2, 5))
    chosen = method("sft", divisor="masked_tokens", divisor_scope=scope)
    value, noisy = step_loss(random_model(), batch(), nothing, process(chosen))
    assert value.item() == 0
    assert not noisy.weight.any()


def test_a_masking_rate_has_a_lower_bound():
    logits = torch.zeros(5, 10)
    logits[2, 0] = 60.0  # the entropy is 0, so that the rate of this token is the bound
    given = GivenUniforms(torch.tensor([0.5, 0.5]), torch.full((2, 5), 0.01))
    chosen = method(min_token_masking_rate=0.02)
    noisy = noisy_batch(ScriptedModel(logits), chosen, given=given)
    assert noisy.weight[0, 2].item() == pytest.approx(50)


def test_a_bound_on_the_weight_holds():
    small = GivenUniforms(torch.tensor([0.0, 0.0]), torch.zeros(2, 5))
    assert noisy_batch(random_model(), method("sft"), given=small).weight.max().item() == pytest.approx(
        1000, rel=1e-3
    )
    assert noisy_batch(random_model(), method("sft", max_weight=20.0), given=small).weight.max() == 20


def test_simple_weights_are_sft_weights_times_relative_rates():
    noisy = noisy_batch(random_model(), method("weft-sw"))
    plain = noisy_batch(random_model(), method("sft"))
    assert torch.equal(noisy.noisy_ids, plain.noisy_ids)
    torch.testing.assert_close(noisy.weight, plain.weight * rates(random_model(), method("weft-sw")))


def test_the_permuted_control_gives_the_rates_to_other_tokens():
    plain, permuted = (rates(random_model(), method(name)) for name in ("weft", "weft-permuted"))
    assert plain[0].sort().values.tolist() == pytest.approx(permuted[0].sort().values.tolist())
    assert plain[0, 1:4].flip(0).tolist() == permuted[0, 1:4].tolist()  # the given numbers reverse the order


def test_cached_uncertainties_replace_the_probe():
    model = random_model()
    frozen = loss(model, method("weft-frozen"), cached=cache(random_model(), method()))
    assert len(model.calls) == 1
    assert frozen.item() == loss(random_model(), method()).item()


def test_the_reference_of_the_data_set_is_the_mean_over_its_tokens():
    chosen = method("weft-frozen", reference="dataset")
    cached = CachedUncertainty({7: torch.full((3,), 0.25)})  # beta_ref = 0.25 ** 0.5
    has_rate = has_token_rate(batch(), chosen)
    relative = relative_rates(torch.full((2, 5), 4.0), has_rate, uniforms(), method=chosen, cached=cached)
    assert relative[0, 1:4].tolist() == [4, 4, 4]


def noisy_piece(chosen, piece):
    rows = {name: tensor[piece] for name, tensor in batch().items()}
    given = GivenUniforms(uniforms().times[piece], uniforms().masks[piece])
    return add_noise(random_model(), rows, given, process(chosen))


def keep(counts):
    def sum_over_processes(local):
        counts.append(local)
        return local

    return sum_over_processes


def mean_loss(chosen, pieces):
    """Compute the loss over several micro-batches as the Trainer averages it."""
    parts = normalize_weights([noisy_piece(chosen, piece) for piece in pieces], chosen)
    return sum(masked_token_loss(random_model(), part)[0] for part in parts).item() / len(parts)


@pytest.mark.parametrize("scope", ["batch", "example"])
@pytest.mark.parametrize("preset", ["sft", "weft", "weft-elbo", "cart", "sft-2x"])
def test_the_loss_does_not_depend_on_how_a_batch_is_divided(preset, scope):
    chosen = method(preset, divisor_scope=scope)
    whole, split = mean_loss(chosen, [slice(0, 2)]), mean_loss(chosen, [slice(0, 1), slice(1, 2)])
    assert split == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("scope", ["batch", "example"])
def test_the_loss_does_not_depend_on_the_number_of_processes(scope):
    chosen = method("weft", divisor_scope=scope)
    pieces = [slice(0, 1), slice(1, 2)]
    counts = []
    for piece in pieces:  # the first pass collects the counts of each process
        normalize_weights([noisy_piece(chosen, piece)], chosen, sum_over_processes=keep(counts))
    losses = [
        masked_token_loss(
            random_model(),
            normalize_weights(
                [noisy_piece(chosen, piece)],
                chosen,
                sum_over_processes=lambda _: sum(counts),
                num_processes=2,
            )[0],
        )[0]
        for piece in pieces
    ]
    assert sum(losses).item() / 2 == pytest.approx(mean_loss(chosen, [slice(0, 2)]), rel=1e-5)


def test_counting_over_micro_batches_of_one_is_counting_over_examples():
    split = [slice(0, 1), slice(1, 2)]
    over_micro = mean_loss(method("sft", divisor_scope="micro_batch"), split)
    assert over_micro == pytest.approx(mean_loss(method("sft", divisor_scope="example"), split), rel=1e-6)
    whole = mean_loss(method("sft", divisor_scope="micro_batch"), [slice(0, 2)])
    assert over_micro != pytest.approx(whole, rel=1e-3)


def test_padding_rows_count_for_nothing():
    doubled = {name: tensor.repeat(2, *[1] * (tensor.dim() - 1)) for name, tensor in batch().items()}
    doubled["is_pad_row"] = torch.tensor([False, False, True, True])
    given = GivenUniforms(uniforms().times.repeat(2), uniforms().masks.repeat(2, 1))
    for name in ("sft", "weft", "sft-2x"):
        value, noisy = step_loss(random_model(), doubled, given, process(method(name)))
        assert value.item() == pytest.approx(loss(random_model(), method(name)).item(), rel=1e-6)
        plain = noisy_batch(random_model(), method(name))
        torch.testing.assert_close(noisy.metric_sums, plain.metric_sums)
        assert noisy.num_rows == plain.num_rows == 2 * method(name).masks_per_example


@pytest.mark.parametrize("preset", ["sft", "weft"])
def test_an_example_without_answer_is_refused(preset):
    broken = batch() | {"is_maskable": torch.zeros(2, 5, dtype=torch.bool)}
    with pytest.raises(MaskingError, match=r"rows \[0, 1\]"):
        add_noise(random_model(), broken, uniforms(), process(method(preset)))


def reference(shared_data):
    from weft.model import load_model

    folder = shared_data / "reference" / "llada_small"
    stored = json.loads((folder / "losses.json").read_text())
    ids = torch.tensor(stored["clean_ids"])
    answer = torch.arange(ids.shape[1])[None] >= torch.tensor(stored["prompt_length"])[:, None]
    inputs = training_batch(ids, answer, ids == stored["pad_token_id"])
    t_min = 1e-3
    given = GivenUniforms((torch.tensor(stored["t"]) - t_min) / (1 - t_min), torch.tensor(stored["uniform"]))
    return load_model(folder), stored, inputs, given


@pytest.mark.parametrize(
    ("preset", "key"), [("sft", "sft_d1_loss"), ("gift-lift", "gift_lift_loss")], ids=["d1", "LIFT"]
)
def test_the_published_losses_are_reproduced(shared_data, preset, key):
    model, stored, inputs, given = reference(shared_data)
    value, _ = step_loss(model, inputs, given, process(method(preset), stored["mask_token_id"]))
    # A few units in the last place of fp32, since processors add up in different orders.
    assert value.item() == pytest.approx(stored[key], rel=2e-6)


def test_the_published_entropies_and_rates_are_reproduced(shared_data):
    model, stored, inputs, given = reference(shared_data)
    chosen = method("gift-lift")
    has_rate = has_token_rate(inputs, chosen)
    uncertainty = probe_uncertainty(model, inputs, method=chosen, mask_token_id=stored["mask_token_id"])
    relative = relative_rates(uncertainty, has_rate, given, method=chosen)
    for computed, key in (
        (uncertainty, "gift_lift_token_entropy"),
        (1 - (1 - torch.tensor(stored["t"])[:, None]) ** relative, "gift_lift_token_masking_rate"),
    ):
        expected = torch.tensor(stored[key])[has_rate]
        torch.testing.assert_close(computed[has_rate], expected, atol=1e-5, rtol=1e-5)


def test_sft_loss_equals_a_plain_transcription_of_the_published_step(model, tokenizer):
    ids = torch.randint(0, 300, (3, 20))
    answer = torch.arange(20).expand(3, 20) >= torch.tensor([4, 6, 8])[:, None]
    inputs = training_batch(ids, answer)
    given = GivenUniforms(torch.rand(3), torch.rand(3, 20))
    value, _ = step_loss(model, inputs, given, process(method("sft"), tokenizer.mask_token_id))
    t = (1 - 1e-3) * given.times + 1e-3
    masked = (given.masks < t[:, None]) & answer
    logits = model(input_ids=torch.where(masked, tokenizer.mask_token_id, ids)).logits
    nll = F.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="none").reshape(ids.shape)
    expected = (nll * masked / t[:, None]).sum() / answer.sum()
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)


class LargestTensor(TorchDispatchMode):
    """Records the size of the largest tensor that any operation returns."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
        self.numel = max([self.numel, *sizes])
        return result


@pytest.mark.parametrize("preset", ["sft", "weft", "weft-nll", "sft-2x"])
def test_no_tensor_of_a_step_has_logits_at_more_positions_than_a_chunk(model, tokenizer, monkeypatch, preset):
    monkeypatch.setattr("weft.model.head.HEAD_CHUNK", 8)
    rows, length, vocab = 4, 40, len(tokenizer)
    is_answer = (torch.arange(length) >= 4).expand(rows, length)
    inputs = training_batch(torch.randint(0, vocab - 100, (rows, length)), is_answer)
    given = GivenUniforms(torch.full((rows,), 0.99), torch.rand(rows, length))  # nearly all is masked
    with LargestTensor() as largest:
        value, _ = step_loss(model, inputs, given, process(method(preset), tokenizer.mask_token_id))
        value.backward()
    model.zero_grad()
    parameters = max(parameter.numel() for parameter in model.parameters())
    activations = 2 * rows * length * 96  # two masks of every example, the feed-forward's width
    assert largest.numel <= max(8 * vocab, parameters, activations) < rows * length * vocab / 2
