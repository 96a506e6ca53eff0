import json

import pytest

from weft.errors import SamplingError
from weft.layout import answer_store
from weft.records import Generation, Question
from weft.sampling.files import GenerationWriter, prompts_digest, read_questions

DIGEST = "d" * 64


def generation(number):
    return Generation(
        example_id=f"q{number}", benchmark="b", question="?", reference=1, generation="\ud800 é", seed=None
    )


def asked(number, **changes):
    content = {"example_id": f"q{number}", "benchmark": "b", "question": "?", "prompt": "?", "reference": 1}
    return Question.model_validate(content | changes)


ASKED = {f"q{number}": asked(number) for number in range(4)}


def lines(*numbers):
    return "".join(generation(number).as_line() for number in numbers)


def test_generations_lie_on_disk_as_they_come_and_are_named_in_order(tmp_path):
    out = tmp_path / "a.jsonl"
    with GenerationWriter(out, digest=DIGEST, questions=ASKED) as writer:
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
    with GenerationWriter(out, digest=DIGEST, questions=ASKED) as writer:
        assert list(writer.done) == ["q0", "q1"]
        writer.append(generation(2))
        assert store.read_text() == lines(0, 1, 2)
        writer.finish(["q2", "q1", "q0"])
    assert out.read_text() == lines(2, 1, 0)


def test_only_the_store_of_the_last_finished_settings_is_kept(tmp_path):
    out = tmp_path / "a.jsonl"
    answer_store(out, "1" * 64).write_text(lines(0))
    with GenerationWriter(out, digest="2" * 64, questions=ASKED) as writer:
        assert writer.done == {}
        assert answer_store(out, "1" * 64).read_text() == lines(0)
        writer.append(generation(1))
        writer.finish(["q1"])
    assert set(tmp_path.iterdir()) == {out, answer_store(out, "2" * 64)}
    assert out.read_text() == lines(1)


def test_the_store_of_an_output_with_a_longer_name_is_kept(tmp_path):
    other = answer_store(tmp_path / "a.b", "1" * 64)
    other.write_text(lines(0))
    with GenerationWriter(tmp_path / "a", digest="2" * 64, questions=ASKED) as writer:
        writer.finish([])
    assert other.exists()


def test_an_example_that_is_not_there_leaves_the_output_alone(tmp_path):
    out = tmp_path / "a.jsonl"
    with GenerationWriter(out, digest=DIGEST, questions=ASKED) as writer:
        writer.append(generation(0))
        with pytest.raises(KeyError):
            writer.finish(["q0", "q1"])
    assert not out.exists()
    assert answer_store(out, DIGEST).exists()


def test_answers_to_other_questions_wait_in_the_store_and_references_are_the_current_ones(tmp_path):
    out = tmp_path / "a.jsonl"
    store = answer_store(out, DIGEST)
    store.write_text(lines(0, 1, 2, 3))
    questions = {
        "q3": asked(3, reference=2), "q0": asked(0), "q1": asked(1, question="!"),
        "q2": asked(2, benchmark="c"), "new": asked(4, example_id="new"),
    }  # fmt: skip
    with GenerationWriter(out, digest=DIGEST, questions=questions) as writer:
        assert list(writer.done) == ["q0", "q3"]
        writer.append(generation(1))
        writer.finish(["q3", "q0", "q1"])
    assert out.read_text() == lines(3).replace('"reference": 1', '"reference": 2') + lines(0, 1)
    assert store.read_text() == lines(0, 1, 2, 3, 1)
    with GenerationWriter(out, digest=DIGEST, questions=ASKED) as writer:
        assert len(writer.done) == 4


def test_the_digest_of_prompts_stands_for_what_they_have_in_common(tmp_path):
    def digest_of(*rows, attend_padding=False):
        file = tmp_path / "questions.jsonl"
        file.write_text("".join(row.as_line() for row in rows))
        return prompts_digest(file, attend_padding=attend_padding)

    rows = [asked(n, question=f"What is {n}?", prompt=f"Think. What is {n}? Go.") for n in range(4)]
    other = [asked(n, question=f"What is {n}?", prompt=f"Guess. What is {n}? Go.") for n in range(4)]
    assert digest_of(*rows) == digest_of(*rows[:2]) == digest_of(*rows[::-1])
    assert len({digest_of(*rows), digest_of(*other), digest_of(*rows, other[3].model_copy(
        update={"example_id": "x"}))}) == 3  # fmt: skip
    assert digest_of(*rows, attend_padding=True) != digest_of(*rows[:2], attend_padding=True)
    # Two questions exchange the forms of their prompts: neither has its stored answer any more.
    assert digest_of(rows[0], other[1]) != digest_of(other[0], rows[1])
    # The instruction may contain the text of a question.
    short = [asked(n, question=f"{n}", prompt=f"Add 1 to {n}") for n in range(3)]
    assert digest_of(*short) == digest_of(short[0])


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
