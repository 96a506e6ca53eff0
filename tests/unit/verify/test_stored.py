import pytest

from tests.reference import write
from weft.verify.stored import FOLDER, stored_logits, stored_losses, stored_tokens

MAX_BYTES = 300_000


@pytest.mark.parametrize("name", ["logits", "losses", "tokens"])
def test_the_stored_numbers_are_those_that_are_written(name):
    text = (FOLDER / f"{name}.json").read_text()
    assert write.text_of(getattr(write, name)()) == text


def test_the_stored_numbers_are_small_enough_for_the_package():
    assert 0 < sum(file.stat().st_size for file in FOLDER.iterdir()) < MAX_BYTES


def test_the_records_contain_both_families():
    assert stored_logits().of_family("dream").shape == (2, 4, 6)
    assert stored_losses().of_family("llada").losses["sft"] > 0
    assert set(stored_tokens().of_family("dream")) == set(stored_tokens().of_family("llada"))
