import pandas as pd
import pytest

from tests.unit.report.conftest import CONTRAST
from weft.report.conclusions import draw_conclusions

UNDECIDED = "not distinguishable from zero"
ROW = CONTRAST | {"p_holm": 0.824}
ABOVE = {"difference": 0.05, "ci_low": 0.01, "ci_high": 0.09, "p_value": 0.0001, "conclusion": "above zero"}
BELOW = {"difference": -0.05, "ci_low": -0.09, "ci_high": -0.01, "p_value": 0.02, "conclusion": "below zero"}
BENCHMARK = {"benchmark": "gsm8k", "p_holm": float("nan"), "conclusion": ""}


SCORES = [
    {"run": "base", "benchmark": name, "rules": "d1", "n": 24, "num_unscorable": 0, "num_timed_out": 0}
    for name in ("sudoku", "gsm8k")
]
SOURCE = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}


def conclude(experiment, *rows, scores=SCORES):
    contrasts = pd.DataFrame([ROW | row for row in rows])
    return draw_conclusions(experiment, {"contrasts": contrasts, "scores": pd.DataFrame(scores)})


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({}, "+0.8 points (95 % interval −1.2 to +2.9; {size}), not distinguishable from zero"),
        (ABOVE | {"p_holm": 0.0004}, "+5.0 points (95 % interval +1.0 to +9.0; {size}), above zero"),
        (
            BELOW | {"conclusion": UNDECIDED},
            "−5.0 points (95 % interval −9.0 to −1.0; {size}), not distinguishable from zero",
        ),
    ],
)
def test_the_lead_claims_no_more_than_the_corrected_test(experiment, row, text):
    found = conclude(experiment, row, ABOVE | BENCHMARK)
    claim = text.format(size="3 training seeds, 2 × 24 questions")
    assert found.lead == (
        f"WeFT minus SFT on average: {claim}. The comparison could have detected about 2.9 points. The paper "
        "reports 0.5 to 0.9 points on average over its benchmarks, for LLaDA-8B-Instruct."
    )
    assert found.comparisons == ()


def test_several_comparisons_stand_in_the_lead_and_have_p_values_below(describe):
    experiment = describe(datasets={"worked": SOURCE, "large": SOURCE})
    found = conclude(experiment, {}, {"dataset": "large"} | ABOVE | {"p_holm": 0.0003})
    assert found.lead.startswith(
        "WeFT minus SFT on average, in points with 95 % intervals: +0.8 (−1.2 to +2.9) trained on worked; "
        "+5.0 (+1.0 to +9.0) trained on large (3 training seeds, 2 × 24 questions), 1 above zero, 1 not "
        "distinguishable from zero after correction for 2 comparisons. The comparisons could have detected "
        "about 2.9 points, before this correction."
    )
    assert found.comparisons == (
        "WeFT minus SFT on average, trained on worked: +0.8 points (95 % interval −1.2 to +2.9), p = 0.412, "
        "Holm = 0.824, not distinguishable from zero.",
        "WeFT minus SFT on average, trained on large: +5.0 points (95 % interval +1.0 to +9.0), p < 0.001, "
        "Holm < 0.001, above zero.",
    )


def test_many_comparisons_are_counted(describe):
    names = [f"d{index}" for index in range(5)]
    experiment = describe(datasets=dict.fromkeys(names, SOURCE))
    found = conclude(experiment, *({"dataset": name} for name in names))
    assert "+0.8 to +0.8 points in 5 comparisons (3 training seeds, 2 × 24 questions), 5 not" in found.lead
    assert len(found.comparisons) == 5


def test_the_lead_is_about_the_lengths_of_the_paper(describe_paper):
    mixed = {"dataset": "s1k", "gen_length": "mixed", "difference": 0.01}
    rows = [mixed, mixed | {"dataset": "s1k.1.1"}, {"dataset": "s1k", "gen_length": 256, "difference": 0.33}]
    found = conclude(describe_paper(), *rows)
    assert "+1.0 (" in found.lead
    assert "33.0" not in found.lead
    assert len(found.comparisons) == 3


def test_all_comparisons_of_averages_are_counted(ablations):
    cart = ABOVE | {"treatment": "cart", "p_holm": 0.0003}
    found = conclude(ablations, {}, BENCHMARK, cart, {"treatment": "cart"} | BELOW | BENCHMARK)
    assert "+0.8 points" in found.lead
    assert found.reservations[1] == (
        "2 comparisons of averages: 1 above zero, 1 not distinguishable from zero, after the correction for "
        "their number by Holm's method."
    )


def test_a_range_of_detectable_differences_is_stated(describe):
    experiment = describe(datasets={"worked": SOURCE, "large": SOURCE})
    found = conclude(experiment, {}, {"dataset": "large", "minimum_detectable_difference": 0.011})
    assert "The comparisons could have detected about 1.1 to 2.9 points, before" in found.lead


def test_without_an_average_the_conclusion_is_about_the_benchmark(describe):
    experiment = describe(benchmarks={"sudoku": {"source": "generated", "num_examples": 24, "seed": 1}})
    found = conclude(experiment, {"benchmark": "sudoku"}, scores=SCORES[:1])
    assert found.lead.startswith("WeFT minus SFT on Sudoku 4×4 (cells): +0.8 points")
    assert "3 training seeds, 24 questions" in found.lead


