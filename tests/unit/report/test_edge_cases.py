"""Results at the edge of what a report can show: each gives a right report, or one clear error.

The cases are numbered. Damaged or foreign results are errors:

 1 missing score file; 2 score file cut off in a line; 3 a line short; 4 other questions; 5 other scoring;
 6 other benchmark; 7 differing weights; 8 credit NaN; 9 credit 0 of a correct answer, 1 of a wrong one, or
 above 0 of an unscorable one; 10 time null; 11 time NaN; 12 time of 0 s, also of a control; 13 loss NaN or
 infinite; 14 empty probe; 15 result of another experiment; 16 figure or table of other results.

The others are reported:

 17 one seed; 18 one benchmark; 19 custom benchmark; 20 approximate sampling; 21 twenty methods, with and
 22 without further contrasts; 23 hostile answers and 24 hostile title; 25 all answers wrong; 26 all right;
 27 one question, and fewer than ten; 28 no answer scored; 29 one run without a scored answer; 30 stored
 generations with unscorable answers; 31 a single comparison; 32 a bound next to zero.
"""

import json
import re
from types import SimpleNamespace

import pandas as pd
import pytest

from tests.unit.report.conftest import SVG
from weft.errors import DataError, ScoringError
from weft.layout import ResultLayout, provenance_file
from weft.provenance import input_digests, write_provenance
from weft.records.files import write_text
from weft.report.conclusions import draw_conclusions
from weft.report.figures import FIGURES
from weft.report.labels import percent_interval
from weft.report.outputs import list_figures
from weft.report.page import render_page
from weft.report.presentation import present
from weft.report.results import check_origin, load_results
from weft.report.tables import compute_tables

SCORES = "scores/d1/sft-worked-seed2/gsm8k/48.jsonl"
ALL = {"gsm8k", "sudoku"}
NO_NUMBER = re.compile(r"<(?:td|th|li|p)[^>]*>[^<]{0,40}\b(nan|inf|None|NaT)\b")


def rewrite(path, change):
    """Replace each JSON line of a file by ``change(line)``."""
    lines = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def with_fields(**fields):
    return lambda path: rewrite(path, lambda line: line | fields)


def shortened(path):
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def cut_off(path):
    path.write_text(path.read_text()[:-20])


def with_other_question(path):
    rewrite(path, lambda line: line | ({"example_id": "q99"} if line["example_id"] == "q3" else {}))


def without_rows(path):
    pd.read_parquet(path).iloc[:0].to_parquet(path)


