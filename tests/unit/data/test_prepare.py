import datasets
import pytest

from weft.data.examples import generate_examples
from weft.data.prepare import prepare_examples
from weft.errors import DataError


def test_prepared_examples_and_their_summary(tokenizer, tmp_path):
    examples = generate_examples({"gsm8k": 10}, seed=1)
    summary = prepare_examples(examples, tokenizer, tmp_path / "p", max_length=70, heldout_share=0.1)
    stored = datasets.load_from_disk(str(tmp_path / "p"))
    assert set(stored.column_names) == {"example_id", "prompt_ids", "answer_ids", "source"}
    assert len(stored) == summary["num_examples"] == 9
    assert stored[0]["example_id"] == examples[1].example_id  # the first tenth is held out
    lengths = [len(row["prompt_ids"]) + len(row["answer_ids"]) for row in stored]
    assert summary["num_cut_off"] == sum(length > 70 for length in lengths)


def test_prompts_without_room_are_counted(tokenizer, tmp_path):
    with pytest.raises(DataError, match="3 are not, first"):
        prepare_examples(
            generate_examples({"gsm8k": 3}, seed=1),
            tokenizer,
            tmp_path / "p",
            max_length=10,
            heldout_share=0.0,
        )


def test_nothing_left_is_an_error(tokenizer, tmp_path):
    with pytest.raises(DataError, match="at least one example"):
        prepare_examples([], tokenizer, tmp_path / "p", max_length=10, heldout_share=0.0)
