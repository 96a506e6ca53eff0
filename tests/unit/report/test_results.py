import json
import os

import pandas as pd
import pytest

from weft.audit import verify_results
from weft.errors import DataError, ScoringError
from weft.layout import ResultLayout, provenance_file
from weft.provenance import stored_digest, write_provenance
from weft.records import Provenance
from weft.records.files import read_json, write_json
from weft.report.results import (
    GRADIENT_COLUMNS,
    MAY_BE_UNDEFINED,
    load_results,
)

SCORES = "scores/d1/sft-worked-seed2/gsm8k/48.jsonl"


@pytest.fixture
def layout(experiment, write, tmp_path):
    return write(experiment, tmp_path / "small")


def test_scores_stand_in_the_order_of_the_tables(experiment, results):
    first = [(file.run.run_id, file.benchmark) for file in results.scores[:3]]
    assert first == [("base", "sudoku"), ("base", "gsm8k"), ("sft-worked-seed1", "sudoku")]
    assert len(results.scores) == 7 * 2
    assert {score.weight for score in results.scores[0].scores} == {8}


def test_stored_generations_have_scores_only(stored_results):
    runs = {(file.run.run_id, file.run.method, file.run.dataset) for file in stored_results.scores}
    assert runs == {("published", "LLaDA-8B-Instruct", None)}
    assert not stored_results.logs


def damage(path, how):
    lines = path.read_text().splitlines(keepends=True)
    record = json.loads(lines[0])
    changed = {
        "line cut off": "".join(lines)[:-9],
        "lines missing": "".join(lines[:-2]),
        "empty": "",
        "no object": "[1]\n" + "".join(lines[1:]),
        "twice": lines[1] + "".join(lines[1:]),
        "other scoring": json.dumps(record | {"rules": "strict"}) + "\n" + "".join(lines[1:]),
        "field missing": json.dumps({"example_id": "q0"}) + "\n" + "".join(lines[1:]),
        "odd credit": json.dumps(record | {"credit": 2}) + "\n" + "".join(lines[1:]),
        "odd weight": json.dumps(record | {"weight": 10**400}) + "\n" + "".join(lines[1:]),
        "odd details": json.dumps(record | {"details": 3}) + "\n" + "".join(lines[1:]),
    }
    path.write_text(changed[how])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("line cut off", "line 24"),
        ("lines missing", "24 scores, got 22"),
        ("empty", "24 scores, got 0"),
        ("no object", "line 1"),
        ("twice", "'q1'"),
        ("other scoring", "line 1.*strict"),
        ("field missing", "line 1.*benchmark"),
        ("odd credit", "line 1.*credit"),
        ("odd weight", "line 1.*weight"),
        ("odd details", "line 1.*details"),
    ],
)
def test_a_damaged_score_file_is_named_with_the_problem(experiment, layout, how, message):
    damage(layout.root / SCORES, how)
    with pytest.raises(ScoringError, match=f"{SCORES}.*{message}"):
        load_results(experiment, layout)


def test_training_runs_have_logs_and_timings(results):
    assert len(results.logs) == len(results.timings) == 6
    assert [step.optimizer_step for step in results.logs["weft-worked-seed3"]] == list(range(1, 41))
    assert results.timings["sft-worked-seed1"].seconds_per_step == pytest.approx(0.51)


@pytest.mark.parametrize(
    "file",
    [
        "runs/weft-worked-seed3/history.jsonl",
        "runs/weft-worked-seed3/timing.json",
        "probe/worked.parquet",
        SCORES,
    ],
)
def test_missing_and_truncated_files_are_named(experiment, layout, file):
    path = layout.root / file
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises((DataError, ScoringError), match=file):
        load_results(experiment, layout)
    path.unlink()
    with pytest.raises((DataError, ScoringError), match=file):
        load_results(experiment, layout)


@pytest.mark.parametrize(
    ("file", "field"),
    [
        ("runs/weft-worked-seed3/history.jsonl", "optimizer_step"),
        ("runs/weft-worked-seed3/timing.json", "num_steps"),
        ("data/prepared/worked/summary.json", "num_tokens"),
    ],
)
def test_an_integer_that_is_too_large_to_compute_with_is_named(experiment, layout, summary, file, field):
    write_json(layout.prepared("worked") / "summary.json", summary)
    path = layout.root / file
    record = json.loads(path.read_text().splitlines()[0] if path.suffix == ".jsonl" else path.read_text())
    path.write_text(json.dumps(record | {field: 10**400}))
    with pytest.raises(DataError, match=f"{file}.*{field}"):
        load_results(experiment, layout)


def test_empty_logs_and_probes_are_errors(experiment, layout):
    path = layout.history("sft-worked-seed1")
    content = path.read_text()
    path.write_text("")
    with pytest.raises(DataError, match="sft-worked-seed1"):
        load_results(experiment, layout)
    path.write_text(content)
    path = layout.probe("worked")
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    with pytest.raises(DataError, match=r"worked\.parquet"):
        load_results(experiment, layout)


