import pytest

from weft.errors import ScoringError
from weft.report.answer_files import answer_source


@pytest.fixture
def file(results):
    return next(
        file for file in results.scores if (file.run.run_id, file.benchmark) == ("weft-worked-seed1", "gsm8k")
    )


@pytest.fixture
def layout(experiment, write, tmp_path):
    return write(experiment, tmp_path)


def test_answers_are_found_by_the_id_of_their_question(file, layout, read_answers):
    answers = read_answers(layout)(file)
    assert {name: answer.generation for name, answer in answers.items()} == {
        f"q{i}": f"G{i}" for i in range(24)
    }


def test_several_files_belong_together(file, layout, tmp_path):
    lines = layout.samples(file.run.run_id, "gsm8k", 48).read_text().splitlines(keepends=True)
    parts = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    for path, part in zip(parts, (lines[:9], lines[9:]), strict=True):
        path.write_text("".join(part))
    assert len(answer_source(lambda *_: parts)(file)) == 24
    assert answer_source(lambda *_: [parts[0], tmp_path / "absent"])(file) is None
    assert answer_source(lambda *_: [])(file) is None


def test_a_scored_question_must_have_an_answer(file, layout, read_answers):
    path = layout.samples("weft-worked-seed1", "gsm8k", 48)
    content = path.read_text()
    path.write_text(content.replace('"example_id": "q7"', '"example_id": "other"'))
    with pytest.raises(ScoringError, match=r"gsm8k/48.jsonl.*'q7'"):
        read_answers(layout)(file)
    path.write_text(content[: len(content) // 2])
    with pytest.raises(ScoringError, match=r"gsm8k/48.jsonl, line \d+"):
        read_answers(layout)(file)
