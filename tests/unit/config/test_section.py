import pytest

from weft.config.section import Section, validate
from weft.config.yaml_file import read_yaml
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


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 5000, id="deeply nested"),
        pytest.param("!!timestamp x", id="no time"),
        pytest.param("!!bool x", id="no Boolean"),
        pytest.param("!!map x", id="no mapping"),
    ],
)
def test_a_value_that_yaml_cannot_build_is_an_error_that_names_the_file(tmp_path, text):
    path = tmp_path / "x.yaml"
    path.write_text(f"size: {text}\n")
    with pytest.raises(ConfigError, match=r"x\.yaml must be YAML"):
        read_yaml(path)


def test_a_key_of_the_whole_experiment_in_one_of_its_sections_is_explained():
    class Large(Section):
        training: Small

    for key, advice in (("too_long", "; this key stands at the top of the file"), ("colour", "\n")):
        with pytest.raises(ConfigError, match=f"training.{key}: unknown key, got 'x'{advice}"):
            validate(Large, {"training": {"size": 1, key: "x"}}, origin="f")
    with pytest.raises(ConfigError, match="too_long: unknown key, got 'x'\n"):
        validate(Small, {"size": 1, "too_long": "x"}, origin="f")


def test_an_integer_that_python_does_not_write_is_an_error(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text(f"colour: 0x{'f' * 5000}\n")
    with pytest.raises(ConfigError, match=r"line 1: expected a number of at most 100 digits, got 5002 char"):
        read_yaml(path)
    with pytest.raises(ConfigError, match="colour: unknown key, got a very large number"):
        validate(Small, {"colour": 16**5000}, origin="x")