TIMING = "runs/sft-worked-seed1/timing.json"
HISTORY = "runs/sft-worked-seed1/history.jsonl"
PROBE = "probe/worked.parquet"
NAN = float("nan")
ERRORS = {
    "1 missing": (SCORES, lambda path: path.unlink(), "expected a file, got none; score the answers"),
    "2 cut off": (SCORES, cut_off, "line 24: expected a JSON object"),
    "3 a line short": (SCORES, shortened, "expected 24 scores, got 23"),
    "4 other questions": (SCORES, with_other_question, "seed2.*'q3'; sample and score both runs again"),
    "5 other scoring": (SCORES, with_fields(rules="strict"), "line 1: expected .* gsm8k by d1.*by strict"),
    "6 other benchmark": (SCORES, with_fields(benchmark="math500"), "line 1: expected .*gsm8k.*math500"),
    "7 weights": (SCORES, with_fields(weight=2), "same weight in all runs on gsm8k, got 1 and 2"),
    "8 credit NaN": (SCORES, with_fields(credit=NAN), "line 1: expected a JSON object.*NaN is not JSON"),
    "9 correct without credit": (
        SCORES, with_fields(verdict="correct", credit=0.0),
        "line 1: record: expected a credit that fits the verdict, not 0 for correct",
    ),
    "9 wrong with credit": (SCORES, with_fields(verdict="wrong", credit=1.0), "not 1 for wrong"),
    "9 unscorable with credit": (
        SCORES, with_fields(verdict="unscorable", credit=0.5), "not 0.5 for unscorable",
    ),
    "10 time null": (TIMING, with_fields(seconds_per_step=None), "seconds_per_step.*None; train this run"),
    "11 time NaN": (TIMING, with_fields(seconds_per_step=NAN), "NaN is not JSON.; train this run again"),
    "12 no time": (TIMING, with_fields(seconds_per_step=0.0), "seconds_per_step: .* greater than 0, got 0"),
    "12 negative time": (TIMING, with_fields(train_seconds=-1.0), "train_seconds: .* greater than 0, got -1"),
    "13 loss null": (HISTORY, with_fields(loss=None), "line 1: loss: expected.*None; train this run again"),
    "14 empty probe": (PROBE, without_rows, "expected at least one answer token, got none"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_damaged_results_give_one_error_that_names_file_and_remedy(experiment, write, tmp_path, case):
    file, damage, message = ERRORS[case]
    layout = write(experiment, tmp_path)
    damage(layout.root / file)
    with pytest.raises((DataError, ScoringError), match=message) as caught:
        compute_tables(experiment, load_results(experiment, layout))
    if not case.startswith(("4", "7")):  # these are about two files and name the runs
        assert str(caught.value).startswith(str(layout.root / file))


def test_15_results_of_another_experiment_are_refused(experiment, describe, write, tmp_path):
    layout = write(experiment, tmp_path)
    other = describe(name="other", seeds=[1])
    with pytest.raises(DataError, match="expected a result of the experiment 'other', got one of 'small'"):
        load_results(other, layout)
    with pytest.raises(DataError, match="nowhere: expected the folder of an experiment's results"):
        load_results(experiment, ResultLayout(tmp_path / "nowhere"))


class TestCheckOrigin:
    """Case 16."""

    @pytest.fixture
    def inputs(self, experiment, write, tmp_path):
        layout = write(experiment, tmp_path / "results")
        return [layout.all_scores, layout.history("sft-worked-seed1")]

    @pytest.fixture
    def figures(self, experiment, inputs, tmp_path):
        path = tmp_path / "figures"
        write_text(path / "accuracy.png", "drawn")
        write_provenance(path, settings={}, experiment=experiment.name, inputs=inputs)
        return path

    def test_figures_of_these_results_are_accepted(self, experiment, inputs, figures):
        check_origin(figures, experiment, input_digests(inputs))

    def test_figures_of_older_results_are_refused(self, experiment, inputs, figures):
        rewrite(inputs[0] / "d1/base/gsm8k/48.jsonl", lambda line: line | {"reason": "changed"})
        with pytest.raises(DataError, match=r"figures: .* made from the results of this report"):
            check_origin(figures, experiment, input_digests(inputs))

    def test_figures_of_another_experiment_are_refused(self, describe, inputs, figures):
        with pytest.raises(DataError, match="experiment 'other', got one of 'small'; make the figures"):
            check_origin(figures, describe(name="other"), input_digests(inputs))

    def test_figures_of_fewer_runs_are_refused(self, experiment, inputs, figures):
        with pytest.raises(DataError, match="figures: expected"):
            check_origin(figures, experiment, {**input_digests(inputs), "further": "0" * 64})

    def test_changed_or_missing_figures_are_refused(self, experiment, inputs, figures):
        (figures / "accuracy.png").write_text("changed")
        with pytest.raises(DataError, match="figures: expected"):
            check_origin(figures, experiment, input_digests(inputs))
        provenance_file(figures).unlink()
        with pytest.raises(DataError, match="got none; make the figures again"):
            check_origin(figures, experiment, input_digests(inputs))


def generated(num_examples=24):
    return {"source": "generated", "num_examples": num_examples, "seed": 1}


def report(experiment, layout):
    """Make all tables, conclusions and the page; no number may be missing without a reason."""
    results = load_results(experiment, layout)
    tables = compute_tables(experiment, results)
    page = render_page(experiment, results, tables, dict.fromkeys(list_figures(experiment), SVG))
    assert not NO_NUMBER.search(page)
    conclusions = draw_conclusions(experiment, tables)
    sentences = [conclusions.lead, *conclusions.comparisons, *conclusions.reservations]
    sentences += [note for name, frame in tables.items() for note in present(experiment, name, frame).notes]
    text = " ".join(sentences)
    assert not re.search(
        r"\b(nan|inf)\b|(?<![\d.,])1 (comparison|question|answer|run|seed|training seed)s", text
    )
    return SimpleNamespace(results=results, tables=tables, page=page, conclusions=conclusions, text=text)


def score_all(layout, pattern="*/*", **fields):
    for path in layout.all_scores.glob(f"*/{pattern}/48.jsonl"):
        with_fields(**fields)(path)


def test_17_one_seed_has_intervals_but_no_test(describe, write, tmp_path):
    experiment = describe(seeds=[1])
    made = report(experiment, write(experiment, tmp_path))
    contrasts = made.tables["contrasts"]
    assert contrasts["ci_low"].notna().all()
    assert contrasts[["p_value", "p_holm", "minimum_detectable_difference"]].isna().all(axis=None)
    assert "these two runs" in made.conclusions.lead
    assert made.tables["methods"]["sd"].isna().all()


def test_18_one_benchmark_stands_for_the_average(describe, write, tmp_path):
    experiment = describe(benchmarks={"gsm8k": generated()})
    made = report(experiment, write(experiment, tmp_path))
    assert "on arithmetic (GSM8K rules)" in made.conclusions.lead
    assert set(made.tables["contrasts"]["benchmark"]) == {"gsm8k"}


def test_19_a_custom_benchmark_is_reported_under_its_name(describe, write, tmp_path):
    experiment = describe(
        benchmarks={"riddles": {"source": "custom", "path": "riddles.py", "num_examples": 24}}
    )
    made = report(experiment, write(experiment, tmp_path))
    assert "on riddles" in made.conclusions.lead


def test_20_approximate_sampling_is_named_in_every_table(approximate, write, tmp_path):
    made = report(approximate, write(approximate, tmp_path))
    assert "approximate sampling" in made.page
    assert "approximate sampling" in present(approximate, "contrasts", made.tables["contrasts"]).caption


@pytest.mark.parametrize("has_contrasts", [True, False], ids=["21", "22"])
def test_twenty_methods_are_shown_and_corrected_together(describe, write, tmp_path, has_contrasts):
    others = [f"m{number:02d}" for number in range(18)]
    methods = {name: {"preset": "sft" if name == "sft" else "weft"} for name in ("sft", "weft", *others)}
    further = [[name, "sft"] for name in others] if has_contrasts else []
    experiment = describe(methods=methods, further_contrasts=further)
    made = report(experiment, write(experiment, tmp_path))
    num_tests = made.tables["contrasts"]["p_holm"].notna().sum()
    assert num_tests == (18 if has_contrasts else 0) + 3
    assert f"{num_tests} comparisons of averages" in made.text
    assert len(made.tables["headline"]) == 21


HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\x00\x1b[31m\u202e" + "x" * 4000


def test_23_24_hostile_text_is_shown_as_text(describe, write, tmp_path):
    experiment = describe(title="<b>bold</b> & $x_1$ 100 %", caption="<script>alert(2)</script>")
    layout = write(experiment, tmp_path)
    for path in layout.root.glob("samples/*/*/*.jsonl"):
        with_fields(generation=HOSTILE, question=HOSTILE)(path)
    score_all(layout, extracted=HOSTILE)
    made = report(experiment, layout)
    assert "&lt;script&gt;alert(2)" in made.page  # test_browser.py has the answers
    for markup in ("<script>alert", "<img src=x", "<b>bold", "\x00", "\x1b"):
        assert markup not in made.page
    assert FIGURES["accuracy"](experiment, made.results)


@pytest.mark.parametrize(("case", "level"), [("25 all wrong", 0.0), ("26 all right", 1.0)])
def test_equal_answers_are_not_certain(experiment, write, tmp_path, case, level):
    layout = write(experiment, tmp_path)
    score_all(layout, verdict="correct" if level else "wrong", credit=level)
    made = report(experiment, layout)
    for name in ("scores", "methods", "contrasts"):
        width = made.tables[name]["ci_high"] - made.tables[name]["ci_low"]
        assert (width > 0.05).all(), name
    wilson = made.tables["scores"].loc[0, ["ci_low", "ci_high"]].tolist()
    assert wilson == pytest.approx([0, 0.137976] if level == 0 else [0.862024, 1], abs=1e-6)
    assert set(made.tables["contrasts"]["p_value"]) == {1.0}
    assert "0.0 points" in made.conclusions.lead
    assert "not distinguishable" in made.conclusions.lead
    assert made.tables["gains"]["relative_gain_low"].isna().all()


@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize("seeds", [[1], [1, 2, 3]], ids=["one seed", "three seeds"])
def test_27_too_few_questions_have_no_interval(describe, write, tmp_path, monkeypatch, count, seeds):
    experiment = describe(seeds=seeds, benchmarks={"sudoku": generated(count), "gsm8k": generated(24)})
    layout = write(experiment, tmp_path)
    for path in layout.all_scores.glob("*/*/sudoku/48.jsonl"):
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:count]))
    made = report(experiment, layout)
    contrasts = made.tables["contrasts"].set_index("benchmark")
    assert contrasts.loc["gsm8k", "ci_low"].notna().all()
    for benchmark in ("sudoku", "average"):
        assert contrasts.loc[benchmark, ["ci_low", "ci_high", "p_value"]].isna().all(axis=None)
    assert "points (no interval, because there are too few questions" in made.conclusions.lead
    assert "at least 10 questions" in made.text
    assert FIGURES["accuracy"](experiment, made.results)


