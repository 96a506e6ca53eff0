import re

import pytest
import torch
from torch import nn

from tests.support.batches import MASK, PAD, batch, method, random_model
from tests.support.models import ScriptedModel
from weft.errors import ConfigError, MaskingError
from weft.model import Prediction
from weft.training.probe import UNCERTAINTIES, probe_uncertainty


def test_the_probe_masks_every_token_of_the_answer():
    model = random_model()
    probe_uncertainty(model, batch(), method=method(), mask_token_id=MASK)
    assert model.calls[0].tolist() == [[1, MASK, MASK, MASK, MASK], [5, 6, MASK, MASK, MASK]]


def test_padding_is_visible_in_the_probe_only_if_the_method_says_so():
    model = random_model()
    probe_uncertainty(model, batch(), method=method("gift-lift"), mask_token_id=MASK)
    assert model.calls[0].tolist() == [[1, MASK, MASK, MASK, PAD], [5, 6, MASK, PAD, PAD]]


@pytest.mark.parametrize(("preset", "expected"), [("weft", [False]), ("gift-lift", [True])])
def test_dropout_in_the_probe_is_off_unless_the_method_keeps_it(preset, expected):
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


def test_the_uncertainty_is_entropy_or_negative_log_likelihood():
    logits = torch.randn(5, 10)
    model = ScriptedModel(logits)
    entropy = probe_uncertainty(model, batch(), method=method("weft"), mask_token_id=MASK)
    nll = probe_uncertainty(model, batch(), method=method("weft-nll"), mask_token_id=MASK)
    log_p = logits.log_softmax(-1)
    assert entropy[0, 1].item() == pytest.approx(-(log_p[1].exp() * log_p[1]).sum().item(), rel=1e-5)
    # The tokens 2, 3, 4 of the first example and 7 of the second, at the positions 1, 2, 3 and 2.
    expected = -log_p[[1, 2, 3, 2], [2, 3, 4, 7]]
    torch.testing.assert_close(nll[nll > 0], expected)
    assert entropy[0, 0] == 0  # the prompt
    assert entropy[0, 4] == 0  # padding has no token rate, so the head is not called there


def test_no_gradient_flows_through_the_probe():
    model = ScriptedModel(torch.randn(5, 10, requires_grad=True))
    assert not probe_uncertainty(model, batch(), method=method(), mask_token_id=MASK).requires_grad


def test_the_probe_refuses_an_example_without_answer():
    broken = batch() | {"is_maskable": batch()["is_padding"]}
    with pytest.raises(MaskingError, match=r"rows \[0, 1\]"):
        probe_uncertainty(random_model(), broken, method=method("gift-lift"), mask_token_id=MASK)


@pytest.mark.parametrize("source", ["none", "unheard of"])
def test_an_unknown_uncertainty_is_refused_with_a_list_of_the_known(source):
    chosen = method().model_copy(update={"rate_source": source})
    with pytest.raises(ConfigError, match=rf"{re.escape(str(sorted(UNCERTAINTIES)))}.*{source}"):
        probe_uncertainty(random_model(), batch(), method=chosen, mask_token_id=MASK)
