import pytest
from pydantic import ValidationError

from weft.config import Method
from weft.config.methods import NEEDS, PRESETS


def method(preset, **changes):
    return Method.model_validate({"preset": preset} | changes)


def test_the_two_rows_of_the_paper():
    sft, weft = method("sft"), method("weft")
    assert (sft.rate_source, sft.masking, sft.divisor) == ("none", "uniform", "answer_tokens")
    assert (weft.rate_source, weft.masking, weft.divisor, weft.exponent) == (
        "entropy",
        "token",
        "masked_tokens",
        0.5,
    )


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_whole_row_that_may_be_written_out(preset):
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
def test_an_ablation_differs_from_weft_in_what_its_name_says(preset, differences):
    row, weft = method(preset).model_dump(), method("weft").model_dump()
    assert {key for key in row if row[key] != weft[key]} == differences | {"preset"}


def test_a_key_beside_the_preset_replaces_its_value():
    assert method("weft", exponent=1.0).exponent == 1.0


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("sft", {"masking": "token"}, "a rate_source when masking is 'token'"),
        ("sft", {"weight": "relative"}, "a rate_source when .* weight is 'relative'"),
        ("weft", {"masking": "uniform"}, "rate_source 'none' when masking is 'uniform'"),
        ("sft", {"weight": "elbo"}, "there 'elbo' is the same"),
        ("sft", {"padding_masked": False}, "padding_masked where padding_in_loss"),
        ("weft", {"padding_reference": True, "padding_probed": False}, "padding_masked and padding_probed"),
        ("weft", {"reference": "dataset"}, "'frozen' or 'refreshed' when reference is 'dataset'"),
        ("weft-frozen", {"probe_dropout": True}, "probe_model 'live' when probe_dropout"),
        ("sft", {"t_sampling": "complementary"}, "masks_per_example: 2"),
        ("sft", {"exponent": 1.0}, r"have an effect .* not \['exponent'\]"),
        ("sft", {"permuted": True, "cart_p": 0.3}, r"not \['cart_p', 'permuted'\]"),
        ("weft", {"refresh_epochs": 3}, r"not \['refresh_epochs'\]"),
        ("weft-noweight", {"max_weight": 5.0}, r"not \['max_weight'\]"),
        ("weft", {"exponent": -1.0}, "greater than or equal to 0"),
        ("weft", {"temperature": 1.0}, "Extra inputs are not permitted"),
        ("wefd", {}, "Input should be 'sft'"),
    ],
)
def test_a_row_that_means_nothing_is_refused(preset, changes, message):
    with pytest.raises(ValidationError, match=message):
        method(preset, **changes)


def test_what_has_no_effect_may_stand_there_with_the_rows_own_value():
    assert method("sft", exponent=0.5) == method("sft")


def test_every_setting_that_may_be_idle_is_a_setting():
    assert NEEDS.keys() <= Method.model_fields.keys()
