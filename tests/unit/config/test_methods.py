import pytest
from pydantic import ValidationError

from weft.config import Method


def test_the_two_rows_of_the_paper():
    sft, weft = (Method.model_validate({"preset": name}) for name in ("sft", "weft"))
    assert (sft.rate_source, sft.masking, sft.divisor) == ("none", "uniform", "answer_tokens")
    assert (weft.rate_source, weft.masking, weft.divisor, weft.exponent) == (
        "entropy",
        "token",
        "masked_tokens",
        0.5,
    )


def test_a_key_beside_the_preset_replaces_its_value():
    assert Method.model_validate({"preset": "weft", "exponent": 1.0}).exponent == 1.0


def test_token_rates_need_a_source():
    with pytest.raises(ValidationError, match="rate_source other than 'none'"):
        Method.model_validate({"preset": "sft", "masking": "token"})
