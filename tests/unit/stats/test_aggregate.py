import importlib
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from weft.errors import ScoringError
from weft.stats.aggregate import AVERAGE, MIN_QUESTIONS, LengthMix, ScoreSet, aggregate
from weft.stats.intervals import wilson_interval

MODULE = importlib.import_module("weft.stats.aggregate")  # the package has a function of this name
IDS = ("q1", "q2", "q3", "q4")


@pytest.fixture(autouse=True)
def few_questions(monkeypatch):
    """Let four questions suffice for an interval, so that the numbers can be computed by hand."""
    monkeypatch.setattr(MODULE, "MIN_QUESTIONS", len(IDS))


def score_set(method="sft", seed=1, benchmark="gsm8k", credit=(1, 0, 0, 1), **changes):
    credit = np.asarray(credit, dtype=float)
    one = ScoreSet(
        run=method if seed is None else f"{method}-s1k-seed{seed}",
        method=method,
        dataset=None if seed is None else "s1k",
        seed=seed,
        benchmark=benchmark,
        gen_length=48,
        scoring="d1",
        example_ids=IDS,
        credit=credit,
        weight=np.ones(credit.size),
        is_correct=credit == 1,
        is_unscorable=np.zeros(credit.size, dtype=bool),
    )
    return replace(one, **changes)


def shuffled(scores):
    order = [3, 1, 0, 2]
    names = "credit", "weight", "is_correct", "is_unscorable"
    arrays = {name: getattr(scores, name)[order] for name in names}
    return replace(scores, example_ids=tuple(scores.example_ids[place] for place in order), **arrays)


def sudoku(method="sft", seed=1, credit=(1, 0.5, 0.25, 0), **changes):
    return score_set(method, seed, "sudoku", credit, **{"weight": np.full(4, 8.0)} | changes)


EXPERIMENT = [
    score_set("base", None),
    sudoku("base", None),
    score_set(credit=(1, 1, 0, 0)),
    sudoku(credit=(1, 0, 0, 0)),
    score_set(seed=2, credit=(1, 1, 1, 0)),
    sudoku(seed=2, credit=(1, 1, 0, 0)),
    score_set("weft", credit=(1, 1, 1, 1)),
    sudoku("weft"),
    score_set("weft", seed=2, credit=(1, 1, 1, 1)),
    sudoku("weft", seed=2),
]


def run(score_sets, contrasts=(("weft", "sft"),), mix=None):
    return aggregate(score_sets, contrasts=contrasts, confidence=0.95, mix=mix)


def row(frame, **values):
    chosen = frame[np.logical_and.reduce([frame[name] == value for name, value in values.items()])]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_scores_have_a_row_per_run_and_benchmark_in_the_given_order():
    scores = run(EXPERIMENT).scores
    assert list(scores["run"])[:4] == ["base", "base", "sft-s1k-seed1", "sft-s1k-seed1"]
    assert list(scores["benchmark"])[:2] == ["gsm8k", "sudoku"]
    assert scores["seed"].isna().sum() == 2


def test_partial_credit_is_clustered():
    scores = run([score_set(), sudoku()]).scores
    assert list(scores["interval"]) == ["wilson", "wilson, clustered"]
    assert list(scores["accuracy"]) == [0.5, 1.75 / 4]
    assert list(scores["num_correct"]) == [2, 1]


def test_an_unscorable_example_is_counted_and_has_no_credit():
    one = score_set(credit=(1, 0, 0, 0), is_unscorable=np.array([False, True, False, False]))
    scores = run([one]).scores
    assert (scores["num_unscorable"][0], scores["n"][0], scores["accuracy"][0]) == (1, 4, 0.25)


def test_an_unscorable_example_keeps_the_weight_that_it_has_in_other_runs():
    failed = sudoku(
        seed=2,
        credit=(0, 1, 1, 1),
        weight=np.array([1.0, 8, 8, 8]),
        is_unscorable=np.array([True, False, False, False]),
    )
    assert run([sudoku(), failed]).scores["accuracy"][1] == 0.75