def test_only_the_first_scoring_leads_to_conclusions(describe):
    both = describe(scoring=["d1", "strict"])
    strict = ABOVE | {"rules": "strict", "p_holm": float("nan"), "conclusion": ""}
    found = conclude(both, {}, BENCHMARK, strict)
    assert "+0.8 points" in found.lead
    assert "1 comparison of averages" in found.reservations[1]


def test_one_seed_has_no_conclusion(describe):
    missing = dict.fromkeys(("p_value", "p_holm", "minimum_detectable_difference"), float("nan"))
    found = conclude(describe(seeds=[1]), missing | {"conclusion": ""})
    assert found.lead == (
        "WeFT minus SFT on average: +0.8 points (95 % interval −1.2 to +2.9 over questions, for these two "
        "runs; 1 training seed, 2 × 24 questions); one training seed allows no conclusion. The paper reports "
        "0.5 to 0.9 points on average over its benchmarks, for LLaDA-8B-Instruct."
    )
    (reservation,) = found.reservations
    assert "these two runs" in reservation
    assert "at least 2 training seeds" in reservation
    assert "5 seeds" in conclude(describe(seeds=[1, 2, 3, 4, 5]), {}).reservations[0]


def test_one_seed_and_several_training_sets_say_so_in_the_lead(describe):
    missing = dict.fromkeys(("p_value", "p_holm", "minimum_detectable_difference"), float("nan"))
    experiment = describe(seeds=[1], datasets={"worked": SOURCE, "large": SOURCE})
    rows = [missing | {"conclusion": "", "dataset": name} for name in ("worked", "large")]
    lead = conclude(experiment, *rows).lead
    assert "in points with 95 % intervals over questions, for these two runs: +0.8" in lead
    assert "one training seed allows no conclusion." in lead


def test_another_contrast_is_not_compared_with_the_paper(describe):
    experiment = describe(contrast=["sft", "weft"])
    found = conclude(experiment, {"treatment": "sft", "control": "weft"})
    assert "paper" not in found.lead


def test_comparisons_with_the_base_model_are_named_where_they_are_tested(experiment):
    base = ABOVE | {"treatment": "sft", "control": "base", "p_holm": 0.0003}
    assert "those with the base model included" in conclude(experiment, {}, base).reservations[1]


def agreement(stored, *cells):
    columns = ["benchmark", "gen_length", "n", "accuracy", "published_accuracy", "ci_low", "ci_high"]
    scores = pd.DataFrame(cells, columns=columns).assign(
        run="published", rules="d1", num_unscorable=0, num_timed_out=0
    )
    return draw_conclusions(stored, {"scores": scores})


def test_agreement_with_published_numbers_is_counted(stored):
    found = agreement(
        stored,
        ("sudoku", 128, 256, 0.117188, 0.117, 0.09, 0.14),
        ("sudoku", 256, 256, 0.0665, 0.067, 0.0665, 0.0665),
        ("gsm8k", 128, 1130, 0.692920, 0.687, 0.66, 0.72),
        ("math500", 128, 500, 0.3, 0.26, 0.27, 0.33),
        ("gsm8k", 256, 1130, 0.763717, float("nan"), 0.73, 0.79),
    )
    assert found.lead.startswith("3 of 4 published accuracies equal ours or lie within the 95 % interval")
    assert found.reservations[0].startswith("1 of 4 accuracies here are over a part")


def test_complete_benchmarks_need_no_reservation(stored):
    assert agreement(stored, ("sudoku", 128, 256, 0.117188, 0.117, 0.09, 0.14)).reservations == ()


def test_without_published_numbers_there_is_no_comparison(stored):
    found = agreement(stored, ("sudoku", 128, 256, 0.117188, float("nan"), 0.09, 0.14))
    assert found.lead == "No published numbers are known for LLaDA-8B-Instruct."


def test_the_lead_counts_the_verdicts_that_equal_those_of_d1(stored):
    columns = ["benchmark", "gen_length", "n", "num_compared", "num_equal"]

    def lead(*counts):
        rows = [("sudoku", 128, 1000, *pair) for pair in counts]
        values = ("sudoku", 128, 256, 0.117188, 0.117, 0.09, 0.14, "d1")
        names = ["benchmark", "gen_length", "n", "accuracy", "published_accuracy", "ci_low", "ci_high"]
        known = pd.DataFrame([values], columns=[*names, "rules"]).assign(
            run="published", num_unscorable=0, num_timed_out=0
        )
        tables = {"scores": known, "agreement": pd.DataFrame(rows, columns=columns)}
        return draw_conclusions(stored, tables).lead

    assert lead((1000, 1000), (500, 500)).startswith("All 1,500 verdicts under d1 scoring equal")
    assert lead((1000, 999), (500, 500)).startswith("1,499 of 1,500 verdicts under d1 scoring equal")
    assert lead((0, 0)).startswith("1 of 1 published accuracies")
