import functools
import itertools
import json
import operator
import random

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tools import stored_results
from weft import provenance
from weft.audit import verify_results
from weft.config import FineTuning, find_experiment, load_experiment
from weft.errors import DataError
from weft.layout import ResultLayout, provenance_file
from weft.provenance import write_provenance
from weft.records import CurvePoint, Generation, ScoredExample
from weft.records.files import write_lines, write_text


@pytest.fixture
def experiment(monkeypatch, tmp_path):
    monkeypatch.setattr(stored_results, "STORE", tmp_path / "store")
    monkeypatch.setattr(provenance, "git_state", lambda: ("c0ffee", False))
    tiny = load_experiment(find_experiment("tiny"))
    return tiny.model_copy(update={"seeds": [1, 2]})


@pytest.fixture
def layout(tmp_path):
    return ResultLayout(tmp_path / "results")


def write_run(experiment, layout, run):
    """Write answers, scores and the other files of a run; nothing in them is regular."""
    rng = random.Random(run)
    for benchmark, length in itertools.product(experiment.benchmark_names, experiment.gen_lengths):
        ids = [f"{rng.randrange(2**40):x}" for _ in range(5)]
        reference = [[1, 2, 3], 7] if benchmark == "countdown" else "7"
        write_lines(
            layout.samples(run, benchmark, length),
            [
                Generation(
                    example_id=name, benchmark=benchmark, question="Q", reference=reference,
                    generation=f"é\n{rng.random()}", gen_length=length, diffusion_steps=8, block_length=8,
                    num_forward=8, ended_early=rng.random() < 0.5, seed=None, model=run, digest="d",
                )
                for name in ids
            ],
        )  # fmt: skip
        for scoring in experiment.scoring:
            write_lines(
                layout.scores(scoring, run, benchmark, length),
                [
                    ScoredExample(
                        example_id=name, benchmark=benchmark, scoring=str(scoring), extracted=None,
                        verdict="wrong", credit=1 / 3, weight=9, reason="because", details={"has_end": True},
                    )
                    for name in ids
                ],
            )  # fmt: skip
    point = CurvePoint(benchmark="gsm8k", gen_length=32, optimizer_step=0, accuracy=0.1, num_questions=48)
    if run == "base":
        write_lines(layout.curve(run), [point])
        write_text(layout.base / "config.json", "{}")
    else:
        write_lines(layout.curve(run), [point, point.model_copy(update={"optimizer_step": 4})])
        for path in (layout.history(run), layout.timing(run), layout.run(run) / "adapter.safetensors"):
            write_text(path, f'{{"seed": {run[-1]}}}\n')
    write_origins(experiment, layout, run)


def write_data(experiment, layout):
    for name in experiment.dataset_names:
        layout.probe(name).parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"word": ["a", "b"], "entropy": np.array([0.25, 1e-9])}).to_parquet(layout.probe(name))
        write_text(layout.prepared(name) / "summary.json", "{}\n")
        write_text(layout.prepared(name) / "examples", "1")
        write_origins(experiment, layout, f"data.{name}")


def write_origins(experiment, layout, name):
    for result in stored_results._list_origins(experiment, layout, name):
        write_provenance(result, settings={}, experiment=experiment.name)


def store(experiment, layout, runs):
    for run in runs:
        write_run(experiment, layout, run)
        stored_results.store(experiment, layout, run)
    write_data(experiment, layout)
    for name in experiment.dataset_names:
        stored_results.store(experiment, layout, f"data.{name}")


def files_of(layout):
    """Return the contents of all files that are restored to the byte, and of their provenance."""
    return {
        path.relative_to(layout.root): path.read_bytes()
        for path in layout.root.rglob("*")
        if path.is_file() and path.suffix != ".parquet" and not path.name.startswith(".")
    }


def test_what_is_stored_is_restored_to_the_byte(experiment, layout, tmp_path):
    store(experiment, layout, experiment.run_ids)
    assert stored_results.missing_names(experiment) == []
    again = ResultLayout(tmp_path / "again")
    stored_results.restore(experiment, again)
    before, after = files_of(layout), files_of(again)
    weights = {path for path in before if path.name in ("config.json", "adapter.safetensors", "examples")}
    renamed = {path for path in after if ".stored." in path.name}
    originals = {path.with_name(path.name.replace(".stored.", ".")) for path in renamed}
    examples = {path for path in after if path.parts[:2] == ("data", "examples")}
    assert {path: after[path] for path in set(after) - renamed - examples} == {
        path: before[path] for path in set(before) - originals - weights
    }
    assert all(after[p] == before[p.with_name(p.name.replace(".stored.", "."))] for p in renamed)
    assert len(renamed) == 1 + 4 + 2, "base model, runs, and data set with its entropies"
    name = experiment.dataset_names[0]
    assert examples == {again.examples(name).relative_to(again.root)}, "these are generated again"
    assert after[examples.pop()].count(b"\n") == sum(experiment.datasets[name].tasks.values())
    assert pd.read_parquet(again.probe(name)).equals(pd.read_parquet(layout.probe(name)))