def test_methods_average_over_seeds():
    found = row(run(EXPERIMENT).methods, method="sft", benchmark="gsm8k")
    assert (found["num_seeds"], found["mean"], found["minimum"], found["maximum"]) == (2, 0.625, 0.5, 0.75)
    assert found["sd"] == pytest.approx(0.125 * 2**0.5)


def test_a_single_run_has_no_sd_and_the_interval_of_its_score():
    result = run(EXPERIMENT)
    found, score = (row(frame, method="base", benchmark="gsm8k") for frame in (result.methods, result.scores))
    assert pd.isna(found["sd"])
    assert (found["ci_low"], found["ci_high"]) == (score["ci_low"], score["ci_high"])


def test_the_average_is_the_unweighted_mean_over_benchmarks_per_seed():
    found = row(run(EXPERIMENT).methods, method="sft", benchmark=AVERAGE)
    assert found["mean"] == pytest.approx((0.5 + 0.25 + 0.75 + 0.5) / 4)  # seeds 0.375 and 0.625
    assert (found["minimum"], found["maximum"]) == (0.375, 0.625)


def test_one_benchmark_has_no_average():
    assert AVERAGE not in set(run([score_set(), score_set("weft")]).methods["benchmark"])


def test_contrasts_subtract_the_control():
    contrasts = run(EXPERIMENT).contrasts
    assert list(contrasts["benchmark"]) == ["gsm8k", "sudoku", AVERAGE]
    assert list(contrasts["difference"]) == pytest.approx([0.375, 0.0625, 0.21875])
    assert (contrasts["treatment"] == "weft").all()


def test_rows_do_not_depend_on_other_rows_or_on_the_order_of_examples():
    without_base = [shuffled(scores) for scores in EXPERIMENT if scores.method != "base"]
    all_rows, fewer = run(EXPERIMENT), run(without_base)
    pd.testing.assert_frame_equal(fewer.contrasts, all_rows.contrasts)
    pd.testing.assert_frame_equal(fewer.scores, all_rows.scores[2:].reset_index(drop=True))


def test_no_contrast_gives_an_empty_table_with_the_same_columns():
    contrasts = run(EXPERIMENT, contrasts=()).contrasts
    assert len(contrasts) == 0
    assert "difference" in contrasts.columns


OTHER = [
    score_set("cart", credit=(0, 0, 0, 0)),
    sudoku("cart", credit=(0, 0, 0, 0)),
    score_set("cart", seed=2, credit=(0, 0, 0, 0)),
    sudoku("cart", seed=2, credit=(0, 0, 0, 0)),
]


def test_further_contrasts_follow_and_change_only_the_correction_of_the_first():
    several = run([*EXPERIMENT, *OTHER], contrasts=(("weft", "sft"), ("cart", "weft"))).contrasts
    assert list(several["treatment"]) == ["weft"] * 3 + ["cart"] * 3
    assert list(several["control"]) == ["sft"] * 3 + ["weft"] * 3
    assert list(several["difference"])[3:] == pytest.approx([-1, -0.4375, -0.71875])
    alone = run(EXPERIMENT).contrasts
    uncorrected = [name for name in alone if name not in {"p_holm", "conclusion"}]
    pd.testing.assert_frame_equal(several[:3][uncorrected], alone[uncorrected])


def test_only_averages_are_corrected_and_have_a_conclusion():
    contrasts = (("weft", "sft"), ("cart", "weft"))
    found = run([*EXPERIMENT, *OTHER], contrasts=contrasts).contrasts
    averages = found[found["benchmark"] == AVERAGE]
    assert found["p_holm"].notna().tolist() == [False, False, True] * 2
    small, large = sorted(averages["p_value"])
    assert sorted(averages["p_holm"]) == pytest.approx([min(1, 2 * small), min(1, max(2 * small, large))])
    assert found["conclusion"].tolist()[:2] == ["", ""]
    alone = run(EXPERIMENT).contrasts.iloc[-1]
    assert alone["p_holm"] == alone["p_value"]


