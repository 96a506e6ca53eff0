import json
import os
import threading

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from weft.benchmarks import find_scorer, generations
from weft.benchmarks.generations import GenerationFile, find_repeated, read_generations
from weft.errors import ScoringError
from weft.records import Generation
from weft.records.ids import stored_question_id

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


def as_indented(record):
    return json.dumps(record, indent=2) + "\n"


def without(record, key):
    return {name: value for name, value in record.items() if name != key}


def test_wefts_form_is_read_in_file_order(write):
    second = {**RECORD, "example_id": "e0", "reference": None, "extra": 1}
    path = write(as_lines(RECORD, second))
    assert read_generations(path, "gsm8k") == [Generation(**RECORD), Generation(**second)]


def test_the_five_fields_of_the_contract_are_enough(write):
    keys = ("example_id", "benchmark", "question", "reference", "generation")
    (generation,) = read_generations(write(as_lines({key: RECORD[key] for key in keys})), "gsm8k")
    assert (generation.gen_length, generation.model, generation.approximate) == (None, None, None)


@pytest.mark.parametrize("indent", [None, 2], ids=["on one line", "on many lines"])
def test_d1s_form_is_read_in_file_order(write, indent):
    first, second = read_generations(write(json.dumps(D1_OBJECT, indent=indent)), "gsm8k")
    keys = ("benchmark", "question", "reference", "generation", "gen_length", "model")
    expected = {key: RECORD[key] for key in keys}
    assert first == Generation(example_id=stored_question_id("How many?"), **expected)
    assert second.question == "How few?"


def test_all_answers_in_d1s_form_take_the_steps_of_the_file(write):
    with_steps = read_generations(write(json.dumps(D1_OBJECT | {"diffusion_steps": 128})), "gsm8k")
    assert [generation.num_forward for generation in with_steps] == [128, 128]


def test_a_damaged_or_foreign_file_is_an_error_that_names_file_and_place(write):
    line = as_lines(RECORD)
    cases = [
        ("[1, 2]", "line 1"),
        (line + '{"exam', "line 2"),  # cut off
        (line + '{"exam\n', "line 2"),
        (line + "\n" + "{", "line 3"),
        ("\n \n" + line + "\n" + line, "line 5: example_id: .*'e1'"),
        (as_indented(RECORD) + line.replace("e1", "e2") + "{\n", "line 16: .*column 1"),
        (as_indented(RECORD) + as_indented({**RECORD, "generation": None}), "line 14: generation: .*None"),
        (as_indented(RECORD).strip() + as_indented(RECORD), "line 13: .*Extra data"),
        (line.strip() + line, "line 1: .*Extra data"),
        (f"[{line}]", "line 1: expected a JSON object"),
        ("\n\r\n \n", "at least one"),
        (line + "[1]\n", "line 2"),
        (line + line, "line 2: example_id: .*'e1'"),
        (line.replace("gsm8k", "sudoku"), "line 1: benchmark: .*'sudoku'"),
        (as_lines({**RECORD, "question": 5}), "line 1: question: .*5"),
        (as_lines({**RECORD, "gen_length": True}), "line 1: gen_length: .*True"),
        (as_lines({**RECORD, "gen_length": float("nan")}), "line 1: gen_length: .*nan"),
        (as_lines({**RECORD, "gen_length": 10**10}), "line 1: gen_length: .*1000000000"),
        (as_lines({**RECORD, "approximate": True}), "line 1: approximate: .*True"),
        (line.encode() + b"\xff\n", "line 2: .*0xff"),
        ("[" * 100_000 + "\n", r"\[\[\["),
        ('{"a": ' + "1" * 5000 + "}\n", "line 1: example_id: expected a value, got none"),
        ("\0\n", r"\\x00"),
        ("", "at least one"),
        *((as_lines(without(RECORD, key)), f"line 1: {key}: .*none") for key in list(RECORD)[:5]),
    ]
    for content, message in cases:
        with pytest.raises(ScoringError, match=f"generations.jsonl.*{message}"):
            read_generations(write(content), "gsm8k")


def test_a_foreign_d1_object_is_an_error_that_names_file_and_key(write):
    cases = [
        ({"generations": {}}, "generations: "),
        ({"generations": []}, "at least one"),
        ({"generations": [5]}, r"generations\.0: .*5"),
        ({"generations": [D1_ITEM, without(D1_ITEM, "ground_truth")]}, r"generations\.1\.ground_truth: "),
        ({"generations": [without(D1_ITEM, "question")]}, r"generations\.0\.question: "),
        ({"generations": [{**D1_ITEM, "generations": ["a"]}]}, r"generations\.0\.generations: "),
        ({**D1_OBJECT, "gen_length": "256"}, "gen_length: .*'256'"),
        ({**D1_OBJECT, "gen_length": 10**10}, "gen_length: .*1000000000"),
        ({"results": [D1_ITEM]}, "example_id: .*none"),
    ]
    for content, message in cases:
        with pytest.raises(ScoringError, match=f"shard.json(, line 1)?: .*{message}"):
            read_generations(write(json.dumps(content, indent=1), "shard.json"), "gsm8k")


