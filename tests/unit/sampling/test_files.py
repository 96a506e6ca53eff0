import json

import pytest

from weft.errors import SamplingError
from weft.layout import answer_store
from weft.records import Generation, Question
from weft.sampling.files import GenerationWriter, read_questions

DIGEST = "d" * 64


def generation(number):
    return Generation(
        example_id=f"q{number}", benchmark="b", question="?", reference=1, generation="\ud800 é", seed=None
    )


def lines(*numbers):
    return "".join(generation(number).as_line() for number in numbers)


def test_generations_lie_on_disk_as_they_come_and_are_named_in_order(tmp_path):
    out = tmp_path / "a.jsonl"
    with GenerationWriter(out, digest=DIGEST) as writer:
        for number in (2, 0, 1):
            writer.append(generation(number))
            assert answer_store(out, DIGEST).read_text().endswith(lines(number))
        assert not out.exists()
        writer.finish(["q0", "q1", "q2"])
    assert out.read_text() == lines(0, 1, 2)
    assert answer_store(out, DIGEST).read_text() == lines(2, 0, 1)


def test_an_incomplete_line_is_dropped_and_appending_continues(tmp_path):
    out = tmp_path / "a.jsonl"
    store = answer_store(out, DIGEST)
    store.write_text(lines(0, 1) + lines(9)[:-1])
    with GenerationWriter(out, digest=DIGEST) as writer:
        assert list(writer.done) == ["q0", "q1"]
        writer.append(generation(2))
        assert store.read_text() == lines(0, 1, 2)
        writer.finish(["q2", "q1", "q0"])
    assert out.read_text() == lines(2, 1, 0)


def test_only_the_store_of_the_last_finished_settings_is_kept(tmp_path):
    out = tmp_path / "a.jsonl"
    answer_store(out, "1" * 64).write_text(lines(0))
    with GenerationWriter(out, digest="2" * 64) as writer:
        assert writer.done == {}
        assert answer_store(out, "1" * 64).read_text() == lines(0)
        writer.append(generation(1))
        writer.finish(["q1"])
    assert set(tmp_path.iterdir()) == {out, answer_store(out, "2" * 64)}
    assert out.read_text() == lines(1)


def test_the_store_of_an_output_with_a_longer_name_is_kept(tmp_path):
    other = answer_store(tmp_path / "a.b", "1" * 64)
    other.write_text(lines(0))
    with GenerationWriter(tmp_path / "a", digest="2" * 64) as writer:
        writer.finish([])
    assert other.exists()


def test_an_example_that_is_not_there_leaves_the_output_alone(tmp_path):
    out = tmp_path / "a.jsonl"
    with GenerationWriter(out, digest=DIGEST) as writer:
        writer.append(generation(0))
        with pytest.raises(KeyError):
            writer.finish(["q0", "q1"])
    assert not out.exists()
    assert answer_store(out, DIGEST).exists()


QUESTION = {"example_id": "q1", "benchmark": "b", "question": "?", "prompt": "?", "reference": 3.0}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([QUESTION, QUESTION], "example_id .* got 'q1' again"),
        ([QUESTION | {"prompt": "\ud800"}], r"prompt .* got '\\ud800' in 'q1'"),
        ([QUESTION, {"example_id": "q2"}], "line 2: benchmark: expected a value, got none"),
        ([QUESTION | {"example_id": ["a"]}], r"line 1: example_id: .*\['a'\]"),
    ],
    ids=["twice", "no Unicode", "no benchmark", "a list"],
)
def test_questions_that_cannot_be_asked_are_refused(tmp_path, rows, message):
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(SamplingError, match=message):
        read_questions(path)


def test_questions_are_read_in_order(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text(json.dumps(QUESTION | {"example_id": "q2"}) + "\n" + json.dumps(QUESTION) + "\n")
    assert read_questions(path)["q1"] == Question(**QUESTION)
    assert list(read_questions(path)) == ["q2", "q1"]


def test_questions_whose_references_no_scorer_accepts_are_refused_before_sampling(tmp_path):
    path = tmp_path / "gsm8k.jsonl"
    right = QUESTION | {"benchmark": "gsm8k"}
    for reference, message in [("3", "got '3'; .*: write 3$"), (None, "got None"), ([3], r"got \[3\]")]:
        wrong = right | {"example_id": "q2", "reference": reference}
        path.write_text(f"{json.dumps(right)}\n\n{json.dumps(wrong)}\n")
        with pytest.raises(SamplingError, match=f"gsm8k.jsonl, line 3: .*{message}"):
            read_questions(path)
    path.write_text(f"{json.dumps(right)}\n\n{json.dumps(wrong | {'benchmark': 'custom'})}\n\n")
    assert list(read_questions(path)) == ["q1", "q2"]