@pytest.mark.parametrize(
    ("levels", "conclusion"),
    [((0.9, 0.1), "above zero"), ((0.1, 0.9), "below zero"), ((0.5, 0.5), "not distinguishable from zero")],
)
def test_the_conclusion_names_the_side_of_zero(levels, conclusion):
    rng = np.random.default_rng(3)
    ids = tuple(f"q{i}" for i in range(40))
    scores = [
        score_set(method, seed, credit=(rng.random(40) < level) * 1.0, example_ids=ids)
        for method, level in zip(("weft", "sft"), levels, strict=True)
        for seed in (1, 2)
    ]
    assert run(scores).contrasts["conclusion"].tolist() == [conclusion]


def test_the_conclusion_depends_on_the_corrected_p_value():
    """Sixteen copies of a comparison with p between 0.05/16 and 0.05: none of them has a conclusion."""
    rng = np.random.default_rng(0)
    ids = tuple(f"q{i}" for i in range(100))
    credit = {
        ("weft", 1): rng.random(100) < 0.72, ("weft", 2): rng.random(100) < 0.72,
        ("sft", 1): rng.random(100) < 0.55, ("sft", 2): rng.random(100) < 0.55,
    }  # fmt: skip
    scores = [score_set(*key, credit=values * 1.0, example_ids=ids) for key, values in credit.items()]
    copies = [
        replace(one, method=f"weft{i}", run=f"weft{i}-{one.seed}") for one in scores[:2] for i in range(15)
    ]
    contrasts = (("weft", "sft"), *((f"weft{i}", "sft") for i in range(15)))
    (alone,), several = run(scores).contrasts["conclusion"], run([*scores, *copies], contrasts).contrasts
    assert 0.05 / 16 < several["p_value"].iloc[0] < 0.05
    assert (alone, set(several["conclusion"])) == ("above zero", {"not distinguishable from zero"})


def test_a_single_training_seed_has_no_p_value():
    one_seed = [one for one in EXPERIMENT if one.seed in {None, 1}]
    found = run(one_seed, contrasts=(("weft", "sft"), ("weft", "base"))).contrasts
    assert found[["p_value", "p_holm", "minimum_detectable_difference"]].isna().all(axis=None)
    assert set(found["conclusion"]) == {""}
    assert (found["ci_low"] < found["ci_high"]).all()


def test_the_base_model_is_compared_with_every_data_set():
    other = [replace(one, dataset="s1k.1", run=f"{one.run}.1") for one in EXPERIMENT if one.method == "sft"]
    found = run([*EXPERIMENT, *other], contrasts=(("sft", "base"),)).contrasts
    assert found["dataset"].tolist() == ["s1k"] * 3 + ["s1k.1"] * 3
    assert found["num_seeds_control"].tolist() == [1] * 6


def test_a_comparison_with_the_base_model_needs_three_seeds():
    two = run(EXPERIMENT, contrasts=(("sft", "base"), ("weft", "sft"))).contrasts.set_index("control")
    assert two.loc["base", "p_value"].isna().all()
    assert two.loc["sft", "p_value"].notna().all()
    third = [replace(one, seed=3, run=f"{one.run}.3") for one in EXPERIMENT if one.seed == 2]
    three = run([*EXPERIMENT, *third], contrasts=(("sft", "base"),)).contrasts
    assert three["p_value"].notna().all()


def test_one_benchmark_stands_for_the_average_in_the_correction():
    contrasts = (("weft", "sft"), ("cart", "weft"))
    one_benchmark = [one for one in (*EXPERIMENT, *OTHER) if one.benchmark == "gsm8k"]
    found = run(one_benchmark, contrasts=contrasts).contrasts
    assert found["p_holm"].notna().tolist() == [True, True]


