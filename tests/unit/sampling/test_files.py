import json

import pytest

from weft.errors import SamplingError
from weft.layout import answer_store, provenance_file
from weft.records import Generation, Question
from weft.sampling.files import GenerationWriter, prompts_digest, read_questions
from weft.sampling.stored import StoredAnswer, tokens_source

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


def lie_in_store(store, *numbers, source=None):
    """Write answers as a job has stored them: unfinished if the code is given."""
    store.write_text("".join(StoredAnswer.seal(generation(number), source).as_line() for number in numbers))


def stored(store):
    """Return the ids of the stored answers, and the code that is named with them."""
    rows = [json.loads(line) for line in store.read_text().splitlines()]
    return [row["example_id"] for row in rows], {row.get("source") for row in rows}


def open_writer(out, *, digest=DIGEST, questions=ASKED, is_valid=lambda generation: True):
    return GenerationWriter(out, digest=digest, questions=questions, is_valid=is_valid)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "a.jsonl"


@pytest.fixture
def store(out):
    return answer_store(out, DIGEST)


def test_generations_lie_on_disk_as_they_come_and_are_named_in_order(out, store):
    with open_writer(out) as writer:
        for count, number in enumerate((2, 0, 1), start=1):
            writer.append(generation(number))
            assert stored(store) == (["q2", "q0", "q1"][:count], {tokens_source()})
        assert not out.exists()
        writer.finish(["q0", "q1", "q2"])
    assert out.read_text() == lines(0, 1, 2)
    assert stored(store) == (["q2", "q0", "q1"], {None})


def test_an_incomplete_line_is_dropped_and_appending_continues(out, store, caplog):
    lie_in_store(store, 0, 1, source=tokens_source())
    whole = store.read_text()
    store.write_text(whole + lines(9)[:-1])
    with open_writer(out) as writer:
        assert list(writer.done) == ["q0", "q1"]
        writer.append(generation(2))
        assert store.read_text().startswith(whole)
        writer.finish(["q2", "q1", "q0"])
    assert out.read_text() == lines(2, 1, 0)
    assert not caplog.records


def test_answers_of_an_unfinished_job_are_used_by_the_code_that_computed_them(out, store, caplog):
    lie_in_store(store, 0, 1, source="other")
    with open_writer(out) as writer:
        assert writer.done == {}
        writer.append(generation(1))
    assert "2 answers of an interrupted job are not used, because other code has computed them" in caplog.text
    assert stored(store) == (["q0", "q1", "q1"], {"other", tokens_source()})
    with open_writer(out) as writer:
        assert list(writer.done) == ["q1"]
        writer.finish(["q1"])
    assert stored(store) == (["q1"], {None}), "what other code left is gone at the end"


def test_answers_of_a_finished_job_are_used_by_all_code(out, store, caplog):
    lie_in_store(store, 0, 1)
    with open_writer(out) as writer:
        assert list(writer.done) == ["q0", "q1"]
    assert not caplog.records


FORGED = generation(1).model_copy(update={"generation": "18"})


@pytest.mark.parametrize(
    "line",
    [
        FORGED.as_line(),
        StoredAnswer.seal(generation(1), None).model_copy(update={"generation": "18"}).as_line(),
        StoredAnswer.seal(generation(1), "other").model_copy(update={"source": tokens_source()}).as_line(),
    ],
    ids=["without a digest", "changed", "of other code"],
)
def test_an_answer_that_the_job_has_not_written_is_set_aside(out, store, line, caplog):
    lie_in_store(store, 0, 2, source=tokens_source())
    whole = store.read_text()
    store.write_text(whole + line)
    with open_writer(out) as writer:
        assert list(writer.done) == ["q0", "q2"]
        assert store.read_text() == whole
        assert store.with_suffix(".damaged").read_text() == whole + line
        writer.append(generation(1))
        writer.finish(["q0", "q1"])
    (message,) = caplog.messages
    assert "1 of 3 answers are not those that this job has written; their questions are" in message
    assert f"the file is kept as {store.with_suffix('.damaged').name} until the job has ended" in message
    assert out.read_text() == lines(0, 1)
    assert not store.with_suffix(".damaged").exists()


@pytest.mark.parametrize("line", ["garbage", '{"example_id": "q1"}', "", "[]"])
def test_a_damaged_line_costs_its_own_answer_only(out, store, line, caplog):
    lie_in_store(store, 0, 1, 2, source=tokens_source())
    rows = store.read_text().splitlines()
    damaged = "\n".join([rows[0], line, rows[2]]) + "\n"
    store.write_text(damaged)
    with open_writer(out) as writer:
        assert list(writer.done) == ["q0", "q2"]
        assert store.with_suffix(".damaged").read_text() == damaged
        assert stored(store)[0] == ["q0", "q2"]
    assert "1 of 3 answers are not those that this job has written" in caplog.text


def test_an_answer_without_the_fields_of_the_job_is_set_aside(out, store, caplog):
    lie_in_store(store, 0, 1, source=tokens_source())
    with open_writer(out, is_valid=lambda generation: generation.example_id != "q1") as writer:
        assert list(writer.done) == ["q0"]
    assert "1 of 2 answers are not those" in caplog.text


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_store_of_an_earlier_version_counts_if_its_output_was_finished(out, store, is_finished):
    store.write_text(lines(0, 1))
    if is_finished:
        provenance_file(out).write_text("{}")
    with open_writer(out) as writer:
        assert list(writer.done) == (["q0", "q1"] if is_finished else [])


def test_only_the_store_of_the_last_finished_settings_is_kept(out, tmp_path):
    lie_in_store(answer_store(out, "1" * 64), 0)
    with open_writer(out, digest="2" * 64) as writer:
        assert writer.done == {}
        assert stored(answer_store(out, "1" * 64))[0] == ["q0"]
        writer.append(generation(1))
        writer.finish(["q1"])
    assert set(tmp_path.iterdir()) == {out, answer_store(out, "2" * 64)}
    assert out.read_text() == lines(1)


def test_the_store_of_an_output_with_a_longer_name_is_kept(tmp_path):
    other = answer_store(tmp_path / "a.b", "1" * 64)
    lie_in_store(other, 0)
    with open_writer(tmp_path / "a", digest="2" * 64) as writer:
        writer.finish([])
    assert other.exists()


def test_an_example_that_is_not_there_leaves_the_output_alone(out, store):
    with open_writer(out) as writer:
        writer.append(generation(0))
        with pytest.raises(KeyError):
            writer.finish(["q0", "q1"])
    assert not out.exists()
    assert stored(store) == (["q0"], {tokens_source()})


def test_answers_to_other_questions_wait_in_the_store_and_references_are_the_current_ones(out, store):
    lie_in_store(store, 0, 1, 2, 3)
    questions = {
        "q3": asked(3, reference=2), "q0": asked(0), "q1": asked(1, question="!"),
        "q2": asked(2, benchmark="c"), "new": asked(4, example_id="new"),
    }  # fmt: skip
    with open_writer(out, questions=questions) as writer:
        assert list(writer.done) == ["q0", "q3"]
        writer.append(generation(1))
        writer.finish(["q3", "q0", "q1"])
    assert out.read_text() == lines(3).replace('"reference": 1', '"reference": 2') + lines(0, 1)
    assert stored(store)[0] == ["q0", "q1", "q2", "q3", "q1"]
    with open_writer(out) as writer:
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
