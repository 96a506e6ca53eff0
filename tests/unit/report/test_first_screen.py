import pytest

from weft.report.first_screen import first_figure, first_table


@pytest.mark.parametrize(
    ("names", "first"),
    [
        (["accuracy", "forest", "contrasts"], "forest"),
        (["accuracy", "contrasts"], "contrasts"),
        (["accuracy"], "accuracy"),
    ],
)
def test_the_first_figure_is_the_best_that_there_is(names, first):
    assert first_figure(names) == first


def test_the_table_has_base_control_and_treatment(experiment, tables):
    table = first_table(experiment, tables)
    assert table.headings == ["method", "average, %", "gain, points", "paper: LLaDA-8B on s1K, %"]
    assert [row[3] for row in table.rows] == ["32.6", "34.9", "35.8"]
    assert "another model on other data" in table.notes
    assert [row[0] for row in table.rows] == ["base model", "SFT", "WeFT"]
    assert table.rows[0][2] == ""
    gains = tables["gains"].set_index("method")
    assert table.rows[2][1].startswith(f"{100 * gains.loc['weft', 'mean']:.1f} ± ")
    assert table.rows[2][2] == f"+{100 * gains.loc['weft', 'gain']:.1f}"
    assert "standard deviation over training seeds, 48 tokens" in table.notes


def test_other_methods_are_left_out(ablations, ablated_tables):
    assert [row[0] for row in first_table(ablations, ablated_tables).rows] == ["base model", "SFT", "WeFT"]


def test_the_paper_is_not_beside_other_methods(describe, compute):
    methods = {"sft": {"preset": "sft"}, "weft": {"preset": "weft-raw"}}
    experiment = describe(methods=methods)
    assert first_table(experiment, compute(experiment)[1]).headings[-1] == "gain, points"


def test_rows_are_grouped_by_training_set_and_have_the_published_average(describe_paper, compute):
    experiment = describe_paper()
    _, tables = compute(experiment)
    table = first_table(experiment, tables)
    assert [row[0] for row in table.rows] == [
        "base model", "SFT, s1k", "WeFT, s1k", "SFT, s1k.1.1", "WeFT, s1k.1.1",
    ]  # fmt: skip
    assert table.headings[-1] == "paper, %"
    assert "lengths of the paper" in table.notes
    published = tables["published"]
    is_mixed = (published["gen_length"] == "mixed") & (published["method"] == "weft")
    known = published[is_mixed & (published["benchmark"] == "average")]
    assert [row[-1] for row in table.rows if row[0].startswith("WeFT")] == [
        f"{100 * value:.1f}" for value in known["weft_paper"]
    ]


def test_stored_generations_show_the_headline(stored, stored_tables):
    table = first_table(stored, stored_tables)
    assert table.headings[:3] == ["benchmark", "128 tokens, %", "128 tokens published, %"]
    assert table.rows[0][0] == "Countdown"
