import random

import pytest
import torch

from weft.config import find_experiment, load_experiment
from weft.data.pretraining import (
    WINDOW,
    PretrainingRows,
    mask_answer,
    mask_document,
    mask_steps,
    tokenizer_texts,
)
from weft.data.tokenizer import train_tokenizer
from weft.errors import DataError

LINES = [range(4), range(5, 11), range(12, 20)]


@pytest.fixture(scope="module")
def recipe():
    recipe = load_experiment(find_experiment("tiny")).base_model.recipe
    return recipe.model_copy(update={"num_tokenizer_texts": 300})


@pytest.fixture(scope="module")
def rows(recipe):
    tokenizer = train_tokenizer(tokenizer_texts(recipe), vocab_size=recipe.vocab_size)
    return PretrainingRows(recipe, tokenizer, phase=0)


def test_a_row_depends_on_seed_and_index_only(rows, recipe):
    for index in (0, 7, 7_000):
        first, again = rows[index], rows[index]
        assert all(torch.equal(first[key], again[key]) for key in first)
    other = PretrainingRows(recipe.model_copy(update={"seed": 99}), rows.tokenizer, phase=0)
    assert any(not torch.equal(rows[i]["clean_ids"], other[i]["clean_ids"]) for i in range(3))
    assert len(rows) == recipe.phases[0].num_steps * recipe.batch_size


def test_a_phase_continues_the_rows_of_the_phase_before_it(rows, recipe):
    short = recipe.phases[0].model_copy(update={"num_steps": 2})
    later = PretrainingRows(
        recipe.model_copy(update={"phases": [short, recipe.phases[0]]}), rows.tokenizer, phase=1
    )
    assert torch.equal(later[0]["input_ids"], rows[2 * recipe.batch_size]["input_ids"])


def test_rows_show_the_text_but_for_masked_tokens(rows):
    mask_id = rows.tokenizer.mask_token_id
    for index in range(300):
        row = rows[index]
        is_masked = row["input_ids"] == mask_id
        assert is_masked[row["is_predicted"]].all()
        assert torch.equal(row["input_ids"][~is_masked], row["clean_ids"][~is_masked])
        assert len(row["clean_ids"]) == rows.phase.max_length
        text, _ = rows.text(index)
        if text.question is not None:
            shown = rows.tokenizer(text.question, add_special_tokens=False)["input_ids"]
            assert _contains(row["input_ids"].tolist(), shown), "a question is never masked"


def test_almost_every_row_has_a_token_to_predict(rows):
    assert sum(bool(rows[index]["is_predicted"].any()) for index in range(300)) > 280


def _contains(ids, part):
    return any(ids[i : i + len(part)] == part for i in range(len(ids)))


def test_every_kind_of_text_occurs(rows):
    kinds = [rows.text(index)[0] for index in range(300)]
    assert any(text.question is None for text in kinds)
    assert any(text.question and text.has_separate_lines for text in kinds)
    assert any(text.question and not text.has_separate_lines for text in kinds)


def test_numbers_and_words_of_questions_are_single_tokens(rows):
    for word in (*map(str, range(100)), " pens", " doubles", "Compute", "Target"):
        assert len(rows.tokenizer(word, add_special_tokens=False)["input_ids"]) == 1, word


def test_a_text_that_does_not_fit_is_an_error(rows, recipe):
    phase = recipe.phases[0].model_copy(update={"max_length": 30})
    short = PretrainingRows(recipe.model_copy(update={"phases": [phase]}), rows.tokenizer, phase=0)
    with pytest.raises(DataError, match=r"max_length must be at least \d+, .* got 30"):
        [short[index] for index in range(50)]


def test_rows_of_random_length_end_at_any_position_and_hold_each_question_and_its_answer(rows, recipe):
    random_rows = PretrainingRows(recipe, rows.tokenizer, phase=1)
    longest = recipe.phases[1].max_length
    assert recipe.phases[1].random_lengths
    lengths = []
    for index in range(300):
        row, (text, _) = random_rows[index], random_rows.text(index)
        length = int(row["is_row"].sum())
        assert row["is_row"][:length].all()
        assert len(row["is_row"]) == longest
        is_masked = row["input_ids"] == rows.tokenizer.mask_token_id
        assert not is_masked[length:].any()
        if text.question is not None and not text.has_separate_lines:
            content = rows.tokenizer(text.body, add_special_tokens=False)["input_ids"]
            assert _contains(row["clean_ids"][:length].tolist(), content)
        lengths.append(length)
    assert min(lengths) < 45
    assert max(lengths) > longest - 5
    assert all(rows[index]["is_row"].all() for index in range(20)), "rows of the first phase are full"


def test_one_token_of_each_line_of_a_document_is_masked():
    for seed in range(50):
        masks = mask_document(LINES, 1.0, random.Random(seed))
        assert [sum(i in masks.predicted for i in line) for line in LINES] == [1, 1, 1]
        assert not masks.hidden


def test_results_are_masked_more_often_than_other_tokens():
    chosen = [max(mask_document([range(6)], 1.0, random.Random(seed)).predicted) for seed in range(600)]
    assert 1.2 / 6 < sum(position == 5 for position in chosen) / 600 < 3 / 6


def test_without_single_masks_a_document_is_masked_at_random():
    sizes = {len(mask_document(LINES, 0.0, random.Random(seed)).predicted) for seed in range(50)}
    assert len(sizes) > 5


def test_the_lines_after_a_random_one_are_hidden():
    masks = [mask_steps(LINES, 24, random.Random(seed)) for seed in range(200)]
    assert {frozenset(mask.hidden) for mask in masks} == {
        frozenset(), frozenset(range(4, 24)), frozenset(range(11, 24)), frozenset(range(20, 24))
    }  # fmt: skip
    assert all(not mask.predicted & mask.hidden for mask in masks)


def test_an_answer_is_masked_as_the_sampler_sees_it_or_at_random():
    answer, length = range(10, 30), 48
    plain = 0
    for seed in range(400):
        masks = mask_answer(answer, length, random.Random(seed))
        assert all(10 <= i < length for i in masks.predicted | masks.hidden)
        assert not masks.predicted & masks.hidden
        if max(masks.predicted, default=10) - min(masks.predicted, default=10) >= WINDOW:
            plain += 1
            continue
        if masks.hidden and min(masks.hidden) <= 30:
            assert min(masks.hidden) - min(masks.predicted) <= WINDOW
            assert masks.hidden == set(range(min(masks.hidden), length)), "all that follows is hidden"
    assert 40 < plain < 160
