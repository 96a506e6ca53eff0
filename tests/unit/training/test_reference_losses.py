"""Losses against those that the plain objective computed, on every clone."""

import pytest
import torch

from tests.support.batches import step_loss
from weft.config.methods import PRESETS, Method
from weft.diffusion import token_masking_rate
from weft.training.objective import ForwardProcess, relative_rates
from weft.training.probe import has_token_rate, probe_uncertainty
from weft.verify.formula import FAMILIES, case_batch, formula_case, formula_model, plain_predictor
from weft.verify.plain.objective import METHODS, T_MIN, plain_loss
from weft.verify.stored import stored_losses
from weft.verify.uniforms import GivenUniforms

STORED = stored_losses()
CASE = formula_case()
SAME_LOSS_AS_WEFT = {"weft-frozen", "weft-refreshed"}
NEEDS_RANDOM_ORDER = {"weft-permuted"}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def model(family):
    return formula_model(family)


@pytest.fixture
def batch():
    return case_batch(CASE)


UNIFORMS = GivenUniforms(torch.tensor(CASE.time_uniforms), torch.tensor(CASE.mask_uniforms))


def test_every_method_has_a_reference():
    assert set(METHODS) | SAME_LOSS_AS_WEFT | NEEDS_RANDOM_ORDER == set(PRESETS)


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_is_that_of_the_plain_objective(model, family, batch, name):
    method = Method.model_validate({"preset": name})
    process = ForwardProcess(method=method, t_min=T_MIN, mask_token_id=CASE.mask_id)
    loss, _ = step_loss(model, batch, UNIFORMS, process)
    assert loss.item() == pytest.approx(STORED.of_family(family).losses[name], rel=1e-5)


def test_the_masking_rates_are_those_of_the_plain_objective(model, family, batch):
    method = Method.model_validate({"preset": "weft"})
    uncertainty = probe_uncertainty(model, batch, method=method, mask_token_id=CASE.mask_id)
    relative = relative_rates(uncertainty, has_token_rate(batch, method), UNIFORMS, method=method)
    t = (1 - T_MIN) * UNIFORMS.times + T_MIN
    computed = token_masking_rate(t, relative, min_rate=method.min_token_masking_rate)
    is_answer = batch["is_maskable"] & ~batch["is_padding"]
    expected = [rate for row in STORED.of_family(family).weft_masking_rates for rate in row]
    assert computed[is_answer].tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ["sft", "weft"])
def test_the_stored_losses_are_those_of_the_plain_objective(family, name):
    assert plain_loss(plain_predictor(family), CASE, name) == pytest.approx(
        STORED.of_family(family).losses[name]
    )
