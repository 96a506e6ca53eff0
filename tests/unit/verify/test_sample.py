import dataclasses

import pytest
import torch

from weft.cli.shared import load_fine_tuning
from weft.verify import sample
from weft.verify.build import build_model
from weft.verify.planned import Peak
from weft.verify.records import Skipped
from weft.verify.sample import (
    APPROXIMATE,
    EARLY_STOP,
    EXACT,
    PLAIN,
    Bench,
    list_rows,
    measure_rows,
    random_questions,
)
from weft.verify.sizes import QUESTION_TOKENS, SIZES

TINY, LARGE = SIZES["tiny"], SIZES["8b"]
PROMPTS = {name: prompts[:3] for name, prompts in random_questions(TINY.shape.eos_token_id).items()}


@pytest.fixture(scope="module")
def bench():
    return Bench(
        model=build_model(TINY, None, torch.device("cpu")),
        sampling=load_fine_tuning("paper").sampling,
        mask_token_id=TINY.shape.mask_token_id,
        eos_token_id=TINY.shape.eos_token_id,
        imposes_ends=True,
        is_exact=True,
        peak=Peak(1e12, "of a peak", (0.25, 0.4)),
    )


def test_the_exact_modes_return_the_tokens_of_the_plain_loop(bench):
    row = list_rows(TINY, PROMPTS, 2, has_random_weights=True)[2]
    measured = {item.name.removeprefix(row.title + ", "): item for item in bench.measure(row)}
    for mode in (EXACT, EARLY_STOP):
        assert measured[f"{mode}: tokens that differ"].verdict == "passed"
        assert measured[f"{mode}: speed"].planned is not None
        ratio = measured[f"{mode}: time"].value / measured[f"{PLAIN}: time"].value
        assert measured[f"{mode}: time / {PLAIN}"].value == pytest.approx(ratio)
        memory = measured[f"{mode}: peak memory beyond the weights"]
        assert 0 < memory.value < measured[f"{PLAIN}: peak memory beyond the weights"].value


def test_another_token_fails_an_exact_mode(bench, monkeypatch):
    honest = sample.generate

    def forged(*arguments, **settings):
        answers = honest(*arguments, **settings)
        answers[1][3] = (answers[1][3] + 1) % TINY.shape.eos_token_id
        return answers

    monkeypatch.setattr(sample, "generate", forged)
    row = dataclasses.replace(list_rows(TINY, PROMPTS, 2, has_random_weights=True)[2], modes=(EXACT,))
    failed = [item.quantity for item in bench.measure(row) if item.verdict == "FAILED"]
    assert failed == ["tokens that differ"]


def test_the_approximate_mode_sharpens_the_logits_for_its_row_only(bench):
    before = bench.model.lm_head.weight.clone()
    row = list_rows(TINY, PROMPTS, 16, has_random_weights=True)[1]
    assert row.modes == (APPROXIMATE,)
    measured = {item.name: item for item in bench.measure(row)}
    assert measured[f"{row.title}, {APPROXIMATE}: tokens that differ"].limit is None
    assert f"{row.title}, {APPROXIMATE}: utilisation" not in measured
    assert torch.equal(bench.model.lm_head.weight, before)


def test_the_rows_are_those_of_all_benchmarks_and_lengths():
    rows = list_rows(LARGE, PROMPTS, 2, has_random_weights=True)
    assert (rows[0].benchmark, rows[0].gen_length, rows[0].tokens_per_step) == ("gsm8k", 512, 2)
    assert [row.is_sharpened for row in rows[:3]] == [False, True, False]
    assert {(row.benchmark, row.gen_length) for row in rows[2:]} == {
        (name, length) for name in QUESTION_TOKENS for length in (128, 256, 512)
    }
    trained = list_rows(LARGE, PROMPTS, 2, has_random_weights=False)
    assert trained[0].modes == (EXACT, EARLY_STOP, APPROXIMATE)
    assert not any(row.is_sharpened for row in trained)


def test_goals_are_those_of_the_mode_and_the_length():
    assert sample._goal(EXACT, 128) == 0.75
    assert [sample._goal(EARLY_STOP, length) for length in (256, 512)] == [None, 0.5]
    assert sample._goal(APPROXIMATE, 512) == 0.1


def test_rows_for_which_there_is_no_time_are_named(bench):
    rows = list_rows(TINY, PROMPTS, 2, has_random_weights=True)
    outcomes = list(measure_rows(bench, rows, seconds_left=-1.0))
    assert [outcome.what for outcome in outcomes] == [row.title for row in rows]
    assert all(isinstance(outcome, Skipped) for outcome in outcomes)


def test_prompts_have_the_lengths_of_questions_and_different_first_tokens():
    prompts = random_questions(900)
    assert [len(prompt) - 100 for prompt in prompts["gsm8k"]] == list(QUESTION_TOKENS["gsm8k"])
    assert len({prompt[0] for asked in prompts.values() for prompt in asked}) == 32
    assert max(token for asked in prompts.values() for prompt in asked for token in prompt) < 900
