import pytest

from weft.config.section import Section, validate
from weft.errors import ConfigError


class Small(Section):
    size: int


def test_sections_refuse_unknown_keys_and_do_not_change():
    small = validate(Small, {"size": 1}, origin="x")
    with pytest.raises(ConfigError, match=r"(?s)x is not valid.*colour: unknown key"):
        validate(Small, {"size": 1, "colour": "red"}, origin="x")
    with pytest.raises(ValueError, match="frozen"):
        small.size = 2


def test_long_values_are_cut_in_messages():
    with pytest.raises(ConfigError) as caught:
        validate(Small, {"size": "x" * 5000}, origin="x")
    assert len(str(caught.value)) < 400