@pytest.mark.parametrize("scoring", [["d1"], ["d1", "strict"]], ids=["one scoring", "two scorings"])
def test_28_without_a_verdict_there_is_no_result(describe, write, tmp_path, scoring):
    experiment = describe(scoring=scoring)
    layout = write(experiment, tmp_path)
    score_all(layout, verdict="unscorable", credit=0.0)
    made = report(experiment, layout)
    assert made.conclusions.lead == "No answer could be scored, so that there is no result."
    assert made.conclusions.comparisons == ()
    assert "No answer of these runs could be scored" in made.conclusions.reservations[0]
    assert set(made.tables["contrasts"]["conclusion"]) == {""}


@pytest.mark.parametrize("scoring", [["d1"], ["d1", "strict"]], ids=["one scoring", "two scorings"])
def test_29_a_run_without_a_verdict_is_named_and_in_no_test(describe, write, tmp_path, scoring):
    experiment = describe(scoring=scoring)
    layout = write(experiment, tmp_path)
    score_all(layout, "weft-worked-seed2/*", verdict="unscorable", credit=0.0)
    made = report(experiment, layout)
    runs = "weft-worked-seed2 to Sudoku 4×4, arithmetic (GSM8K rules)"
    assert made.conclusions.lead == (
        f"No conclusion is drawn about WeFT and SFT, because no answer of {runs} could be scored."
    )
    by = " under d1 scoring" if len(scoring) > 1 else ""
    assert made.conclusions.reservations[0].startswith(
        f"No answer of these runs could be scored{by}: {runs}. Their answers count as not correct"
    )
    averages = made.tables["contrasts"].query("benchmark == 'average' and rules == 'd1'")
    assert averages[averages["conclusion"] != ""][["treatment", "control"]].to_numpy().tolist() == [
        ["sft", "base"]
    ]


