import pandas as pd
import pytest

from weft.report.conclusions import compare_rules, draw_conclusions

ROW = {
    "dataset": "worked",
    "benchmark": "average",
    "gen_length": 48,
    "rules": "d1",
    "treatment": "weft",
    "control": "sft",
    "difference": 0.008,
    "ci_low": -0.012,
    "ci_high": 0.029,
    "p_value": 0.412,
}
ABOVE = {"difference": 0.05, "ci_low": 0.01, "ci_high": 0.09, "p_value": 0.0001}
BELOW = {"difference": -0.05, "ci_low": -0.09, "ci_high": -0.01, "p_value": 0.02}


def conclude(experiment, *rows):
    return draw_conclusions(experiment, {"contrasts": pd.DataFrame([ROW | row for row in rows])})


def test_an_interval_that_holds_zero_is_called_not_distinguishable(experiment):
    assert conclude(experiment, {}).lead == (
        "WeFT minus SFT on average: +0.8 points, 95 % interval −1.2 to +2.9 (p = 0.412): "
        "not distinguishable from zero (trained on worked, 48 tokens)."
    )


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (ABOVE, "+5.0 points, 95 % interval +1.0 to +9.0 (p < 0.001): above zero"),
        (BELOW, "(p = 0.020): below zero"),
    ],
)
def test_other_intervals_are_called_by_their_side(experiment, row, text):
    assert text in conclude(experiment, row).lead


def test_every_benchmark_gets_a_sentence(experiment):
    found = conclude(experiment, {}, {"benchmark": "gsm8k"} | ABOVE, {"benchmark": "sudoku"} | BELOW)
    assert len(found.benchmarks) == 2
    assert "on arithmetic (GSM8K rules): +5.0" in found.benchmarks[0]
    assert "below zero" in found.benchmarks[1]
    assert "3 intervals are shown (1 above zero, 1 below zero, 1 not distinguishable" in found.reservations[1]


def test_further_contrasts_have_a_sentence_each_and_leave_the_lead_alone(ablations):
    main = {"p_holm": 0.824}
    cart = {"treatment": "cart", "p_holm": 0.0003} | ABOVE
    benchmark = {"treatment": "cart", "benchmark": "gsm8k"} | BELOW
    found = conclude(ablations, main, {"benchmark": "sudoku"}, cart, benchmark)
    assert found.lead.startswith("WeFT minus SFT on average: +0.8 points")
    assert "(p = 0.412, Holm = 0.824)" in found.lead
    assert len(found.benchmarks) == 1
    assert found.further == (
        "CART minus SFT on average: +5.0 points, 95 % interval +1.0 to +9.0 (p < 0.001, Holm < 0.001): above "
        "zero (trained on worked, 48 tokens).",
    )
    assert "4 intervals are shown (1 above zero, 1 below zero" in found.reservations[1]
    assert found.reservations[2].startswith("2 comparisons on the average were tested")
    assert "1 of them differ from zero at the level of 5 %" in found.reservations[2]


def test_several_averages_are_counted_first(experiment):
    found = conclude(experiment, {}, {"gen_length": 96} | ABOVE)
    assert "2 comparisons: 1 above zero, 0 below zero, 1 not distinguishable from zero." in found.lead
    assert len(found.averages) == 2


def test_without_an_average_the_benchmark_leads(experiment):
    found = conclude(experiment, {"benchmark": "sudoku"})
    assert found.lead.startswith("WeFT minus SFT on Sudoku 4×4 (cells): +0.8 points")
    assert found.benchmarks == ()


def test_only_the_first_rules_lead_to_conclusions(describe):
    both = describe(scoring=["d1", "strict"])
    found = conclude(
        both,
        {},
        {"benchmark": "gsm8k"},
        *({"rules": "strict", "benchmark": name} | ABOVE for name in ("average", "gsm8k")),
    )
    assert "+0.8 points" in found.lead
    assert len(found.benchmarks) == 1
    assert "2 intervals by d1 are shown (0 above zero" in found.reservations[1]


def test_what_the_rules_count_is_one_sentence(describe, experiment):
    rows = [("d1", 1200, 700, 0), ("d1", 100, 1, 2), ("strict", 1200, 800, 3), ("strict", 100, 0, 1)]
    scores = pd.DataFrame(rows, columns=["rules", "n", "num_correct", "num_unscorable"])
    assert compare_rules(describe(scoring=["d1", "strict"]), scores) == (
        "Of 1,300 answers 701 by d1 and 800 by strict are right, 2 by d1 and 4 by strict cannot be scored; "
        "these count as not right. Sentences above are by d1."
    )
    assert compare_rules(experiment, scores) == ""


def test_one_seed_is_said_to_leave_training_noise_unknown(describe):
    assert "one training seed" in conclude(describe(seeds=[1]), {}).reservations[0]
    assert "3 seeds" in conclude(describe(), {}).reservations[0]


def agreement(stored, *cells):
    columns = ["benchmark", "gen_length", "n", "accuracy", "published_accuracy", "ci_low", "ci_high"]
    return draw_conclusions(stored, {"scores": pd.DataFrame(cells, columns=columns).assign(rules="d1")})


def test_agreement_with_published_numbers_is_counted(stored):
    found = agreement(
        stored,
        ("sudoku", 128, 256, 0.117188, 0.117, 0.09, 0.14),
        ("sudoku", 256, 256, 0.0665, 0.067, 0.0665, 0.0665),
        ("gsm8k", 128, 1130, 0.692920, 0.687, 0.66, 0.72),
        ("math500", 128, 500, 0.3, 0.26, 0.27, 0.33),
        ("gsm8k", 256, 1130, 0.763717, float("nan"), 0.73, 0.79),
    )
    assert found.lead == (
        "2 of 4 accuracies equal the published ones to the printed digit; 3 of 4 published ones are equal or "
        "within the 95 % interval of ours."
    )
    assert found.benchmarks == (
        "GSM8K, 128 tokens: 69.3 here (1130 of 1319 questions), 68.7 published, +0.6 points.",
        "MATH-500, 128 tokens: 30.0 here (500 of 500 questions), 26.0 published, +4.0 points.",
    )
    assert found.reservations[0].startswith("1 of 4 accuracies are over a part")


def test_complete_benchmarks_need_no_reservation(stored):
    assert agreement(stored, ("sudoku", 128, 256, 0.117188, 0.117, 0.09, 0.14)).reservations == ()


def test_without_published_numbers_nothing_is_claimed(stored):
    found = agreement(stored, ("sudoku", 128, 256, 0.117188, float("nan"), 0.09, 0.14))
    assert found.lead == "No published numbers are known for LLaDA-8B-Instruct."
