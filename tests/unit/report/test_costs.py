import pandas as pd
import pytest

from weft.report.costs import compare_costs, list_timings, time_ratio


def test_seconds_are_divided_by_those_of_the_control_with_the_same_seed(ablations):
    seconds = {
        "sft": [1.0, 2.0, 4.0],
        "weft": [1.5, 2.0, 8.0],
        "cart": [1.0, 2.0, 4.0],
        "weft-permuted": [1.0, 2.0, 4.0],
    }
    rows = [
        (method, "worked", seed, time) for method, times in seconds.items() for seed, time in enumerate(times)
    ]
    rows.append(("weft", "other", 0, 100.0))
    columns = ["method", "dataset", "seed", "seconds_per_step"]
    found = compare_costs(ablations, pd.DataFrame(rows, columns=columns)).set_index("method")
    assert found.index.tolist() == list(ablations.methods)
    weft = found.loc["weft"]
    assert weft[["num_seeds", "seconds_per_step", "control"]].tolist() == [3, 2.0, "sft"]
    assert weft[["ratio", "ratio_low", "ratio_high"]].tolist() == pytest.approx([1.0, 1.0, 2.0])


def test_time_ratio_divides_treatment_by_control(experiment, results):
    timings = list_timings(experiment, results)
    assert timings["run"].tolist()[0] == "sft-worked-seed1"
    assert time_ratio(experiment, timings, "worked") == pytest.approx(0.64 / 0.52)
