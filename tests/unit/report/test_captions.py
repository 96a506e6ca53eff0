from dataclasses import replace

import pytest

from weft.report.captions import TITLES, figure_caption
from weft.report.outputs import list_figures


def test_every_figure_has_a_title_and_a_caption(ablations, ablated, stored, stored_results):
    for experiment, results in ((ablations, ablated), (stored, stored_results)):
        for name in list_figures(experiment):
            caption = figure_caption(experiment, results, name)
            assert TITLES[name]
            assert caption.startswith("The figure shows")
            assert caption.endswith(".")


def test_the_accuracy_caption_counts_questions_and_seeds(experiment, results):
    caption = figure_caption(experiment, results, "accuracy")
    assert "24 questions" in caption
    assert "3 training seeds" in caption
    first = results.scores[0]
    columns = replace(first.columns, example_ids=first.columns.example_ids[:20])
    shorter = [replace(first, columns=columns), *results.scores[1:]]
    assert "20 to 24 questions" in figure_caption(experiment, replace(results, scores=shorter), "accuracy")


def test_different_divisors_are_said_not_to_be_comparable(describe, experiment, results):
    weft = {"preset": "weft", "divisor": "answer_tokens"}
    same = describe(methods={"sft": {"preset": "sft"}, "weft": weft})
    assert "cannot be compared" in figure_caption(experiment, results, "training_loss")
    assert "cannot be compared" not in figure_caption(same, results, "training_loss")


def test_the_caption_counts_the_grey_learning_curves(ablations, ablated, describe_ablations):
    presets = ("sft", "weft", "cart", "weft-permuted", "weft-frozen")
    many = describe_ablations(methods={name: {"preset": name} for name in presets})
    assert "grey" not in figure_caption(ablations, ablated, "learning_curves")
    assert "the 3 other methods" in figure_caption(many, ablated, "learning_curves")


@pytest.mark.parametrize(("counts", "text"), [((64, 64), "over 64 draws"), ((96, 64), "over 64 to 96 draws")])
def test_draws_are_counted(ablations, ablated, counts, text):
    frame = ablated.gradients["worked"].copy()
    frame["num_draws"] = [counts[0]] + [counts[1]] * (len(frame) - 1)
    results = replace(ablated, gradients={"worked": frame})
    assert text in figure_caption(ablations, results, "gradient_variance")


def test_the_captions_of_words_state_their_number_and_minimum_count(experiment, results):
    for name in ("entropy_words", "word_cloud"):
        caption = figure_caption(experiment, results, name)
        assert "The ranking has 7 words with at least 20 occurrences in worked." in caption
        assert "signs" not in caption
    symbols = results.probes["worked"].assign(token=" 7")
    caption = figure_caption(experiment, replace(results, probes={"a": symbols, "b": symbols}), "word_cloud")
    assert "has 1 numbers and signs with at least 20 occurrences in a and 1 numbers" in caption
    assert "where no word is frequent" in caption


def test_a_single_training_seed_is_not_called_a_mean(describe, load):
    one = describe(seeds=[1])
    caption = figure_caption(one, load(one), "accuracy")
    assert "a single training run of each method" in caption
    assert "training seeds" not in caption