def test_gradients_stand_in_the_order_of_methods_and_quintiles(ablated):
    frame = ablated.gradients["worked"]
    assert frame["quintile"].tolist() == [1, 2, 3, 4, 5] * 4
    assert frame["method"].tolist()[::5] == ["sft", "weft", "cart", "weft-permuted"]
    assert tuple(frame.columns) == GRADIENT_COLUMNS


def change_gradients(path, how):
    frame = pd.read_parquet(path)
    changed = {
        "column missing": frame.drop(columns="gradient_share"),
        "no rows": frame[:0],
        "unknown method": frame.replace({"method": {"cart": "dpo"}}),
        "quintile missing": frame[1:],
        "no number": frame.assign(relative_variance=float("nan")),
        "too few draws": frame.assign(gradient_norm=float("nan")),
        "infinite": frame.assign(gradient_share_high=float("inf")),
        "no cosine": frame.assign(**dict.fromkeys(MAY_BE_UNDEFINED, float("nan"))),
    }
    changed[how].to_parquet(path)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("column missing", "gradient_share"),
        ("no rows", "weft-permuted"),
        ("unknown method", "dpo"),
        ("quintile missing", r"\[4, 3, 2, 1\] of sft"),
        ("no number", "relative_variance"),
        ("too few draws", r"gradient_study\.num_draws"),
        ("infinite", "gradient_share_high"),
    ],
)
def test_an_odd_gradient_study_is_named_with_the_problem(ablations, write, tmp_path, how, message):
    layout = write(ablations, tmp_path)
    change_gradients(layout.gradients("worked"), how)
    with pytest.raises(DataError, match=rf"gradients/worked\.parquet.*{message}"):
        load_results(ablations, layout)


def test_a_method_may_have_no_cosine_to_sft(ablations, write, tmp_path):
    layout = write(ablations, tmp_path)
    change_gradients(layout.gradients("worked"), "no cosine")
    assert load_results(ablations, layout).gradients["worked"]["cosine_to_sft"].isna().all()


def test_summaries_and_traces_are_loaded_where_they_exist(experiment, results, layout, summary):
    assert (results.summaries, results.traces) == ({}, [])
    folder = layout.prepared("worked")
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(summary.model_dump()))
    for run in ("base", "weft-worked-seed1", "weft-worked-seed2"):
        layout.trace(run).parent.mkdir(parents=True, exist_ok=True)
        layout.trace(run).write_text("")
    found = load_results(experiment, layout)
    assert found.summaries == {"worked": summary}
    assert [run.run_id for run in found.traces] == ["base", "weft-worked-seed1"]


def test_a_change_that_keeps_size_and_time_is_detected(experiment, tmp_path):
    layout = ResultLayout(tmp_path)
    base, weights = layout.base, layout.base / "weights"
    base.mkdir(parents=True)
    weights.write_text("before")
    write_provenance(base, settings={}, experiment="small")
    assert not any(finding.status == "fails" for finding in verify_results(tmp_path).findings)
    times = weights.stat().st_atime_ns, weights.stat().st_mtime_ns
    weights.write_text("change")
    os.utime(weights, ns=times)
    assert stored_digest(base) == read_json(provenance_file(base), Provenance).sha256
    finding = verify_results(tmp_path).findings[0]
    assert (finding.status, finding.result) == ("fails", "base")
    assert finding.text.startswith("weights has another content")


def test_provenance_of_figures_report_and_hidden_folders_is_left_out(experiment, layout):
    content = (layout.root / "runs/sft-worked-seed1.provenance.json").read_text()
    for place in ("report", "figures", ".state", "data"):
        (layout.root / place).mkdir()
        (layout.root / place / "x.provenance.json").write_text(content)
    assert len(load_results(experiment, layout).provenance) == 6 + 1


def test_times_of_sampling_are_loaded_where_snakemake_wrote_them(experiment, layout):
    def write_time(name, *seconds):
        path = layout.benchmark("sample", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps({"s": time, "h:m:s": "0:00:01"}) + "\n" for time in seconds))

    assert load_results(experiment, layout).sampling_seconds == {}
    write_time("base", 1.0, 2.5)
    write_time("sft-worked-seed1.1of2", 3.0)
    write_time("sft-worked-seed1.2of2", 4.0)
    found = load_results(experiment, layout).sampling_seconds
    assert found == {"base": 2.5, "sft-worked-seed1": 7.0}


def test_aggregates_are_computed_once(experiment, results):
    options = {"contrasts": experiment.comparisons, "confidence": 0.95}
    first = results.aggregate("d1", **options)
    assert results.aggregate("d1", **options) is first
    assert results.aggregate("d1", **options | {"confidence": 0.9}) is not first


def test_runs_share_the_ids_of_their_questions(results):
    of_benchmark = [file.columns.example_ids for file in results.scores if file.benchmark == "gsm8k"]
    assert all(ids is of_benchmark[0] for ids in of_benchmark)