def test_other_examples_are_an_error_that_names_run_and_example():
    other = score_set("weft", example_ids=("q1", "q2", "q3", "q5"))
    with pytest.raises(ScoringError, match=r"weft-s1k-seed1 on gsm8k 48 .*'q4'"):
        run([score_set(), other])


def test_other_weights_are_an_error():
    with pytest.raises(ScoringError, match=r"7 and 8 .*'q2'"):
        run([sudoku(), sudoku("weft", weight=np.array([8.0, 7, 8, 8]))])


def test_a_method_without_scores_on_a_benchmark_is_an_error():
    with pytest.raises(ScoringError, match=r"weft.*sudoku"):
        run([score_set(), sudoku(), score_set("weft")])


def test_relative_gains_are_those_of_the_average_of_all_trained_methods():
    rng = np.random.default_rng(2)
    ids = tuple(f"q{i}" for i in range(80))
    levels = {"base": (None,), "sft": (1, 2), "weft": (1, 2)}
    shares = {"base": 0.1, "sft": 0.6, "weft": 0.7}
    scores = [
        score_set(method, seed, benchmark, (rng.random(80) < shares[method]) * 1.0, example_ids=ids)
        for method, seeds in levels.items()
        for seed in seeds
        for benchmark in ("gsm8k", "math500")
    ]
    (found,) = run(scores).relative_gains("sft", "base").to_dict("records")
    means = run(scores).methods.query("benchmark == 'average'").set_index("method")["mean"]
    relative = (means["weft"] - means["base"]) / (means["sft"] - means["base"]) - 1
    assert (found["method"], found["dataset"], found["gen_length"]) == ("weft", "s1k", 48)
    assert found["relative_gain_low"] < relative < found["relative_gain_high"]


def test_there_is_no_relative_gain_if_the_control_hardly_gains():
    assert run(EXPERIMENT).relative_gains("sft", "base").empty


def lengthen(scores, credit):
    credit = np.asarray(credit, dtype=float)
    return replace(scores, gen_length=96, credit=credit, is_correct=credit == 1)


def test_a_mix_takes_one_length_of_each_benchmark():
    """At 96 tokens, SFT has all of gsm8k wrong; the mix takes gsm8k at 96 and sudoku at 48."""
    longer = [lengthen(one, (1, 1, 1, 1) if one.method == "weft" else (0, 0, 0, 0)) for one in EXPERIMENT]
    mix = LengthMix("mixed", {"gsm8k": 96, "sudoku": 48})
    found = run([*EXPERIMENT, *longer], mix=mix)
    means = found.methods[found.methods["gen_length"] == "mixed"].set_index("method")["mean"]
    assert means["sft"] == pytest.approx((0 + (0.25 + 0.5) / 2) / 2)
    assert means["weft"] == pytest.approx((1 + 1.75 / 4) / 2)
    mixed = row(found.contrasts, gen_length="mixed")
    assert mixed["difference"] == pytest.approx(means["weft"] - means["sft"])
    assert found.contrasts["p_holm"].notna().sum() == 3, "two lengths and the mix"


def test_there_is_no_mix_without_all_its_lengths():
    mix = LengthMix("mixed", {"gsm8k": 96, "sudoku": 48})
    assert "mixed" not in set(run(EXPERIMENT, mix=mix).methods["gen_length"])


def test_runs_with_the_same_seed_are_compared_question_by_question():
    seeds = run(EXPERIMENT).seeds
    assert seeds["benchmark"].tolist() == ["gsm8k"] * 2 + ["sudoku"] * 2 + [AVERAGE] * 2
    assert seeds["seed"].tolist() == [1, 2] * 3
    assert seeds["difference"].tolist() == pytest.approx([0.5, 0.25, 0.1875, -0.0625, 0.34375, 0.09375])
    assert seeds["only_treatment"].tolist() == [2, 1, 0, 0, 2, 1]
    assert seeds["only_control"].tolist() == [0, 0, 0, 1, 0, 1], "the second board of the second seed"
    assert seeds["n"].tolist() == [4, 4, 4, 4, 8, 8]
    assert run(EXPERIMENT, contrasts=(("weft", "base"),)).seeds.empty
    assert run(EXPERIMENT, contrasts=()).seeds.empty


