import pandas as pd
import pytest

from weft.report.captions import caption
from weft.report.load import load_gradients


def contrasts(*bounds):
    rows = [{"rules": "d1", "ci_low": low, "ci_high": high, "p_holm": p} for low, high, p in bounds]
    return {"contrasts": pd.DataFrame(rows)}


def test_contrasts_are_counted_before_and_after_the_correction(ablations):
    tables = contrasts((0.1, 0.2, 0.01), (0.01, 0.2, 0.3), (-0.2, 0.2, 1.0), (0.1, 0.2, None))
    assert caption(ablations, "contrasts", tables) == (
        "3 comparisons on the average; their intervals: 2 above zero, 0 below zero, 1 not distinguishable "
        "from zero. Corrected for their number by Holm's method, 1 of 3 have p below 0.05."
    )


@pytest.fixture
def gradients(ablations, ablated):
    return load_gradients(ablations, ablated)


def test_the_distance_of_weights_from_tokens_is_computed(ablations, gradients):
    """CART's weights 15, 15, 15, 15 and 40 of 100 lie at most 20 points from equal token shares."""
    is_last = (gradients["method"] == "cart") & (gradients["quintile"] == 5)
    gradients.loc[is_last, "weight_share"] = 0.4
    text = caption(ablations, "gradient_share", {"gradients": gradients})
    assert text.startswith(
        "Largest distance, in points, of a quintile's share of the loss weight from its share of the tokens, "
        "both among the five: SFT 0.0, WeFT 0.0; the largest of all methods: CART 20.0."
    )
    assert "Of WeFT's mean gradient 5.0 % come from the surest quintile and 25.0 % from the least" in text


@pytest.mark.parametrize(
    ("weft", "said"),
    [
        (2.0, "The whole interval of WeFT (2, 1.8 to 2.4) lies below that of SFT (4, 3.6 to 4.8)."),
        (8.0, "The whole interval of WeFT (8, 7.2 to 9.6) lies above that of SFT (4, 3.6 to 4.8)."),
        (3.5, "The intervals of WeFT (3.5, 3.15 to 4.2) and SFT (4, 3.6 to 4.8) overlap."),
        (4.5, "The intervals of WeFT (4.5, 4.05 to 5.4) and SFT (4, 3.6 to 4.8) overlap."),
    ],
)
def test_variances_are_compared_by_their_intervals(ablations, gradients, weft, said):
    is_weft = gradients["method"] == "weft"
    for name, factor in (("", 1), ("_low", 0.9), ("_high", 1.2)):
        gradients.loc[is_weft, f"relative_variance{name}"] = weft * factor
    text = caption(ablations, "gradient_variance", {"gradients": gradients})
    assert text.endswith(said)
    smallest, largest = ("WeFT", "SFT") if weft < 4 else ("SFT", "WeFT")
    assert f"smallest with {smallest} (" in text
    assert f"largest with {largest} (" in text


def test_a_study_without_the_main_contrast_claims_nothing_about_it(ablations, gradients):
    others = {"gradients": gradients[gradients["method"] == "cart"]}
    assert "interval" not in caption(ablations, "gradient_variance", others)
    assert "WeFT" not in caption(ablations, "gradient_share", others)


def ratios(*rows):
    columns = ["dataset", "kind", "reference", "mean", "share_large"]
    return {"ratios": pd.DataFrame(rows, columns=columns)}


def test_ratios_with_and_without_padding_stand_beside_each_other(experiment):
    answer = (("worked", "answer", "answer", 1.0, 0.02), ("worked", "answer", "all", 1.451, 0.108))
    padding = (("worked", "padding", "answer", 0.1, 0.0), ("worked", "padding", "all", 0.2, 0.0))
    text = caption(experiment, "ratios", ratios(*answer, *padding))
    assert text == (
        "With padding in the mean the answer tokens' mean ratio is 1.45 instead of 1.00, and 10.8 % instead "
        "of 2.0 % of them have a ratio above 2."
    )
    assert caption(experiment, "ratios", ratios(*answer)).startswith("There is no padding")


def test_several_data_sets_are_named(describe):
    one = {"source": "generated", "tasks": {"sudoku": 8}, "seed": 11}
    experiment = describe(datasets={"first": one, "second": one})
    rows = [(name, "answer", of, 1.0, 0.0) for name in ("first", "second") for of in ("answer", "all")]
    text = caption(experiment, "ratios", ratios(*rows))
    assert text.startswith("first: There is no padding")
    assert " second: " in text


def test_other_figures_have_no_such_caption(experiment, stored):
    assert caption(experiment, "accuracy", {}) == ""
    assert caption(stored, "contrasts", {}) == ""
