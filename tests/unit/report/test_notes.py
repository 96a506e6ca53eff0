import pandas as pd
import pytest

from weft.report import notes


@pytest.mark.parametrize(("num_seeds", "is_said"), [(1, True), (3, False)])
def test_a_single_seed_is_said_not_to_cover_training_noise(experiment, num_seeds, is_said):
    frame = pd.DataFrame([{"num_seeds_treatment": 3, "num_seeds_control": num_seeds}])
    assert ("questions only" in notes.on_contrasts(experiment, frame)[0]) is is_said


def test_intervals_are_counted(experiment):
    frame = pd.DataFrame([{"num_seeds_treatment": 3, "num_seeds_control": 3}] * 7)
    said = notes.on_contrasts(experiment, frame)[1]
    assert said.endswith("about 5 % of such intervals would still exclude zero; here are 7.")


def test_several_contrasts_are_counted_per_rules(describe_ablations):
    both = describe_ablations(scoring=["d1", "strict"])
    row = {"num_seeds_treatment": 3, "num_seeds_control": 3}
    rows = [row | {"rules": rules, "p_holm": p} for rules in both.scoring for p in (0.1, 1.0, None, None)]
    said = notes.on_contrasts(both, pd.DataFrame(rows))[2]
    assert said.startswith(
        "2 comparisons on the average over benchmarks were tested by each set of rules; p, "
    )
    assert "It cannot be below 0.02," in said, "2 x 2 / 201"


def test_draws_are_counted(ablations):
    assert notes.on_gradients(ablations, pd.DataFrame({"num_draws": [64, 64]}))[0].startswith(
        "Before training, 64 draws"
    )
    assert "64 to 96 draws" in notes.on_gradients(ablations, pd.DataFrame({"num_draws": [96, 64]}))[0]


def test_a_headline_says_which_rules_it_is_by(experiment, describe_stored):
    assert "Rules strict" in notes.on_headline(experiment, "strict")[-1]
    both = describe_stored(scoring=["d1", "strict"])
    first, further = notes.on_headline(both, "d1"), notes.on_headline(both, "strict")
    assert "The second row is the published table" in first[0]
    assert "published" not in further[0]


def test_the_paper_experiment_names_the_inferred_lengths(describe_paper, experiment):
    assert "sudoku 512, countdown 512, gsm8k 256" in notes.on_headline(describe_paper(), "d1")[-1]
    assert "inference" not in " ".join(notes.on_headline(experiment, "d1"))
