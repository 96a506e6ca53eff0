import pytest
import torch

from weft.config.methods import Method
from weft.data.collate import PadToLength
from weft.data.encoding import encode_example
from weft.errors import ConfigError
from weft.records import Example
from weft.trace.example import view_example
from weft.training.objective import ForwardProcess, add_noise
from weft.training.uniforms import KeyedUniforms

EXAMPLE = Example(example_id="ab", question="Tom has 5 pens. How many?", answer="5+4=9 é", source="s")
METHODS = {name: Method.model_validate({"preset": name}) for name in ("sft", "weft", "weft-permuted")}


@pytest.fixture
def view(tokenizer, model):
    """Return a function that describes the example."""

    def view(max_length=60, methods=METHODS, model=model, t=0.5, seed=1, layout="exact"):
        encoded = encode_example(tokenizer, EXAMPLE, layout=layout)
        return view_example(
            encoded, tokenizer, max_length=max_length, methods=methods, t=t, seed=seed, model=model
        )

    return view


def test_the_tokens_are_those_of_training_with_their_parts(view, tokenizer):
    encoded = encode_example(tokenizer, EXAMPLE)
    shown = view()
    batch = PadToLength(max_length=60, pad_token_id=tokenizer.pad_token_id)([encoded])
    assert list(shown.token_ids) == batch["clean_ids"][0].tolist()
    assert shown.boundary == len(encoded["prompt_ids"]) == shown.count("prompt")
    assert [part == "padding" for part in shown.parts] == batch["is_padding"][0].tolist()
    assert [part != "prompt" for part in shown.parts] == batch["is_maskable"][0].tolist()
    assert shown.text_of("answer") == "5+4=9 é<|eot_id|>"
    assert shown.text_of("prompt").endswith(
        "How many?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_the_masks_and_rates_are_those_of_training_at_this_time(view, tokenizer, model):
    batch = PadToLength(max_length=60, pad_token_id=tokenizer.pad_token_id)(
        [encode_example(tokenizer, EXAMPLE)]
    )
    uniforms = KeyedUniforms(seed=7, epoch=0, example_keys=batch["example_key"], length=60)
    t = float(uniforms.time(0)) * 0.999 + 0.001
    shown = view(t=t, seed=7)
    for name, method in METHODS.items():
        process = ForwardProcess(method=method, t_min=0.001, mask_token_id=tokenizer.mask_token_id)
        noisy = add_noise(model, batch, uniforms, process)
        is_masked = noisy.noisy_ids[0] == tokenizer.mask_token_id
        assert is_masked.any()
        assert list(shown.masks[name].is_masked) == is_masked.tolist()
    weft, sft = shown.masks["weft"], shown.masks["sft"]
    weights = torch.where(torch.tensor(weft.is_masked), 1 / torch.tensor(weft.rate).clamp(min=1e-9), 0.0)
    noisy = add_noise(
        model, batch, uniforms,
        ForwardProcess(method=METHODS["weft"], t_min=0.001, mask_token_id=tokenizer.mask_token_id),
    )  # fmt: skip
    assert torch.allclose(noisy.weight[0], weights, rtol=1e-3)
    assert {round(rate, 5) for rate in sft.rate} == {0.0, round(t, 5)}
    assert not sft.uncertainty
    assert len({weft.rate[index] for index, part in enumerate(shown.parts) if part == "answer"}) > 2


def test_without_a_model_only_methods_without_rates_draw_masks(view):
    shown = view(model=None)
    assert list(shown.masks) == ["sft"]
    assert shown.unknown == ["weft", "weft-permuted"]


def test_what_exceeds_the_limit_is_cut_off(view):
    whole = view()
    length = whole.boundary + whole.count("answer")
    shown = view(max_length=length - 2)
    assert (shown.count("cut off"), shown.count("padding"), shown.is_too_long) == (2, 0, False)
    assert len(shown.masks["sft"].is_masked) == length - 2
    shown = view(max_length=whole.boundary)
    assert (shown.is_too_long, shown.masks) == (True, {})
    assert not view(max_length=whole.boundary + 1).is_too_long


def test_a_method_whose_rates_depend_on_the_whole_data_set_is_refused(view):
    method = Method.model_validate({"preset": "weft-frozen", "reference": "dataset"})
    with pytest.raises(ConfigError, match="'mine' with reference 'dataset'"):
        view(methods={"mine": method})


def test_padding_that_a_method_does_not_mask_has_no_rate(view):
    shown = view(methods={"gift": Method.model_validate({"preset": "gift-lift"})}, t=0.99)
    padding = [index for index, part in enumerate(shown.parts) if part == "padding"]
    assert not any(shown.masks["gift"].is_masked[index] for index in padding)
    assert {shown.masks["gift"].rate[index] for index in padding} == {0.0}
