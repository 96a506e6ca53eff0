import logging

import pytest

from weft.errors import DataError
from weft.layout import provenance_file
from weft.sharing.results import Measured, read_results


def test_the_results_of_a_run_stand_beside_those_of_the_base_model(results, facts):
    first, second = read_results(results, facts)
    assert first.benchmark == "Sudoku 4×4, generated questions"
    assert (first.gen_length, first.scoring, first.num_questions) == (32, "d1", 250)
    assert first.model == Measured(0.75, 0.7, 0.8)
    assert first.base == Measured(0.5, 0.4, 0.6)
    assert second.base is None
    assert second.model.low is None


def test_results_of_other_weights_are_left_out(results, facts, caplog):
    (results / "adapter_model.safetensors").write_bytes(b"trained again")
    with caplog.at_level(logging.WARNING, logger="weft"):
        assert read_results(results, facts) == []
    assert "of another training of weft-worked-seed1" in caplog.text


def test_results_of_another_experiment_are_left_out(results, facts):
    table = provenance_file(results.parent.parent / "tables")
    table.write_text(table.read_text().replace('"tiny"', '"other"'))
    assert read_results(results, facts) == []


def test_a_run_without_tables_has_no_results(results, facts, tmp_path):
    (results.parent.parent / "tables/scores.csv").unlink()
    assert read_results(results, facts) == []
    assert read_results(tmp_path, facts) == []


def test_a_damaged_table_is_named(results, facts):
    table = results.parent.parent / "tables/scores.csv"
    table.write_text(table.read_text().replace("ci_low", "low"))
    with pytest.raises(DataError, match=r"scores\.csv: expected the columns"):
        read_results(results, facts)
