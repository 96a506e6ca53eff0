import pandas as pd

from weft.report.page_tables import PageTable, show_lengths, show_provenance
from weft.report.presentation import Table


def test_a_wide_headline_is_transposed_unless_it_is_longer_than_wide():
    cells = pd.DataFrame({"method": ["SFT", "WeFT"]} | {f"c{index}": ["1", "2"] for index in range(9)})
    transposed = PageTable.of(Table("headline", "E", "accuracy", cells, caption=""))
    assert transposed.headings == ["benchmark", "SFT", "WeFT"]
    assert transposed.rows[0] == ["c0", "1", "2"]
    assert transposed.title == "Accuracy"
    by_length = PageTable.of(
        Table("headline", "E", "accuracy", cells.rename(columns={"c0": "c0, 48"}), caption="")
    )
    assert by_length.headings[0] == "benchmark, length"
    long = pd.concat([cells] * 6)
    assert PageTable.of(Table("headline", "E", "accuracy", long, caption="")).headings[1] == "c0"


def test_quantities_that_no_data_set_has_are_left_out(summary):
    tagged = summary.model_copy(update={"share_answer_tag_cut_off": 0.5})
    rows = {row[0]: row[1:] for row in show_lengths({"one": summary, "two": tagged}).rows}
    assert rows["examples"] == ["1,536", "1,536"]
    assert rows["of these the tag is cut off, %"] == ["", "50.0"]
    headings = [row[0] for row in show_lengths({"one": summary}).rows]
    assert not {"of these the tag is cut off, %", "examples left out as too long"} & {*headings}
    dropped = summary.model_copy(update={"num_too_long": 1234})
    rows = {row[0]: row[1:] for row in show_lengths({"one": summary, "two": dropped}).rows}
    assert rows["examples left out as too long"] == ["", "1,234"]


def test_results_that_were_made_in_another_way_have_their_own_row(results):
    first = next(iter(results.provenance.values()))
    changed = first.model_copy(update={"dirty": True, "commit": None})
    rows = show_provenance(results.provenance | {"base.stored": changed}).rows
    assert [row[5] for row in rows] == ["6: runs 6", "1: base 1"]
    assert rows[1][0] == "no commit with changes"


def test_seeds_of_questions_and_tables_are_not_training_seeds(results):
    first = next(iter(results.provenance.values()))
    questions = first.model_copy(update={"seed": 21})
    rows = show_provenance(results.provenance | {"data/questions/gsm8k.jsonl": questions}).rows
    assert [(row[4], row[5]) for row in rows] == [("1, 2, 3", "7: runs 6, data 1")]


def test_long_tables_are_folded_and_very_long_ones_not_printed():
    tables = [PageTable("T", ["n"], [["1"]] * count) for count in (16, 17, 60, 61)]
    assert [table.is_long for table in tables] == [False, True, True, True]
    assert [table.is_printed for table in tables] == [True, True, True, False]
