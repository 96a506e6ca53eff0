import pandas as pd
import pytest

from tests.unit.report.conftest import CONTRAST
from weft.report.presentation import present


def test_contrasts_are_shown_in_points_with_a_conclusion(experiment):
    table = present(experiment, "contrasts", pd.DataFrame([CONTRAST]))
    assert table.cells.iloc[0].tolist() == [
        "WeFT minus SFT",
        "worked",
        "average",
        "48",
        "+0.8",
        "−1.2 to +2.9",
        "0.412",
        "0.412",
        "2.9",
        "not distinguishable from zero",
    ]
    assert table.title == "A small comparison: paired comparison"
    assert table.caption == experiment.caption


def test_missing_p_values_are_empty(ablations):
    missing = {"p_value": None, "p_holm": None, "minimum_detectable_difference": None, "conclusion": ""}
    rows = [CONTRAST | {"p_holm": 0.824}, CONTRAST | {"treatment": "cart"} | missing]
    table = present(ablations, "contrasts", pd.DataFrame(rows))
    assert table.cells["p, Holm"].tolist() == ["0.824", ""]
    assert table.cells.iloc[1].tolist()[-4:] == [""] * 4
    assert table.cells["contrast"].tolist() == ["WeFT minus SFT", "CART minus SFT"]
    assert len(table.notes) == 4


def test_several_rules_get_a_column_and_sudoku_its_unit(describe):
    both = describe(scoring=["d1", "strict"])
    rows = [CONTRAST | {"benchmark": "sudoku", "rules": rules} for rules in both.scoring]
    cells = present(both, "contrasts", pd.DataFrame(rows)).cells
    assert cells["scoring"].tolist() == ["d1", "strict"]
    assert cells["benchmark"].tolist() == ["Sudoku 4×4 (cells)", "Sudoku 4×4 (boards)"]


def test_the_rules_stand_beside_each_other(describe_stored):
    row = {"benchmark": "sudoku", "gen_length": 128, "n": 146, "published_accuracy": 0.117}
    for rules, accuracy, unscorable in (("d1", 0.108, 0), ("strict", 0.007, 2)):
        row |= {f"accuracy_{rules}": accuracy, f"ci_low_{rules}": 0.0, f"ci_high_{rules}": 0.2}
        row |= {f"num_unscorable_{rules}": unscorable}
    frame = pd.DataFrame([row | {"difference_strict": -0.101}])
    table = present(describe_stored(scoring=["d1", "strict"]), "rules", frame)
    assert dict(zip(table.cells.columns, table.cells.iloc[0], strict=True)) == {
        "benchmark": "Sudoku 4×4",
        "length": "128",
        "n": "146",
        "published, %": "11.7",
        "d1, %": "10.8",
        "d1, 95 % interval": "0.0 to 20.0",
        "strict, %": "0.7",
        "strict, 95 % interval": "0.0 to 20.0",
        "strict minus d1, points": "−10.1",
        "unscorable, d1": "0",
        "unscorable, strict": "2",
    }
    assert "d1 scoring" in table.notes[0]
    assert "strict scoring" in table.notes[1]


def test_the_differences_by_seed_name_both_methods(experiment, tables):
    cells = present(experiment, "seeds", tables["seeds"]).cells
    assert {"only WeFT correct", "only SFT correct", "questions"} <= set(cells.columns)
    assert cells["seed"].tolist() == ["1", "2", "3"] * 3
    means = tables["contrasts"].query("control == 'sft'").set_index("benchmark")["difference"]
    by_seed = tables["seeds"].groupby("benchmark")["difference"].mean()
    assert by_seed.to_dict() == pytest.approx(means.to_dict(), abs=2e-6)
