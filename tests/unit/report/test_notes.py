import pandas as pd
import pytest

from weft.report import notes


@pytest.mark.parametrize(("num_seeds", "is_single"), [(1, True), (3, False)])
def test_with_a_single_seed_the_note_states_what_the_interval_omits(experiment, num_seeds, is_single):
    frame = pd.DataFrame([{"num_seeds_treatment": 3, "num_seeds_control": num_seeds}] * 7)
    covered, chance = notes.table_notes(experiment, "contrasts", frame)
    assert ("single seed" in covered) is is_single
    assert "5 %" in chance
    assert "7" in chance


def test_several_contrasts_are_counted_per_scoring(describe_ablations):
    both = describe_ablations(scoring=["d1", "strict"])
    row = {"num_seeds_treatment": 3, "num_seeds_control": 3}
    rows = [row | {"rules": name, "p_holm": p} for name in both.scoring for p in (0.1, 1.0, None, None)]
    corrected = notes.table_notes(both, "contrasts", pd.DataFrame(rows))[2]
    assert "2 comparisons" in corrected
    assert "below 0.02," in corrected, "2 x 2 / 201"


def test_a_headline_names_its_scoring(experiment, describe_stored):
    assert "rules strict" in notes.on_headline(experiment, "strict")[-1]
    both = describe_stored(scoring=["d1", "strict"])
    first, further = notes.on_headline(both, "d1"), notes.on_headline(both, "strict")
    assert "published" in first[0]
    assert "published" not in further[0]


def test_the_paper_experiment_names_the_inferred_lengths(describe_paper, experiment):
    assert "sudoku 512, countdown 512, gsm8k 256" in notes.on_headline(describe_paper(), "d1")[-1]
    assert "inferred" not in " ".join(notes.on_headline(experiment, "d1"))
