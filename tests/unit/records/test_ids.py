"""Ids are part of published files: the values here must never change."""

from weft.records import Message
from weft.records.ids import example_id, example_key, question_id, stored_question_id, text_sha256


def test_ids_stay_the_same():
    turn = Message(role="system", content="Be\u2028brief.")
    assert question_id("gsm8k", "How many?") == "deb675dc42b6b5a5"
    # printf 'How many?' | sha256sum
    assert stored_question_id("How many?") == "ba352e24c64c7137"
    assert example_id("mine", "q", "a") == "2e68c21869bc7c5f"
    assert example_id("mine", "q", "a", [turn]) == "e3f878ef3b5466a3"
    assert text_sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_keys_are_63_bit_integers():
    assert example_key("0f") == 15
    assert 0 <= example_key("f" * 16) < 2**63


def test_halves_of_a_surrogate_pair_have_an_id():
    assert len(question_id("gsm8k", "\ud800")) == len(example_id("mine", "\ud800", "a")) == 16
    assert len(stored_question_id("\ud800")) == 16