def test_the_report_accepts_restored_results(experiment, layout, tmp_path):
    store(experiment, layout, experiment.run_ids)
    again = ResultLayout(tmp_path / "again")
    stored_results.restore(experiment, again)
    assert not list_changed(again)
    path = again.scores("d1", "base", "gsm8k", 32)
    path.write_text(path.read_text().replace("because", "perhaps"))
    assert list_changed(again) == ["scores/d1/base/gsm8k/32.jsonl"]


def list_changed(layout):
    """List the results with another content than their provenance records."""
    findings = verify_results(layout.root).findings
    return [finding.result for finding in findings if "another content" in finding.text]


def change(experiment, **changes):
    """Return an experiment with other values at paths such as ``training.learning_rate``."""
    content = experiment.model_dump(mode="json")
    for path, value in changes.items():
        *keys, last = path.split("__")
        functools.reduce(operator.getitem, keys, content)[last] = value
    return FineTuning.model_validate(content)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"title": "Another"}, []),
        ({"training__learning_rate": 1e-9}, ["sft-worked-seed1", "weft-worked-seed1"]),
        ({"methods__weft__exponent": 0.25}, ["weft-worked-seed1"]),
        ({"datasets__worked__seed": 12}, ["data.worked", "sft-worked-seed1", "weft-worked-seed1"]),
        ({"benchmarks__gsm8k__seed": 12}, ["base", "sft-worked-seed1", "weft-worked-seed1"]),
        ({"sampling__gen_lengths": [32, 40]}, ["base", "sft-worked-seed1", "weft-worked-seed1"]),
        ({"learning_curve__num_examples": 8}, ["base", "sft-worked-seed1", "weft-worked-seed1"]),
        ({"learning_curve__spacing": "linear"}, ["sft-worked-seed1", "weft-worked-seed1"]),
        (
            {"base_model__shipped_sha256": "0" * 64},
            ["base", "data.worked", "sft-worked-seed1", "weft-worked-seed1"],
        ),
    ],
)
def test_results_of_other_settings_are_missing(experiment, layout, changes, missing):
    experiment = experiment.model_copy(update={"seeds": [1]})
    store(experiment, layout, experiment.run_ids)
    assert stored_results.missing_names(change(experiment, **changes)) == missing


def test_results_of_other_generators_are_missing(experiment, layout, monkeypatch):
    store(experiment, layout, ["base"])
    assert "base" not in stored_results.missing_names(experiment)
    monkeypatch.setattr(stored_results, "digest_generators", lambda: "another")
    assert "base" in stored_results.missing_names(experiment)


def test_a_damaged_file_is_missing_or_named(experiment, layout):
    store(experiment, layout, ["base"])
    path = stored_results.store_path(experiment, "base")
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    assert stored_results.missing_names(experiment)[0] == "base"
    path.write_bytes(content[:40] + bytes(200) + content[240:])
    assert stored_results.missing_names(experiment)[0] == "base"
    with pytest.raises(DataError, match=r"base.parquet: expected a stored result.*make results"):
        stored_results._read_table(experiment, "base")


def test_results_of_files_that_are_not_committed_are_refused(experiment, layout):
    write_run(experiment, layout, "base")
    path = provenance_file(layout.samples("base", "gsm8k", 32))
    record = json.loads(path.read_text()) | {"dirty": True}
    path.write_text(json.dumps(record))
    with pytest.raises(DataError, match="of a committed state"):
        stored_results.store(experiment, layout, "base")


def test_the_file_of_a_run_can_be_read_as_a_table(experiment, layout):
    store(experiment, layout, ["base"])
    table = pd.read_parquet(stored_results.store_path(experiment, "base"))
    assert {"question", "generation", "d1.verdict", "strict.credit"} <= set(table.columns)
    assert len(table) == 5 * len(experiment.benchmark_names)