def test_an_object_that_is_cut_off_names_the_line_where_it_ends(write):
    text = json.dumps({"generations": [D1_ITEM] * 20, "gen_length": 256}, indent=2)
    for length in (len(text) // 10, len(text) // 2, len(text) - 2):
        part = text[:length]
        line = part.count("\n") + 1
        with pytest.raises(ScoringError, match=f"generations.jsonl, line {line}: "):
            read_generations(write(part), "gsm8k")


@pytest.mark.parametrize(
    "write_both",
    [
        lambda first, second: as_lines(first) + "\r\n\n" + as_lines(second),
        lambda first, second: as_indented(first) + as_indented(second),  # as jq writes objects
        lambda first, second: as_indented(first) + "\n" + as_lines(second),
    ],
    ids=["blank lines", "indented", "first indented"],
)
def test_objects_may_have_blank_lines_between_them_and_be_indented(write, write_both):
    second = {**RECORD, "example_id": "e0", "generation": "{\n}\n"}
    read = read_generations(write(write_both(RECORD, second)), "gsm8k")
    assert read == [Generation(**RECORD), Generation(**second)]


@pytest.mark.parametrize(
    ("benchmark", "right", "wrong", "message"),
    [
        ("gsm8k", 18.0, "18", "got '18'; .*: write 18$"),
        ("gsm8k", 18.0, float("nan"), "NaN or Infinity, got nan"),
        ("countdown", [[3, 4], 7], None, "got None"),
        ("countdown", [[3, 4], 7], [[], 0], r"got \[\[\], 0\]"),
        ("math500", r"\frac{1}{2}", 18, 'write "18"$'),
    ],
)
def test_a_reference_of_another_form_is_an_error_that_names_the_place(
    write, benchmark, right, wrong, message
):
    first = {**RECORD, "benchmark": benchmark, "reference": right}
    lines = as_lines(first) + "\n" + as_lines({**first, "example_id": "e2", "reference": wrong})
    items = [{**D1_ITEM, "ground_truth": value} for value in (right, wrong)]
    shard = json.dumps({"generations": items})
    for scoring in ("d1", "strict"):
        scorer = find_scorer(benchmark, scoring)
        with pytest.raises(ScoringError, match=f"generations.jsonl, line 3: .*{message}"):
            read_generations(write(lines), benchmark, scorer=scorer)
        with pytest.raises(ScoringError, match=f"shard.json: generations.1: .*{message}"):
            read_generations(write(shard, "shard.json"), benchmark, scorer=scorer)
    assert len(read_generations(write(lines), benchmark)) == 2, "without a scorer, none are checked"


@pytest.mark.parametrize("scoring", ["d1", "strict"])
def test_a_reference_that_d1_does_not_have_is_no_error(write, scoring):
    path = write(json.dumps({"generations": [{**D1_ITEM, "ground_truth": None}]}))
    (generation,) = read_generations(path, "gsm8k", scorer=find_scorer("gsm8k", scoring))
    assert generation.reference is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_no_answer_is_an_error_of_the_file(write, text):
    for scoring in ("d1", "strict"):
        path = write(as_lines({**RECORD, "generation": text}))
        assert len(read_generations(path, "gsm8k", scorer=find_scorer("gsm8k", scoring))) == 1


def test_a_pipe_is_read_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=[as_lines(RECORD)])
    writer.start()
    generations = read_generations(pipe, "gsm8k")
    writer.join()
    assert generations == [Generation(**RECORD)]


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    for path in (tmp_path / "missing.jsonl", tmp_path):
        with pytest.raises(ScoringError, match=str(path)):
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
        pytest.param("\n" + as_lines(RECORD) + "\n \r\n", id="blank lines"),
        pytest.param(as_indented(RECORD), id="indented"),
        pytest.param("\n" + as_indented({"generations": [D1_ITEM]}) + "\n", id="indented form of d1"),
    ],
)
def test_unusual_text_is_read(write, line):
    assert len(read_generations(write(line), "gsm8k")) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | st.text().map(lambda text: json.dumps(text).encode() + b"\n"))
@example(b'{"generations": null}')
@example(b"\xef\xbb\xbf{}\n")
def test_any_bytes_are_an_error_and_no_crash(write, content):
    with pytest.raises(ScoringError):
        read_generations(write(content), "gsm8k")


def test_a_file_is_read_again_line_by_line(write):
    rows = [RECORD | {"example_id": str(number)} for number in range(5)]
    for content in (as_lines(*rows), "\n".join(map(as_indented, rows)), "\n" + as_lines(*rows) + " \n"):
        file = GenerationFile(write(content), "gsm8k")
        assert len(file) == 5
        assert list(file) == list(file) == read_generations(file.path, "gsm8k")
    assert len(GenerationFile(write(json.dumps(D1_OBJECT)), "gsm8k")) == 2


def test_a_file_that_changes_after_the_check_is_an_error(write):
    file = GenerationFile(write(as_lines(RECORD, RECORD | {"example_id": "e2"})), "gsm8k")
    write(as_lines(RECORD))
    with pytest.raises(ScoringError, match="expected 2 generations as in the check before, got 1; do not"):
        list(file)


def test_a_byte_that_is_no_text_is_named_with_its_line(write):
    content = as_lines(RECORD, RECORD | {"example_id": "e2"}).encode()[:-2] + b"\xff}\n"
    with pytest.raises(ScoringError, match=r"jsonl, line 2: expected UTF-8 text, got byte 0xff;"):
        read_generations(write(content), "gsm8k")


@given(st.lists(st.integers(0, 30)), st.integers(1, 5))
def test_repeated_numbers_are_those_that_occur_again(numbers, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generations, "IDS_AT_ONCE", at_once)
        assert find_repeated(numbers) == {number for number in numbers if numbers.count(number) > 1}


def test_equal_digests_of_different_ids_are_no_repetition(write, monkeypatch):
    monkeypatch.setattr(generations, "_short_digest", lambda example_id: 1)
    rows = [RECORD | {"example_id": str(number)} for number in range(4)]
    assert len(read_generations(write(as_lines(*rows)), "gsm8k")) == 4
    with pytest.raises(ScoringError, match=r"line 5: example_id: .* got '2' again"):
        read_generations(write(as_lines(*rows, rows[2])), "gsm8k")
