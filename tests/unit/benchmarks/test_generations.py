import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from weft.benchmarks.generations import Generation, make_example_id, read_generations
from weft.errors import ScoringError

RECORD = {
    "example_id": "e1",
    "benchmark": "gsm8k",
    "question": "How many?",
    "reference": 18.0,
    "generation": r"\boxed{18}",
    "gen_length": 256,
    "diffusion_steps": 128,
    "block_length": 32,
    "num_forward": 128,
    "seed": 0,
    "model": "tiny",
}
D1_ITEM = {"question": "How many?", "generations": r"\boxed{18}", "ground_truth": 18.0}
D1_OBJECT = {
    "generations": [D1_ITEM, {**D1_ITEM, "question": "How few?"}],
    "metrics": {"wall_time": 1.0},
    "model_path": "tiny",
    "gen_length": 256,
}


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="generations.jsonl"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


def as_lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


def without(record, key):
    return {name: value for name, value in record.items() if name != key}


def test_our_form_is_read_in_file_order(write):
    path = write(as_lines(RECORD, {**RECORD, "example_id": "e0", "reference": None, "extra": 1}))
    assert read_generations(path, "gsm8k") == [
        Generation("e1", "gsm8k", "How many?", 18.0, r"\boxed{18}", 256, "tiny"),
        Generation("e0", "gsm8k", "How many?", None, r"\boxed{18}", 256, "tiny"),
    ]


def test_one_line_is_our_form_too(write):
    assert len(read_generations(write(as_lines(RECORD)), "gsm8k")) == 1


@pytest.mark.parametrize("indent", [None, 2], ids=["on one line", "on many lines"])
def test_d1s_form_is_read_in_file_order(write, indent):
    first, second = read_generations(write(json.dumps(D1_OBJECT, indent=indent)), "gsm8k")
    assert first == Generation(
        make_example_id("How many?"), "gsm8k", "How many?", 18.0, r"\boxed{18}", 256, "tiny"
    )
    assert second.question == "How few?"


def test_an_id_depends_on_nothing_but_the_question():
    # printf 'How many?' | sha256sum
    assert make_example_id("How many?") == "ba352e24c64c7137"
    assert make_example_id("How few?") != make_example_id("How many?")
    assert len(make_example_id("\ud800")) == 16


def test_approximate_sampling_is_told_where_the_file_says_so(write):
    path = write(as_lines({**RECORD, "approximate": "dual cache"}, {**RECORD, "example_id": "e2"}))
    assert [one.approximate for one in read_generations(path, "gsm8k")] == ["dual cache", None]