def test_single_answers_without_a_verdict_are_counted(experiment, write, tmp_path):
    layout = write(experiment, tmp_path)
    rewrite(
        layout.root / SCORES,
        lambda line: line | ({"verdict": "unscorable", "credit": 0.0} if line["example_id"] == "q3" else {}),
    )
    made = report(experiment, layout)
    assert (
        made.conclusions.reservations[0] == "Of 336 answers, 1 could not be scored and counts as not correct."
    )
    assert "WeFT minus SFT on average" in made.conclusions.lead


@pytest.mark.parametrize("has_verdicts", [True, False])
def test_30_stored_generations_with_unscorable_answers(stored, write, tmp_path, has_verdicts):
    layout = write(stored, tmp_path)
    chosen = {"q3", "q4"} if has_verdicts else {f"q{number}" for number in range(24)}
    fail = {"verdict": "unscorable", "credit": 0.0}
    for path in layout.all_scores.glob("*/*/*/*.jsonl"):
        rewrite(path, lambda line: line | (fail if line["example_id"] in chosen else {}))
    made = report(stored, layout)
    assert ("No answer could be scored" in made.conclusions.lead) != has_verdicts
    number = "8" if has_verdicts else "96"
    assert f"Of 96 answers, {number} could not be scored and count as not correct." in made.text


def test_31_a_single_comparison_is_not_corrected(describe, write, tmp_path):
    experiment = describe(seeds=[1, 2])  # too few for a test against the base model
    made = report(experiment, write(experiment, tmp_path))
    tested = made.tables["contrasts"].dropna(subset=["p_holm"])
    assert len(tested) == 1
    assert tested["p_holm"].tolist() == tested["p_value"].tolist()
    assert "There is one comparison of averages" in made.text


@pytest.mark.parametrize(
    ("bound", "text"),
    [(0.0004, "+0.04"), (-0.00004, "−0.004"), (0.000004, "+0.0004"), (0.0, "0.0"), (0.0011, "+0.1")],
)
def test_32_a_bound_next_to_zero_shows_its_side(bound, text):
    assert percent_interval(bound, 0.5, is_signed=True) == f"{text} to +50.0"
