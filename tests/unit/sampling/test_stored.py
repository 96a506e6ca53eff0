import json

import pytest

from weft.records import Generation
from weft.sampling.stored import StoredAnswer, tokens_source

ANSWER = Generation(
    example_id="q", benchmark="b", question="?", reference=[1, 2.0, "3"], generation="\ud800 x", seed=None
)


@pytest.mark.parametrize("source", ["0123", None])
def test_an_answer_comes_back_as_it_was(source):
    line = StoredAnswer.seal(ANSWER, source).as_line()
    again = StoredAnswer.model_validate(json.loads(line))
    assert again.is_intact
    assert again.source == source
    assert again.answer().as_line() == ANSWER.as_line()


@pytest.mark.parametrize(
    "change", [{"generation": "y"}, {"num_forward": 3}, {"source": "b"}, {"check": "0" * 16}]
)
def test_a_change_is_found(change):
    assert not StoredAnswer.seal(ANSWER, "a").model_copy(update=change).is_intact
    assert not StoredAnswer.model_validate(ANSWER.as_object()).is_intact


def test_the_code_is_known_by_a_digest():
    assert tokens_source() == tokens_source()
    assert len(tokens_source()) == 16