def test_intervals_of_a_part_of_the_questions_are_for_all_of_them():
    parts = [score_set("base", None, num_questions=8), sudoku("base", None, num_questions=8)]
    narrow = run(parts, ()).scores
    wide = run([replace(part, num_questions=None) for part in parts], ()).scores
    assert narrow["interval"].tolist() == ["wilson", "wilson, clustered"]
    assert (narrow["ci_low"] > wide["ci_low"]).all()
    assert (narrow["ci_high"] < wide["ci_high"]).all()
    low, high = wilson_interval(0.5, 8, quantile=NormalDist().inv_cdf(0.975))
    assert narrow.loc[0, ["ci_low", "ci_high"]].tolist() == pytest.approx([low, high])


def test_there_is_no_interval_if_all_questions_are_answered():
    row = run([score_set("base", None, num_questions=4)], ()).scores.iloc[0]
    assert row["interval"] == "none"
    assert row[["ci_low", "ci_high"]].isna().all()


def many(num_questions):
    """Return the experiment with three seeds and this number of questions, repeated."""
    three = [*EXPERIMENT, *(replace(one, seed=3) for one in EXPERIMENT if one.seed == 1)]
    index = np.arange(num_questions) % len(IDS)
    names = "credit", "weight", "is_correct", "is_unscorable"
    ids = tuple(f"q{number}" for number in range(num_questions))
    return [
        replace(one, example_ids=ids, **{name: getattr(one, name)[index] for name in names}) for one in three
    ]


def test_there_is_no_variance_of_fewer_questions_than_the_smallest_number(monkeypatch):
    monkeypatch.setattr(MODULE, "MIN_QUESTIONS", MIN_QUESTIONS)
    statistics = ["standard_error", "ci_low", "ci_high", "p_value"]
    few, enough = (
        run(many(count), contrasts=[("weft", "sft"), ("weft", "base")])
        for count in (MIN_QUESTIONS - 1, MIN_QUESTIONS)
    )
    assert few.contrasts[statistics].isna().all(axis=None)
    assert set(few.contrasts["conclusion"]) == {""}
    assert few.contrasts["difference"].notna().all()
    assert enough.contrasts[statistics].notna().all(axis=None)
    assert set(few.scores["interval"]) == {"wilson", "too few questions"}
    assert few.scores["ci_low"].notna().tolist() == (few.scores["interval"] == "wilson").tolist()
    of_base = few.methods[few.methods["method"] == "base"].set_index("benchmark")["ci_low"]
    assert of_base.notna().to_dict() == {"gsm8k": True, "sudoku": False, AVERAGE: False}
    assert few.methods[few.methods["method"] == "sft"]["ci_low"].isna().all()
    assert few.relative_gains("sft", "base").empty
    assert enough.methods["ci_low"].notna().all()


@pytest.mark.parametrize("method", ["weft", "sft"])
def test_a_run_that_could_not_be_scored_on_a_benchmark_is_in_no_test(method):
    def fail(one):
        zeros = np.zeros(one.credit.size)
        return replace(one, credit=zeros, is_correct=zeros == 1, is_unscorable=zeros == 0)

    failed = [
        fail(one) if (one.method, one.seed, one.benchmark) == (method, 2, "gsm8k") else one
        for one in EXPERIMENT
    ]
    contrasts = run(failed).contrasts.set_index("benchmark")
    assert contrasts["p_value"].isna().to_dict() == {"gsm8k": True, "sudoku": False, AVERAGE: True}
    assert contrasts["conclusion"][AVERAGE] == ""
    assert contrasts["ci_low"].notna().all()