def test_only_seeds_with_all_their_runs_are_restored(experiment, layout):
    store(experiment, layout, ["base", "sft-worked-seed1", "sft-worked-seed2", "weft-worked-seed2"])
    assert stored_results.missing_names(experiment) == ["weft-worked-seed1"]
    assert stored_results.with_stored_runs(experiment).seeds == [2]


def test_methods_with_all_their_runs_are_restored(layout, monkeypatch, tmp_path):
    monkeypatch.setattr(stored_results, "STORE", tmp_path / "store")
    monkeypatch.setattr(provenance, "git_state", lambda: ("c0ffee", False))
    full = load_experiment(find_experiment("ablations"))
    names = ["sft", "weft", "weft-frozen", "weft-permuted"]
    experiment = full.model_copy(
        update={
            "seeds": [1, 2],
            "methods": {name: full.methods[name] for name in names},
            "further_contrasts": [("weft-permuted", "sft"), ("weft-frozen", "sft")],
        }
    )
    missing = stored_results.missing_names(experiment)
    assert missing[:3] == ["base", "data.worked", "gradients.worked"]
    order = missing[3:]
    assert order[:2] == ["sft-worked-seed1", "weft-worked-seed1"], "the main test first, by seed"
    assert order[4:] == [f"{name}-worked-seed{seed}" for name in names[2:] for seed in (1, 2)]
    store(experiment, layout, ["base", *order[:7]])
    part = stored_results.with_stored_runs(experiment)
    assert (part.seeds, list(part.methods)) == ([1, 2], ["sft", "weft", "weft-frozen"])
    assert part.further_contrasts == [("weft-frozen", "sft")]
    assert not part.has_gradient_study, "none is stored"
    study = pd.DataFrame({"method": ["sft", "weft-permuted"], "quintile": [1, 1]})
    layout.gradients("worked").parent.mkdir(parents=True)
    study.to_parquet(layout.gradients("worked"))
    write_origins(experiment, layout, "gradients.worked")
    stored_results.store(experiment, layout, "gradients.worked")
    part = stored_results.with_stored_runs(experiment)
    again = ResultLayout(tmp_path / "again")
    stored_results.restore(part, again)
    assert list(pd.read_parquet(again.gradients("worked"))["method"]) == ["sft"], "only stored methods"


def test_a_run_that_would_not_be_restored_is_refused(experiment, layout):
    write_run(experiment, layout, "base")
    path = layout.scores("d1", "base", "gsm8k", 32)
    path.write_text(path.read_text().replace('"because"', '"because" '))
    with pytest.raises(ValueError, match="must be restored without a change"):
        stored_results.store(experiment, layout, "base")
    assert not stored_results.store_path(experiment, "base").exists()


def test_nothing_stored_is_an_error_with_a_remedy(experiment, tmp_path):
    result = CliRunner().invoke(
        stored_results.app, ["restore", "--experiment", "tiny", str(tmp_path / "out")]
    )
    assert isinstance(result.exception, DataError)
    assert "make results EXPERIMENT=tiny" in str(result.exception)


def test_the_next_results_are_printed_and_stored(experiment, layout, monkeypatch):
    monkeypatch.setattr(stored_results, "load_fine_tuning", lambda _: experiment)
    monkeypatch.setattr(ResultLayout, "of", lambda _: layout)
    run = functools.partial(CliRunner().invoke, stored_results.app, catch_exceptions=False)
    lines = run(["missing", "--experiment", "tiny"]).stdout.split()
    assert str(layout.scores("d1", "base", "sudoku", 32)) in lines
    assert str(layout.probe("worked")) in lines
    assert not any("seed" in line for line in lines)
    write_run(experiment, layout, "base")
    write_data(experiment, layout)
    run(["store", "--experiment", "tiny"])
    lines = run(["missing", "--experiment", "tiny"]).stdout.split()
    assert str(layout.curve("sft-worked-seed1")) in lines
    assert not any("base" in line or "seed2" in line for line in lines)


def test_the_restored_experiment_keeps_its_order(experiment, layout, monkeypatch, tmp_path):
    monkeypatch.setattr(stored_results, "load_fine_tuning", lambda _: experiment)
    store(experiment, layout, experiment.run_ids)
    arguments = ["restore", "--experiment", "tiny", str(tmp_path / "out")]
    CliRunner().invoke(stored_results.app, arguments, catch_exceptions=False)
    restored = load_experiment(tmp_path / "out/tiny.yaml")
    assert restored.benchmark_names == experiment.benchmark_names
    assert restored.run_ids == experiment.run_ids
