import subprocess
import sys

import pytest

from weft.report.outputs import (
    figure_files,
    gradient_file,
    has_ablations,
    has_gradients,
    is_paper,
    list_figures,
    list_headlines,
    list_tables,
    score_files,
    table_files,
    trace_file,
)


def test_fine_tuning_files(experiment):
    assert table_files(experiment)[:3] == ["headline.csv", "headline.md", "headline.tex"]
    assert list_tables(experiment) == ["headline", "contrasts", "answers", "ratios", "methods", "scores"]
    assert figure_files(experiment)[-2:] == ["time_per_step.png", "time_per_step.pdf"]


def test_stored_generations_have_fewer_files(stored):
    assert list_tables(stored) == ["headline", "rules", "answers", "scores"]
    assert figure_files(stored) == ["accuracy.png", "accuracy.pdf"]
    assert score_files(stored)[1] == "scores/d1/published/countdown/256.jsonl"


def test_score_files_stand_in_the_order_of_the_tables(experiment):
    assert score_files(experiment)[:3] == [
        "scores/d1/base/sudoku/48.jsonl",
        "scores/d1/base/gsm8k/48.jsonl",
        "scores/d1/sft-worked-seed1/sudoku/48.jsonl",
    ]


def test_every_further_set_of_rules_has_a_headline_behind_the_first(
    describe, describe_paper, describe_stored
):
    both = {"scoring": ["d1", "strict"]}
    assert list_headlines(describe(scoring=["strict", "d1"])) == {"headline": "strict", "headline_d1": "d1"}
    assert list_tables(describe_stored(**both))[:3] == ["headline", "headline_strict", "rules"]
    assert list_tables(describe_paper(**both)) == [
        "headline", "headline_strict", "published", "contrasts", "answers", "ratios", "methods", "scores",
    ]  # fmt: skip
    files = score_files(describe(**both))
    assert files[len(files) // 2] == "scores/strict/base/sudoku/48.jsonl"


def test_ablations_and_gradients_have_files_of_their_own(ablations, describe_ablations, experiment, stored):
    assert list_tables(ablations) == [
        "headline", "contrasts", "costs", "answers", "gradients", "ratios", "methods", "scores",
    ]  # fmt: skip
    assert list_figures(ablations) == [
        "accuracy", "contrasts", "training_loss", "token_entropy", "ratios", "gradient_share",
        "gradient_variance", "time_per_step",
    ]  # fmt: skip
    one_contrast, no_study = describe_ablations(further_contrasts=[]), describe_ablations(gradient_study=None)
    assert {"gradients"} == set(list_tables(one_contrast)) - set(list_tables(experiment))
    assert {"costs"} == set(list_tables(no_study)) - set(list_tables(experiment))
    assert {"contrasts"} == set(list_figures(no_study)) - set(list_figures(experiment))
    assert not has_ablations(stored)
    assert not has_gradients(stored)
    assert gradient_file("worked") == "gradients/worked.parquet"


def test_answers_are_shown_step_by_step_for_the_base_model_and_the_main_contrast(
    describe_ablations, describe_paper, stored
):
    assert [trace_file(run) for run in describe_paper().traced_runs] == [
        "traces/base.html", "traces/sft-s1k-seed1.html", "traces/weft-s1k-seed1.html",
    ]  # fmt: skip
    others = describe_ablations(contrast=["cart", "weft"], further_contrasts=[], seeds=[7, 8])
    assert [run.run_id for run in others.traced_runs] == ["base", "weft-worked-seed7", "cart-worked-seed7"]
    assert stored.traced_runs == []


def test_the_paper_experiment_is_compared_with_the_paper(describe_paper):
    assert is_paper(describe_paper())
    assert "published.csv" in table_files(describe_paper())


@pytest.mark.parametrize("key", ["name", "base_model", "benchmarks"])
def test_other_names_models_and_questions_never_stand_beside_the_paper(describe, describe_paper, key):
    small = getattr(describe(), key)
    assert not is_paper(describe_paper(**{key: small if key == "name" else describe().model_dump()[key]}))


def test_another_hub_model_never_stands_beside_the_paper(describe_paper):
    other = {"source": "hub", "repo": "someone/LLaDA-tiny", "revision": "main"}
    assert not is_paper(describe_paper(base_model=other))


def test_the_file_names_need_no_heavy_library():
    code = (
        "import sys, weft.report.outputs; "
        "print({'numpy', 'pandas', 'matplotlib', 'jinja2', 'torch'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
