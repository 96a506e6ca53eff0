import json

import pandas as pd
import pytest

from weft.errors import DataError, ScoringError
from weft.report import load

SCORES = "scores/d1/sft-worked-seed2/gsm8k/48.jsonl"


def test_scores_come_in_the_order_of_the_tables(experiment, root):
    score_sets = load.load_scores(experiment, root, rules="d1")
    assert [one.run for one in score_sets[:3]] == ["base", "base", "sft-worked-seed1"]
    assert len(score_sets) == 7 * 2
    assert score_sets[0].weight.tolist() == [8.0] * 24


def test_stored_generations_have_one_run(stored, stored_root):
    score_sets = load.load_scores(stored, stored_root, rules="d1")
    assert {(one.run, one.method, one.dataset) for one in score_sets} == {
        ("published", "LLaDA-8B-Instruct", None)
    }


def test_details_come_in_the_order_of_the_tables(experiment, root):
    cells = list(load.load_details(experiment, root))
    assert [(run.run_id, benchmark, length) for run, benchmark, length, _ in cells[:3]] == [
        ("base", "sudoku", 48),
        ("base", "gsm8k", 48),
        ("sft-worked-seed1", "sudoku", 48),
    ]
    assert cells[1][3][3] == {"effective_length": 13, "has_end": True, "is_closed": True}


def test_scores_without_details_have_empty_ones_and_others_are_refused(experiment, root):
    path = root / SCORES
    records = [json.loads(line) for line in path.read_text().splitlines()]
    del records[0]["details"]
    records[1]["details"] = None
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    (details,) = [one for run, name, _, one in load.load_details(experiment, root)
                  if (run.run_id, name) == ("sft-worked-seed2", "gsm8k")]  # fmt: skip
    assert details[:2] == [{}, {}]
    records[1]["details"] = 3
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    with pytest.raises(ScoringError, match="'details' must be an object"):
        list(load.load_details(experiment, root))


def test_a_missing_score_file_is_named(experiment, root):
    (root / SCORES).unlink()
    with pytest.raises(ScoringError, match=SCORES):
        load.load_scores(experiment, root, rules="d1")


def damage(path, how):
    lines = path.read_text().splitlines(keepends=True)
    record = json.loads(lines[0])
    changed = {
        "line cut off": "".join(lines)[:-9],
        "lines missing": "".join(lines[:-2]),
        "empty": "",
        "no JSON": "x\n" + "".join(lines[1:]),
        "no object": "[1]\n" + "".join(lines[1:]),
        "twice": lines[1] + "".join(lines[1:]),
        "other rules": json.dumps(record | {"rules": "strict"}) + "\n" + "".join(lines[1:]),
        "field missing": json.dumps({"example_id": "q0"}) + "\n" + "".join(lines[1:]),
        "odd credit": json.dumps(record | {"credit": 2}) + "\n" + "".join(lines[1:]),
    }
    path.write_text(changed[how])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("line cut off", "every line must be ended"),
        ("lines missing", "24 questions, got 22"),
        ("empty", "every line must be ended"),
        ("no JSON", "line 1 must be JSON"),
        ("no object", "must be a JSON object"),
        ("twice", "'q1' again"),
        ("other rules", "strict"),
        ("field missing", "'benchmark' is needed"),
        ("odd credit", "a credit of 0 to 1"),
    ],
)
def test_a_damaged_score_file_is_named_with_what_is_wrong(experiment, root, how, message):
    damage(root / SCORES, how)
    with pytest.raises(ScoringError, match=message) as caught:
        load.load_scores(experiment, root, rules="d1")
    assert SCORES in str(caught.value)


def test_histories_and_timings_have_all_training_runs(experiment, root):
    history, timings = load.load_history(experiment, root), load.load_timings(experiment, root)
    assert len(history) == 6 * 40
    assert timings["run"].tolist()[0] == "sft-worked-seed1"
    assert timings["seconds_per_step"][0] == pytest.approx(0.51)


@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("runs/weft-worked-seed3/history.jsonl", load.load_history),
        ("runs/weft-worked-seed3/timing.json", load.load_timings),
        ("probe/worked.parquet", lambda experiment, root: load.load_probe(root, "worked")),
    ],
)
def test_missing_and_truncated_files_are_named(experiment, root, file, read):
    content = (root / file).read_bytes()
    (root / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=file):
        read(experiment, root)
    (root / file).unlink()
    with pytest.raises(DataError, match=file):
        read(experiment, root)


def test_a_history_without_losses_is_an_error(experiment, root):
    path = root / "runs/sft-worked-seed1/history.jsonl"
    path.write_text('{"optimizer_step": 1, "loss": null}\n')
    with pytest.raises(DataError, match="record 1 needs loss"):
        load.load_history(experiment, root)


def test_an_empty_probe_is_an_error(root):
    path = root / "probe/worked.parquet"
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    with pytest.raises(DataError, match="at least one answer token"):
        load.load_probe(root, "worked")


def test_gradients_stand_in_the_order_of_methods_and_quintiles(ablations, ablated):
    frame = load.load_gradients(ablations, ablated)
    assert frame["quintile"].tolist() == [1, 2, 3, 4, 5] * 4
    assert frame["method"].tolist()[::5] == ["sft", "weft", "cart", "weft-permuted"]
    assert list(frame.columns) == ["dataset", *load.GRADIENT_FIELDS]
    assert set(frame["dataset"]) == {"worked"}


