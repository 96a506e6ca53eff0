from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM

from tests.unit.sampling.conftest import PROMPTS
from weft.errors import SamplingError
from weft.model import Prediction
from weft.sampling import generate
from weft.sampling.models import find_device

SHAPE = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


@pytest.fixture
def settings(tokenizer):
    return {
        "gen_length": 12,
        "block_length": 4,
        "diffusion_steps": 6,
        "mask_token_id": tokenizer.mask_token_id,
    }


class OwnNetwork(nn.Module):
    """A network that knows nothing of the sampler: it returns the logits of all positions."""

    def __init__(self, model, form=lambda logits: SimpleNamespace(logits=logits)):
        super().__init__()
        self.inner, self.form = model, form
        self.eval()

    def forward(self, input_ids, attention_mask=None, **_):
        return self.form(self.inner(input_ids=input_ids, attention_mask=attention_mask).logits)


FORMS = {
    "an object with logits": lambda logits: SimpleNamespace(logits=logits),
    "a tensor": lambda logits: logits,
    "a prediction": lambda logits: Prediction(logits=logits),
}


@pytest.mark.parametrize("change", [
    {}, {"temperature": 0.7}, {"cfg_scale": 1.3}, {"remasking": "random"}, {"confidence_threshold": 0.2},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("form", FORMS)
def test_a_network_that_returns_all_logits_gives_the_tokens_of_the_mask_predictor(
    model, settings, form, change
):
    settings |= change
    own = OwnNetwork(model, FORMS[form])
    assert generate(own, PROMPTS, **settings) == generate(model, PROMPTS, **settings)
    assert generate(own, PROMPTS, batch_size=2, **settings) == generate(model, PROMPTS, **settings)


def test_a_function_may_be_the_model(model, settings):
    def call(**given):
        return model(input_ids=given["input_ids"], attention_mask=given["attention_mask"])

    assert generate(call, PROMPTS, **settings) == generate(model, PROMPTS, **settings)


class PublishedClass(nn.Module):
    """Has the arguments of LLaDA's published class."""

    def forward(self, input_ids, inputs_embeds=None, attention_mask=None, attention_bias=None, labels=None):
        raise AssertionError("it must not be called")


def transformers_model(kind):
    if kind == "bert":
        return BertForMaskedLM(BertConfig(vocab_size=400, **SHAPE)).eval()
    return LlamaForCausalLM(LlamaConfig(vocab_size=400, **SHAPE)).eval()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: transformers_model("llama"),
            "got LlamaForCausalLM of transformers; .*load_model",
        ),
        (lambda: transformers_model("bert"), "got BertForMaskedLM of transformers; .*load_model"),
        (PublishedClass().eval, "got PublishedClass without position_ids, logits_positions, .*load_model"),
        (lambda: lambda ids: SimpleNamespace(logits=ids), "must accept the keywords .* got function without"),
        (lambda: "experiments/tiny-base", "got the text 'experiments/tiny-base'; .*load_model"),
        (lambda: None, "must be a mask predictor, got NoneType"),
        (lambda: {"logits": 1}, "must be a mask predictor, got dict"),
    ],
    ids=["causal", "bidirectional", "published", "logits only", "path", "none", "dictionary"],
)
@pytest.mark.usefixtures("without_type_checks")
def test_a_model_that_cannot_be_called_is_refused_with_the_way_to_load_it(settings, make, message):
    with pytest.raises(SamplingError, match=message):
        generate(make(), PROMPTS, **settings)


def test_a_model_of_transformers_inside_a_wrapper_is_refused(settings):
    wrapped = nn.DataParallel(transformers_model("llama")).eval()
    with pytest.raises(SamplingError, match="LlamaForCausalLM of transformers"):
        generate(wrapped, PROMPTS, **settings)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (lambda logits: None, "got NoneType with neither logits nor outputs"),
        (lambda logits: (logits,), "got tuple with neither"),
        (lambda logits: {"logits": logits}, "got dict with neither"),
        (lambda logits: logits[:, :3], r"5 x 21 x vocabulary, .* got Tensor with shape 5 x 3 x 400"),
        (
            lambda logits: Prediction(outputs=logits[0, :1, :2]),
            "got Prediction with outputs of shape 1 x 2",
        ),
    ],
    ids=["nothing", "tuple", "dictionary", "too few positions", "outputs of other positions"],
)
def test_an_output_of_another_form_is_refused(model, settings, form, message):
    with pytest.raises(SamplingError, match=f"the model must return logits .*{message}"):
        generate(OwnNetwork(model, form), PROMPTS, **settings)


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=str)
@pytest.mark.parametrize("change", [{}, {"temperature": 0.7}, {"remasking": "random"}, {"kv_cache": "dual"}])
def test_logits_that_are_not_numbers_are_an_error_and_no_text(model, settings, monkeypatch, value, change):
    def spoil(module, args, output):
        output[:, -1] = value
        return output

    handle = model.model.layers[0].register_forward_hook(spoil)
    try:
        with pytest.raises(SamplingError, match=r"logits must be numbers, got NaN .* block 1 .* to prompt 2"):
            generate(model, PROMPTS, batch_size=1, **settings | change)
    finally:
        handle.remove()


def test_with_guidance_both_passes_must_give_numbers(model, settings):
    own = OwnNetwork(model, lambda logits: logits.clone().fill_(float("nan")))
    with pytest.raises(SamplingError, match="logits must be numbers"):
        generate(own, PROMPTS, cfg_scale=1.0, **settings)


def test_minus_infinity_forbids_a_token_without_an_error(model, settings):
    def forbid(logits):
        logits[..., 11] = -torch.inf
        return logits

    answers = generate(OwnNetwork(model, forbid), PROMPTS, **settings)
    assert all(11 not in answer for answer in answers)


def test_the_device_is_that_of_the_model_or_of_its_parameters(model):
    assert find_device(model) == model.device
    assert find_device(nn.Linear(1, 1, device="meta")).type == "meta"
    assert find_device(lambda: None).type == "cpu"
