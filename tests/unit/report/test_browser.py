import base64
import json
import random
import zlib
from dataclasses import replace

import pytest

from tests.unit.report.conftest import SVG
from weft.records import Generation
from weft.report.browser import make_browser
from weft.report.outputs import list_figures
from weft.report.page import render_page


def unpacked(browser):
    return json.loads(zlib.decompress(base64.b64decode(browser.data)))


@pytest.fixture
def answers(experiment, write, read_answers, tmp_path):
    return read_answers(write(experiment, tmp_path))


def test_the_models_of_the_main_contrast_stand_side_by_side(experiment, results, answers):
    data = unpacked(make_browser(experiment, results, answers))
    assert data["columns"] == ["base model", "SFT", "WeFT"]
    assert data["benchmarks"] == ["Sudoku 4×4 (cells)", "arithmetic (GSM8K rules)"]
    assert len(data["questions"]) == 48
    assert data["questions"][24] == {
        "benchmark": 1, "example_id": "q0", "text": "Q0", "gold": "7", "is_first": True,
    }  # fmt: skip
    assert [question["is_first"] for question in data["questions"]].count(True) == 2
    assert [item["seed"] for item in data["comparisons"]] == [1, 2, 3]
    sheets = [data["sheets"][place] for place in data["comparisons"][1]["sheets"]]
    assert [sheet["label"] for sheet in sheets] == [
        "base model",
        "SFT, worked, seed 2",
        "WeFT, worked, seed 2",
    ]
    scores = [
        score for file in results.scores if file.run.run_id == "weft-worked-seed2" for score in file.scores
    ]
    assert sheets[2]["verdicts"] == "".join(score.verdict[0] for score in scores)
    assert sheets[2]["texts"]["answers"] == [score.example_id.replace("q", "G") for score in scores]
    assert {sheet["trace"] for sheet in data["sheets"]} == {None}


def test_pages_step_by_step_are_linked_where_they_exist(experiment, results, answers):
    data = unpacked(make_browser(experiment, replace(results, traces=experiment.traced_runs), answers))
    assert {sheet["label"]: sheet["trace"] for sheet in data["sheets"] if sheet["trace"]} == {
        "base model": "traces/base.html",
        "SFT, worked, seed 1": "traces/sft-worked-seed1.html",
        "WeFT, worked, seed 1": "traces/weft-worked-seed1.html",
    }
    assert data["trace_length"] == 48


def test_notes_say_what_is_shown(experiment, results, answers):
    notes = " ".join(make_browser(experiment, results, answers).notes)
    assert "of the d1 scoring; an unscorable answer counts as wrong." in notes
    for text in ("questions, chosen", "combinations", "cut", "not found"):
        assert text not in notes
    browser = make_browser(experiment, results, answers, max_questions=10, max_bytes=1)
    notes = " ".join(browser.notes)
    assert "The page shows 10 of 48 questions" in notes
    assert "For 2 of 3 combinations" in notes
    assert "Texts of more than 500 characters are cut" in notes
    data = unpacked(browser)
    assert [data["sheets"][place]["texts"] is None for place in data["comparisons"][1]["sheets"]] == [
        False, True, True,
    ]  # fmt: skip
    assert all(len(sheet["verdicts"]) == 10 for sheet in data["sheets"])
    assert sum(sum(totals.values()) for totals in data["comparisons"][1]["totals"]) == 48
    notes = " ".join(make_browser(experiment, results, lambda file: None).notes)
    assert "were not found in 14 cases" in notes


def test_stored_generations_have_one_column(stored, stored_results):
    browser = make_browser(stored, stored_results, lambda file: None)
    data = unpacked(browser)
    assert (data["columns"], data["pair"]) == (["LLaDA-8B-Instruct"], None)
    assert [kind for kind, _ in data["filters"]] == ["", "correct", "wrong", "unscorable"]
    assert [item["gen_length"] for item in data["comparisons"]] == [256, 128]
    assert "counts as wrong" not in " ".join(browser.notes)


def test_questions_that_were_not_asked_at_a_length_are_marked(stored, stored_results, with_scores):
    files = [
        file if file.gen_length == 256 else with_scores(file, file.scores[:5])
        for file in stored_results.scores
    ]
    data = unpacked(make_browser(stored, replace(stored_results, scores=files), lambda file: None))
    assert [sheet["verdicts"].count("-") for sheet in data["sheets"]] == [0, 2 * 19]


@pytest.mark.parametrize("num_words", [42, 384])  # of 56 and 512 tokens
def test_a_page_with_a_thousand_questions_is_below_five_megabytes(
    experiment, results, tables, with_scores, num_words
):
    rng = random.Random(1)
    vocabulary = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(2, 8))) for _ in range(4000)]
    weights = [1 / rank for rank in range(1, 4001)]  # as in natural language
    words = rng.choices(vocabulary, weights, k=100_000)

    def write_answer(example_id, benchmark):
        start = rng.randrange(len(words) - num_words)  # a text repeats outside of the window of zlib only
        text = " ".join(words[start : start + num_words])
        fields = {"question": f"Question {example_id}", "reference": "7", "generation": text}
        return Generation(example_id=example_id, benchmark=benchmark, **fields)

    def answer(file):
        return {score.example_id: write_answer(score.example_id, file.benchmark) for score in file.scores}

    def repeat(scores):
        return [scores[i % 24].model_copy(update={"example_id": f"q{i}"}) for i in range(500)]

    files = [with_scores(file, repeat(file.scores)) for file in results.scores]
    browser = make_browser(experiment, replace(results, scores=files), answer)
    data = unpacked(browser)
    assert len(data["questions"]) == 1000
    for place in data["comparisons"][0]["sheets"]:
        lengths = {len(text.split()) for text in data["sheets"][place]["texts"]["answers"]}
        assert lengths == {num_words} if num_words < 100 else min(lengths) > 200, "long ones may be cut"
    figures = dict.fromkeys(list_figures(experiment), SVG)
    assert 10**5 < len(render_page(experiment, results, tables, figures, browser).encode()) < 3.3e6


def test_the_same_answers_give_the_same_browser(experiment, results, answers):
    assert make_browser(experiment, results, answers) == make_browser(experiment, results, answers)
