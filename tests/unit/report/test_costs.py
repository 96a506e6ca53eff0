import pandas as pd
import pytest

from weft.report.costs import compare_costs


def test_seconds_are_divided_by_the_controls_of_the_same_seed(ablations):
    seconds = {
        "sft": [1.0, 2.0, 4.0],
        "weft": [1.5, 2.0, 8.0],
        "cart": [1.0, 2.0, 4.0],
        "weft-permuted": [1.0, 2.0, 4.0],
    }
    rows = [(method, "worked", seed, one) for method, of in seconds.items() for seed, one in enumerate(of)]
    rows.append(("weft", "other", 0, 100.0))
    columns = ["method", "dataset", "seed", "seconds_per_step"]
    found = compare_costs(ablations, pd.DataFrame(rows, columns=columns)).set_index("method")
    assert found.index.tolist() == list(ablations.methods)
    weft = found.loc["weft"]
    assert weft[["num_seeds", "seconds_per_step", "control"]].tolist() == [3, 2.0, "sft"]
    assert weft[["ratio", "ratio_low", "ratio_high"]].tolist() == pytest.approx([1.0, 1.0, 2.0])
