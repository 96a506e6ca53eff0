import pandas as pd
import pytest

from weft.report.single_seeds import describe_single_seeds


def sentences(experiment, differences, dataset="worked"):
    rows = [
        {"dataset": dataset, "benchmark": "average", "gen_length": 48, "seed": seed, "difference": value}
        for seed, value in enumerate(differences, start=1)
    ]
    return list(describe_single_seeds(experiment, {"seeds": pd.DataFrame(rows)}))


def test_a_seed_far_from_all_others_is_named(experiment):
    assert sentences(experiment, [-0.004, -0.001, -0.235, 0.001, -0.001]) == [
        "The difference trained on worked depends on training seed 3: it is −23.5 points with this seed, and "
        "−0.4 to +0.1 with the others."
    ]
    (above,) = sentences(experiment, [0.001, 0.0, 0.3])
    assert "seed 3: it is +30.0 points" in above


@pytest.mark.parametrize(
    "differences",
    [
        [0.169, 0.125, 0.217, 0.063, -0.042],  # seeds differ, none is alone
        [0.0, 0.001, 0.015],  # alone, but near
        [0.0, 0.5],  # two seeds
    ],
)
def test_no_other_seed_is_named(experiment, differences):
    assert sentences(experiment, differences) == []


def test_without_the_table_nothing_is_found(experiment):
    assert list(describe_single_seeds(experiment, {})) == []
