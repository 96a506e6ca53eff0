import subprocess
import sys

from weft.report.outputs import (
    has_ablations,
    list_figures,
    list_headlines,
    list_tables,
)


def test_fine_tunings_and_stored_generations_have_their_tables_and_figures(experiment, stored):
    assert list_tables(experiment) == [
        "table1", "headline", "gains", "contrasts", "seeds", "costs", "answers", "ratios", "words", "methods",
        "scores",
    ]  # fmt: skip
    assert list_figures(experiment) == [
        "forest", "accuracy", "training_loss", "token_entropy", "entropy_words", "word_cloud", "ratios",
        "time_per_step",
    ]  # fmt: skip
    assert list_tables(stored) == ["headline", "agreement", "rules", "answers", "unscorable", "scores"]
    assert list_figures(stored) == ["accuracy", "accuracy_by_length"]
    assert "agreement" not in list_tables(stored.model_copy(update={"scoring": ["strict"]}))


def test_every_further_scoring_has_a_headline_behind_the_first(describe, describe_paper, describe_stored):
    both = {"scoring": ["d1", "strict"]}
    assert list_headlines(describe(scoring=["strict", "d1"])) == {"headline": "strict", "headline_d1": "d1"}
    assert list_tables(describe_stored(**both))[:3] == ["headline", "headline_strict", "agreement"]
    assert list_tables(describe_paper(**both)) == [
        "table1", "headline", "headline_strict", "published", "gains", "contrasts", "seeds", "costs",
        "answers", "ratios", "words", "methods", "scores",
    ]  # fmt: skip


def test_ablations_and_gradients_have_tables_and_figures(ablations, describe_ablations, experiment, stored):
    assert list_tables(ablations) == [
        "table1", "headline", "gains", "contrasts", "seeds", "learning_curves", "learning_speed", "costs",
        "answers", "gradients", "ratios", "words", "methods", "scores",
    ]  # fmt: skip
    assert list_figures(ablations) == [
        "forest", "accuracy", "contrasts", "learning_curves", "training_loss", "token_entropy",
        "entropy_words", "word_cloud", "ratios", "gradient_share", "gradient_variance", "time_per_step",
    ]  # fmt: skip
    one_contrast, no_study = describe_ablations(further_contrasts=[]), describe_ablations(gradient_study=None)
    no_curve = describe_ablations(gradient_study=None, learning_curve=None)
    curves, usual = {"learning_curves", "learning_speed"}, set(list_tables(experiment))
    assert {"gradients", *curves} == set(list_tables(one_contrast)) - usual
    assert curves == set(list_tables(no_study)) - usual
    assert set(list_tables(no_curve)) == usual
    assert {"contrasts"} == set(list_figures(no_curve)) - set(list_figures(experiment))
    assert not has_ablations(stored)
    assert not stored.has_gradient_study


def test_the_lists_need_no_heavy_library():
    code = (
        "import sys, weft.report.outputs; "
        "print({'numpy', 'pandas', 'matplotlib', 'jinja2', 'torch'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
