import pytest
from pydantic import ValidationError

from weft.config import Method
from weft.config.methods import NEEDS, PRESETS


def method(preset, **changes):
    return Method.model_validate({"preset": preset} | changes)


def test_presets_sft_and_weft_are_those_of_the_paper():
    sft, weft = method("sft"), method("weft")
    assert (sft.rate_source, sft.masking, sft.divisor) == ("none", "uniform", "answer_tokens")
    assert (weft.rate_source, weft.masking, weft.divisor, weft.exponent) == (
        "entropy",
        "token",
        "masked_tokens",
        0.5,
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_may_be_written_out(preset):
    row = method(preset)
    assert method(**row.model_dump()) == row


@pytest.mark.parametrize(
    ("preset", "differences"),
    [
        ("weft-raw", {"exponent"}),
        ("weft-nll", {"rate_source"}),
        ("weft-sw", {"masking", "weight"}),
        ("weft-frozen", {"probe_model"}),
        ("weft-refreshed", {"probe_model"}),
        ("weft-elbo", {"weight", "divisor"}),
        ("weft-noweight", {"weight"}),
        ("weft-permuted", {"permuted"}),
    ],
)
def test_an_ablation_differs_from_weft_in_the_named_settings(preset, differences):
    row, weft = method(preset).model_dump(), method("weft").model_dump()
    assert {key for key in row if row[key] != weft[key]} == differences | {"preset"}


def test_a_key_beside_the_preset_replaces_its_value():
    assert method("weft", exponent=1.0).exponent == 1.0


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("sft", {"masking": "token"}, "rate_source .* got 'none'"),
        ("sft", {"weight": "relative"}, "rate_source .* got 'none'"),
        ("weft", {"masking": "uniform"}, "rate_source .* got 'entropy'"),
        ("sft", {"weight": "elbo"}, "weight .* got 'elbo'"),
        ("sft", {"padding_masked": False}, "padding_masked .* got false"),
        ("weft", {"padding_reference": True, "padding_probed": False}, "padding_probed .* True and False"),
        ("weft", {"reference": "dataset"}, "probe_model .* got 'live'"),
        ("weft-frozen", {"probe_dropout": True}, "probe_model .* got 'frozen'"),
        ("sft", {"t_sampling": "complementary"}, "masks_per_example .* got 1"),
        ("sft", {"exponent": 1.0}, r"got \['exponent'\]"),
        ("sft", {"permuted": True, "cart_p": 0.3}, r"got \['cart_p', 'permuted'\]"),
        ("weft", {"refresh_epochs": 3}, r"got \['refresh_epochs'\]"),
        ("weft-noweight", {"max_weight": 5.0}, r"got \['max_weight'\]"),
        ("weft", {"exponent": -1.0}, r"exponent\n.*input_value=-1.0"),
        ("weft", {"temperature": 1.0}, r"temperature\n.*input_value=1.0"),
        ("wefd", {}, r"preset\n.*input_value='wefd'"),
    ],
)
def test_inconsistent_settings_are_refused(preset, changes, message):
    with pytest.raises(ValidationError, match=message):
        method(preset, **changes)


def test_a_setting_without_effect_may_have_the_value_of_the_preset():
    assert method("sft", exponent=0.5) == method("sft")


def test_settings_that_may_have_no_effect_are_settings():
    assert NEEDS.keys() <= Method.model_fields.keys()