def change_gradients(path, how):
    frame = pd.read_parquet(path)
    changed = {
        "column missing": frame.drop(columns="gradient_share"),
        "no rows": frame[:0],
        "unknown method": frame.replace({"method": {"cart": "dpo"}}),
        "quintile missing": frame[1:],
        "quintile twice": frame.replace({"quintile": {5: 4}}),
        "no number": frame.assign(relative_variance=float("nan")),
        "too few draws": frame.assign(gradient_norm=float("nan")),
        "infinite": frame.assign(gradient_share_high=float("inf")),
    }
    changed[how].to_parquet(path)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("column missing", "Parquet with the columns .*gradient_share"),
        ("no rows", "needs rows of the methods sft, weft, cart, weft-permuted, got none"),
        ("unknown method", "got dpo"),
        ("quintile missing", "quintiles 1 to 5 once, got .* of sft"),
        ("quintile twice", "quintiles 1 to 5 once"),
        ("no number", "relative_variance must be a finite number"),
        ("too few draws", r"not for .*raise gradient_study\.num_draws"),
        ("infinite", "gradient_share_high must be a finite number"),
    ],
)
def test_an_odd_gradient_study_is_named_with_what_is_wrong(ablations, ablated, how, message):
    path = ablated / "gradients/worked.parquet"
    change_gradients(path, how)
    with pytest.raises(DataError, match=message) as caught:
        load.load_gradients(ablations, ablated)
    assert "gradients/worked.parquet" in str(caught.value)


def test_a_missing_gradient_study_is_named(ablations, ablated):
    (ablated / "gradients/worked.parquet").unlink()
    with pytest.raises(
        DataError, match=r"worked\.parquet: gradients are needed.*run the gradient study first"
    ):
        load.load_gradients(ablations, ablated)


def test_a_method_without_cosine_is_no_error(ablations, ablated):
    path = ablated / "gradients/worked.parquet"
    pd.read_parquet(path).assign(cosine_to_sft=float("nan")).to_parquet(path)
    assert load.load_gradients(ablations, ablated)["cosine_to_sft"].isna().all()


def test_only_the_numbers_of_a_training_set_are_read(experiment, root):
    assert load.load_training_data(experiment, root) == {}
    path = root / "data/prepared/worked/summary.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"num_examples": 8, "mean_length": 5.5, "layout": "exact", "lost": null, "ok": true}')
    assert load.load_training_data(experiment, root) == {"worked": {"num_examples": 8, "mean_length": 5.5}}
    path.write_text('{"num_exam')
    with pytest.raises(DataError, match=r"summary\.json"):
        load.load_training_data(experiment, root)


def test_tables_read_back_keep_missing_names_and_text(tmp_path):
    (tmp_path / "scores.csv").write_text(
        "run,method,dataset,seed,accuracy\nbase,1e3,,,0.5\n007,weft,nan,3,0.25\n"
    )
    frame = load.load_table(tmp_path, "scores")
    assert frame["dataset"].tolist() == [None, "nan"]
    assert frame["method"].tolist() == ["1e3", "weft"]
    assert frame["run"].tolist() == ["base", "007"]
    assert frame["seed"].isna().tolist() == [True, False]


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(DataError, match=r"contrasts\.csv"):
        load.load_table(tmp_path, "contrasts")


def test_provenance_leaves_out_figures_report_and_hidden_folders(root):
    for place in ("report", ".state", "data"):
        (root / place).mkdir()
        (root / place / "x.provenance.json").write_text('{"seed": 99}')
    found = load.load_provenance(root)
    assert len(found) == 6 + 1
    assert found[0] == {"seed": 99}


def write_samples(root, run="weft-worked-seed1"):
    for benchmark in ("sudoku", "gsm8k"):
        path = root / "samples" / run / benchmark / "48.jsonl"
        path.parent.mkdir(parents=True)
        rows = [{"example_id": f"q{i}", "question": f"Q{i}", "generation": f"G{i}"} for i in range(24)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_samples_are_the_first_of_each_verdict(experiment, root):
    write_samples(root)
    samples = load.load_samples(experiment, root, num_per_verdict=1)
    gsm8k = {one.verdict: one for one in samples if one.benchmark == "gsm8k"}
    assert set(gsm8k) == {"correct", "wrong"}
    lines = (root / "scores/d1/weft-worked-seed1/gsm8k/48.jsonl").read_text().splitlines()
    first = next(score for score in map(json.loads, lines) if score["verdict"] == "correct")
    assert gsm8k["correct"].question == first["example_id"].replace("q", "Q")
    assert gsm8k["correct"].run == "weft-worked-seed1"
    assert gsm8k["correct"].generation == gsm8k["correct"].question.replace("Q", "G")


def test_a_scored_example_without_sample_is_an_error(experiment, root):
    write_samples(root)
    path = root / "samples/weft-worked-seed1/gsm8k/48.jsonl"
    path.write_text('{"example_id": "other", "question": "", "generation": ""}\n')
    with pytest.raises(ScoringError, match="is not there"):
        load.load_samples(experiment, root, num_per_verdict=1)