def test_length_and_model_may_be_missing(write):
    path = write(as_lines(without(without(RECORD, "gen_length"), "model")))
    generation = read_generations(path, "gsm8k")[0]
    assert (generation.gen_length, generation.model) == (None, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("[1, 2]", "line 1: .* is this a generation file", id="a list, not ended"),
        pytest.param(as_lines(RECORD) + '{"exam', "line 2: every line must be ended", id="last line cut"),
        pytest.param(as_lines(RECORD) + '{"exam\n', "line 2: a line must be one JSON", id="line cut"),
        pytest.param(as_lines(RECORD) + "\n", "line 2: a line must be one JSON", id="blank line"),
        pytest.param(as_lines(RECORD) + "[1]\n", "line 2: a line must be one JSON", id="a list"),
        pytest.param(as_lines(RECORD, RECORD), "line 2: an example must stand in a file once", id="repeated"),
        pytest.param(
            as_lines(RECORD).replace("gsm8k", "sudoku"), "line 1: the benchmark must be", id="benchmark"
        ),
        pytest.param(
            as_lines({**RECORD, "question": 5}), "line 1: 'question' must be of type str", id="type"
        ),
        pytest.param(as_lines({**RECORD, "gen_length": True}), "'gen_length' must be of type int", id="bool"),
        pytest.param(
            as_lines({**RECORD, "gen_length": float("nan")}), "must be of type int", id="NaN length"
        ),
        pytest.param(
            as_lines({**RECORD, "approximate": True}), "'approximate' must be of type str", id="approximate"
        ),
        pytest.param(as_lines(RECORD).encode() + b"\xff\n", "line 2: text must be UTF-8", id="no UTF-8"),
        pytest.param("[" * 100_000 + "\n", "line 1: a line must be one JSON", id="deep nesting"),
        pytest.param('{"a": ' + "1" * 5000 + "}\n", "line 1: a line must be one JSON", id="long integer"),
        pytest.param("\0\n", "line 1: a line must be one JSON", id="NUL"),
        pytest.param("", "at least one generation", id="empty"),
        *(
            pytest.param(as_lines(without(RECORD, key)), f"line 1: the key '{key}' is needed", id=f"no {key}")
            for key in ("example_id", "benchmark", "question", "reference", "generation")
        ),
    ],
)
def test_a_foreign_file_is_an_error_that_names_file_and_line(write, content, message):
    with pytest.raises(ScoringError, match=message) as caught:
        read_generations(write(content), "gsm8k")
    assert "generations.jsonl" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"generations": {}}, "'generations' must be of type list"),
        ({"generations": []}, "at least one generation"),
        ({"generations": [5]}, r"generations\[0\]: must be a JSON object"),
        ({"generations": [D1_ITEM, without(D1_ITEM, "ground_truth")]}, r"\[1\]: the key 'ground_truth'"),
        ({"generations": [without(D1_ITEM, "question")]}, r"\[0\]: the key 'question'"),
        ({"generations": [{**D1_ITEM, "generations": ["a"]}]}, r"\[0\]: 'generations' must be of type str"),
        ({**D1_OBJECT, "gen_length": "256"}, "'gen_length' must be of type int"),
        ({"results": [D1_ITEM]}, "line 1"),
    ],
)
def test_a_foreign_d1_object_is_an_error_that_names_file_and_key(write, content, message):
    with pytest.raises(ScoringError, match=message) as caught:
        read_generations(write(json.dumps(content, indent=1), "shard.json"), "gsm8k")
    assert "shard.json" in str(caught.value)


def test_a_cut_d1_file_is_an_error(write):
    with pytest.raises(ScoringError, match=r"line 18: .* cut off"):
        read_generations(write(json.dumps(D1_OBJECT, indent=1)[:-9]), "gsm8k")


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    for path in (tmp_path / "missing.jsonl", tmp_path):
        with pytest.raises(ScoringError, match="cannot be read"):
            read_generations(path, "gsm8k")


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(as_lines({**RECORD, "generation": "\ud800\0"}), id="escaped surrogate and NUL"),
        pytest.param(
            as_lines(RECORD).replace("How", "\ud800").encode("utf-8", "surrogatepass"), id="bare surrogate"
        ),
        pytest.param(as_lines({**RECORD, "reference": float("nan")}), id="NaN"),
        pytest.param(as_lines({**RECORD, "reference": [float("inf")]}), id="Infinity"),
        pytest.param(
            as_lines({**RECORD, "question": "\u2028"}).replace("\\u2028", "\u2028"), id="line separator"
        ),
        pytest.param(as_lines(RECORD).replace("\n", "\r\n"), id="carriage return"),
        pytest.param("\ufeff" + as_lines(RECORD), id="byte order mark"),
        pytest.param(as_lines(RECORD)[:-1], id="whole, but without a line end"),
    ],
)
def test_odd_text_is_read(write, line):
    assert len(read_generations(write(line), "gsm8k")) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | st.text().map(lambda text: json.dumps(text).encode() + b"\n"))
@example(b'{"generations": null}')
@example(b"\xef\xbb\xbf{}\n")
def test_any_bytes_are_an_error_and_no_crash(write, content):
    with pytest.raises(ScoringError):
        read_generations(write(content), "gsm8k")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_an_object_that_is_cut_off_names_the_line_where_it_ends(write, share):
    text = json.dumps({"generations": [D1_ITEM] * 20, "gen_length": 256}, indent=2)
    part = text[: int(share * len(text))]
    with pytest.raises(ScoringError, match=rf"line {part.count(chr(10)) + 1}: one JSON object .* cut off"):
        read_generations(write(part), "gsm8k")
