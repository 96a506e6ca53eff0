import pandas as pd
import pytest

from weft.report.conclusions import draw_conclusions

UNDECIDED = "not distinguishable from zero"
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
    "p_holm": 0.824,
    "minimum_detectable_difference": 0.0292,
    "conclusion": UNDECIDED,
}
ABOVE = {"difference": 0.05, "ci_low": 0.01, "ci_high": 0.09, "p_value": 0.0001, "conclusion": "above zero"}
BELOW = {"difference": -0.05, "ci_low": -0.09, "ci_high": -0.01, "p_value": 0.02, "conclusion": "below zero"}
BENCHMARK = {"benchmark": "gsm8k", "p_holm": float("nan"), "conclusion": ""}


def conclude(experiment, *rows):
    return draw_conclusions(experiment, {"contrasts": pd.DataFrame([ROW | row for row in rows])})


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (
            {},
            "95 % interval −1.2 to +2.9 (p = 0.412, Holm = 0.824): not distinguishable from zero",
        ),
        (
            ABOVE | {"p_holm": 0.0004},
            "+5.0 points, 95 % interval +1.0 to +9.0 (p < 0.001, Holm < 0.001): above zero",
        ),
        (
            BELOW | {"p_holm": 0.04},
            "−5.0 points, 95 % interval −9.0 to −1.0 (p = 0.020, Holm = 0.040): below zero",
        ),
        (BELOW | {"conclusion": UNDECIDED}, "(p = 0.020, Holm = 0.824): not distinguishable from zero"),
    ],
)
def test_the_lead_claims_no_more_than_the_corrected_test(experiment, row, text):
    found = conclude(experiment, row, ABOVE | BENCHMARK)
    assert found.lead.endswith(f"{text} (trained on worked, 48 tokens).")
    assert found.comparisons == ()


def test_comparisons_of_averages_are_counted(ablations):
    cart = {"treatment": "cart", "p_holm": 0.0003} | ABOVE
    found = conclude(ablations, {}, BENCHMARK, cart, {"treatment": "cart"} | BELOW | BENCHMARK)
    assert "+0.8 points" in found.lead
    assert found.reservations[2] == (
        "There are 2 comparisons of averages: 1 above zero, 0 below zero, 1 not distinguishable from zero, "
        "after the correction for their number by Holm's method."
    )


def test_what_could_have_been_detected_stands_beside_the_effect_of_the_paper(experiment):
    (_, detectable, _) = conclude(experiment, {}).reservations
    assert "A difference of 2.9 points" in detectable
    assert "The paper reports 0.5 to 0.9 points for LLaDA-8B-Instruct" in detectable
    (_, several, _) = conclude(experiment, {}, {"minimum_detectable_difference": 0.011}).reservations
    assert "A difference of 1.1 to 2.9 points" in several


def test_several_averages_are_counted_first(experiment):
    found = conclude(experiment, {}, {"gen_length": 96} | ABOVE)
    assert "2 comparisons: 1 above zero, 0 below zero, 1 not distinguishable from zero." in found.lead
    assert len(found.comparisons) == 2


def test_without_an_average_the_conclusion_is_about_the_benchmark(experiment):
    found = conclude(experiment, {"benchmark": "sudoku"})
    assert found.lead.startswith("WeFT minus SFT on Sudoku 4×4 (cells): +0.8 points")


def test_only_the_first_scoring_leads_to_conclusions(describe):
    both = describe(scoring=["d1", "strict"])
    strict = {"rules": "strict", "p_holm": float("nan"), "conclusion": ""} | ABOVE
    found = conclude(both, {}, BENCHMARK, strict)
    assert "+0.8 points" in found.lead
    assert "1 comparisons of averages: 0 above zero" in found.reservations[2]


def test_one_seed_has_no_conclusion(describe):
    missing = dict.fromkeys(("p_value", "p_holm", "minimum_detectable_difference"), float("nan"))
    found = conclude(describe(seeds=[1]), missing | {"conclusion": ""})
    assert found.lead == (
        "WeFT minus SFT on average: +0.8 points, 95 % interval −1.2 to +2.9 over the choice of questions, "
        "for these two runs (trained on worked, 48 tokens)."
    )
    (reservation,) = found.reservations
    assert "at least 2 training seeds" in reservation
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
    assert found.lead.startswith("2 of 4 accuracies equal")
    assert "3 of 4 published ones" in found.lead
    assert found.reservations[0].startswith("1 of 4 accuracies are over a part")


def test_complete_benchmarks_need_no_reservation(stored):
    assert agreement(stored, ("sudoku", 128, 256, 0.117188, 0.117, 0.09, 0.14)).reservations == ()


def test_without_published_numbers_there_is_no_comparison(stored):
    found = agreement(stored, ("sudoku", 128, 256, 0.117188, float("nan"), 0.09, 0.14))
    assert found.lead == "No published numbers are known for LLaDA-8B-Instruct."
