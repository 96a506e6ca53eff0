import json
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from weft.config.methods import Method
from weft.diffusion import inverse_rate, mask_tokens, masked_loss, relative_rate, token_masking_rate
from weft.errors import MaskingError
from weft.testing.models import ScriptedModel
from weft.training.objective import diffusion_loss, probe_entropy

MASK, PAD = 9, 8


def method(preset="weft", **changes):
    return Method.model_validate({"preset": preset} | changes)


def batch():
    clean = torch.tensor([[1, 2, 3, 4, PAD], [5, 6, 7, PAD, PAD]])
    maskable = torch.tensor([[False, True, True, True, True], [False, False, True, True, True]])
    return {"clean_ids": clean, "is_maskable": maskable, "is_padding": clean == PAD}


def draws(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(2, generator=generator), torch.rand(2, 5, generator=generator)


def loss(predictor, chosen, seed=0):
    return diffusion_loss(predictor, batch(), draws(seed), method=chosen, t_min=1e-3, mask_token_id=MASK)


def random_model(seed=0):
    return ScriptedModel(torch.randn(5, 10, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("seed", range(5))
def test_equal_entropies_give_sft_to_the_bit(seed):
    model = ScriptedModel(torch.zeros(5, 10))  # every position equally unsure
    weft = method("weft", divisor="answer_tokens", padding_reference=True)
    assert loss(model, weft, seed)[0].item() == loss(model, method("sft"), seed)[0].item()


def test_the_probe_sees_no_token_of_the_answer():
    model = random_model()
    probe_entropy(model, batch()["clean_ids"], batch()["is_maskable"], mask_token_id=MASK)
    assert model.calls[0].tolist() == [[1, MASK, MASK, MASK, MASK], [5, 6, MASK, MASK, MASK]]


def test_the_probe_leaves_dropout_off_and_the_model_in_training_mode():
    class Dropping(nn.Module):
        def __init__(self):
            super().__init__()
            self.modes = []

        def forward(self, input_ids, at):
            self.modes.append(self.training)
            return SimpleNamespace(logits=torch.randn(int(at.sum()), 10))

    model = Dropping().train()
    probe_entropy(model, batch()["clean_ids"], batch()["is_maskable"], mask_token_id=MASK)
    assert model.modes == [False]
    assert model.training


def test_unsure_tokens_are_masked_more_often():
    logits = torch.zeros(5, 10)
    logits[2, 0] = 6.0  # position 2 is nearly certain
    model, counts = ScriptedModel(logits), torch.zeros(5)
    for seed in range(300):
        model.calls.clear()
        loss(model, method(), seed)
        counts += (model.calls[1][0] == MASK).float()
    assert counts[2] < 0.6 * counts[1]
    assert counts[0] == 0  # the prompt


def test_padding_is_masked_at_rate_t_unless_asked_otherwise():
    logits = torch.zeros(5, 10)
    logits[3:, PAD] = 9.0  # sure of the padding
    model, alike, drawn_in = ScriptedModel(logits), 0.0, 0.0
    for seed in range(300):
        for chosen in (method(), method(padding_reference=True)):
            model.calls.clear()
            loss(model, chosen, seed)
            count = (model.calls[1][0, 4] == MASK).item()
            alike, drawn_in = (
                (alike, drawn_in + count) if chosen.padding_reference else (alike + count, drawn_in)
            )
    assert alike > 120
    assert drawn_in < 60


def test_what_is_logged():
    _, record = loss(random_model(), method())
    assert 0 <= record.masked_share <= 1
    assert record.mean_entropy is not None
    assert loss(random_model(), method("sft"))[1].mean_entropy is None


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
    return load_model(folder), stored, ids, answer


def test_sft_loss_equals_d1s_trainer(shared_data):
    model, stored, ids, answer = reference(shared_data)
    t, t_min = torch.tensor(stored["t"]), 1e-3
    inputs = {"clean_ids": ids, "is_maskable": answer, "is_padding": ids == stored["pad_token_id"]}
    draws = ((t - t_min) / (1 - t_min), torch.tensor(stored["uniform"]))
    value, _ = diffusion_loss(
        model, inputs, draws, method=method("sft"), t_min=t_min, mask_token_id=stored["mask_token_id"]
    )
    assert value.item() == pytest.approx(stored["sft_d1_loss"], abs=1e-5)


def test_weft_loss_equals_an_independent_trainer_in_its_reading(shared_data):
    model, stored, ids, answer = reference(shared_data)
    answer = answer & (ids != stored["pad_token_id"])  # that trainer leaves padding out and visible
    mask_id = stored["mask_token_id"]
    entropy = probe_entropy(model, ids, answer, mask_token_id=mask_id)
    ratio = relative_rate(entropy, answer, exponent=0.5, reference="batch")
    rate = token_masking_rate(torch.tensor(stored["t"]), ratio, min_rate=1e-6)
    noisy, masked = mask_tokens(ids, rate, torch.tensor(stored["uniform"]), answer, mask_token_id=mask_id)
    nll = F.cross_entropy(model(input_ids=noisy, at=masked).logits, ids[masked], reduction="none")
    value = masked_loss(nll, inverse_rate(rate, masked), masked, answer, divisor="masked_tokens")
    assert value.item() == pytest.approx(stored["gift_lift_loss"], abs=1e-5)
    published = torch.tensor(stored["gift_lift_token_masking_rate"])
    torch.testing.assert_close(rate[answer], published[answer], atol=1e-5, rtol=1e-5)
