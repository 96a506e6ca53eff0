import pytest

from weft.config.yaml_file import read_yaml, read_yaml_file
from weft.errors import ConfigError


def read(tmp_path, text, *, encoding="utf-8"):
    path = tmp_path / "x.yaml"
    path.write_bytes(text.encode(encoding))
    return read_yaml(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("2E5", 2e5),
        ("1.E-3", 1e-3),
        (".5", 0.5),
        ("+3", 3),
        ("1_000", 1000),
        ("0x1F", 31),
        ("0o17", 15),
        ("0b101", 5),
        ("-.inf", -float("inf")),
        ("yes", True),
        ("off", False),
        ("~", None),
        ("", None),
        # Texts, some of which are numbers or dates in YAML 1.1.
        ("010", "010"),
        ("1:36", "1:36"),
        ("2024-01-01", "2024-01-01"),
        ("1e4f7bc2", "1e4f7bc2"),
        ("0,001", "0,001"),
        ("1_", "1_"),
        ("1e–4", "1e–4"),
        ("٣", "٣"),
        ("=", "="),
        ("y", "y"),
        ('"5"', "5"),
    ],
)
def test_a_value_is_the_one_that_its_author_meant(tmp_path, text, value):
    read_value = read(tmp_path, f"key: {text}\n")["key"]
    assert (type(read_value), read_value) == (type(value), value)


def test_keys_are_texts(tmp_path):
    assert read(tmp_path, "on: 1\n2024_01: 2\n007: 3\nnull: 4\n") == {
        "on": 1,
        "2024_01": 2,
        "007": 3,
        "null": 4,
    }


def test_merge_keys_and_anchors(tmp_path):
    text = """
x-common: &common {seed: 1, size: 9}
x-other: &other {seed: 2, colour: red}
one: {<<: *common, seed: 5}
two: {seed: 6, <<: [*common, *other]}
three: *common
"""
    assert read(tmp_path, text) == {
        "one": {"seed": 5, "size": 9},
        "two": {"seed": 6, "size": 9, "colour": "red"},
        "three": {"seed": 1, "size": 9},
    }


def test_the_content_does_not_depend_on_line_ends_and_byte_order_mark(tmp_path):
    text = "one:\n  - 1\n  - two\nlast: |\n  a\n  b\n"
    content = read(tmp_path, text)
    assert content == {"one": [1, "two"], "last": "a\nb\n"}
    for other in (text.replace("\n", "\r\n"), text.replace("\n", "\r")):
        assert read(tmp_path, other) == content
    assert read(tmp_path, text, encoding="utf-8-sig") == content


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "x.yaml, line 3: key given twice: 'a', which line 1 has as well"),
        ("a:\n  c: 1\n  d: 2\n  c: 3\n", "x.yaml, line 4: key given twice: 'c', which line 2 has"),
        ("a: {<<: {b: 1}, <<: {b: 2}}\n", "line 1: key given twice: '<<'"),
        ("'1': a\n1: b\n", "line 2: key given twice: '1'"),
        ("a:\n\tb: 1\n", "must be YAML: line 2, column 1: .*; indent with spaces; correct the file"),
        ("a: [1, 2\nb: 3\n", "must be YAML: line 2, column 2"),
        ("a: {<<: 5}\n", "must be YAML: line 1, column 9: .*expected a mapping"),
        ("a: *b\n", "must be YAML: line 1, column 4: found undefined alias 'b'"),
        ("a: !new 1\n", "must be YAML: line 1, column 4: .*'!new'"),
        ("[a]: 1\n", "must be YAML: line 1, column 1: .*unhashable key"),
        ("- a\n", "must be a mapping of keys to values"),
        ("", "must be a mapping of keys to values, got None"),
    ],
)
def test_an_error_names_the_line(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read(tmp_path, text)
    assert "<unicode string>" not in str(caught.value)


@pytest.mark.parametrize("value", ["“<reasoning>”", "„x“", "«x»", "‘x’", "“x", "x”", "“a” or “b”"])
def test_typographic_quotes_around_a_value_are_refused(tmp_path, value):
    with pytest.raises(ConfigError, match=r"x.yaml, line 2: expected straight quotes"):
        read(tmp_path, f"a: 1\nb: [{value}]\n")


@pytest.mark.parametrize("value", ["“WeFT” and SFT", "a “word” in it", "the authors’ numbers", "5″", "'“x”'"])
def test_typographic_quotes_inside_a_text_are_part_of_it(tmp_path, value):
    assert read(tmp_path, f"a: {value}\n")["a"] == value.strip("'")


def test_places_and_texts_as_written_are_known(tmp_path):
    base, mine = tmp_path / "base.yaml", tmp_path / "mine.yaml"
    base.write_text("x-c: &c\n  deep: 007\nname: base\nlist:\n  - 1\n  - {<<: *c, key: on}\n")
    mine.write_text("# a comment\nname: 2024_01\nquoted: '1'\n")
    file = read_yaml_file(mine).over(read_yaml_file(base))
    assert file.content == {"name": 202401, "quoted": "1", "list": [1, {"deep": "007", "key": True}]}
    assert file.place(["name"]) == "line 2, "
    assert file.place(["list", 1, "key"]) == f"line 6 of {base}, "
    assert file.place(["list", 1, "deep"]) == f"line 2 of {base}, "
    assert file.place(["list", 2]) == file.place(["nothing"]) == file.place([]) == ""
    assert file.written(["name"]) == "2024_01"
    assert file.written(["list", 1, "key"]) == "on"
    assert file.written(["quoted"]) is None
    assert file.written(["list"]) is None


def test_an_alias_inside_its_own_value_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"x\.yaml, line 1: expected a value that does not contain itself"):
        read(tmp_path, "a: &a [1, *a]\n")
