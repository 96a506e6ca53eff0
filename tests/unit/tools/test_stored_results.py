import itertools
import random

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from tools import stored_results
from weft.config import find_experiment, load_experiment
from weft.errors import DataError
from weft.layout import ResultLayout, provenance_file
from weft.records import CurvePoint, Generation, ScoredExample
from weft.records.files import write_lines, write_text


@pytest.fixture
def experiment(monkeypatch, tmp_path):
    monkeypatch.setattr(stored_results, "STORE", tmp_path / "store")
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
    if run != "base":
        point = CurvePoint(benchmark="gsm8k", gen_length=32, optimizer_step=4, accuracy=0.1, num_questions=48)
        write_lines(layout.curve(run), [point])
        for path in (layout.history(run), layout.timing(run), provenance_file(layout.run(run))):
            write_text(path, f'{{"seed": {run[-1]}}}\n')


def write_data(experiment, layout):
    for name in experiment.dataset_names:
        layout.probe(name).parent.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"word": ["a", "b"], "entropy": np.array([0.25, 1e-9])}).to_parquet(layout.probe(name))
        write_text(layout.prepared(name) / "summary.json", "{}\n")


def store(experiment, layout, runs):
    for run in runs:
        write_run(experiment, layout, run)
        stored_results.store_run(experiment, layout, run, stored_results.store_path(experiment, run))
    write_data(experiment, layout)
    for name in experiment.dataset_names:
        stored_results.store_dataset(layout, name, stored_results.store_path(experiment, f"data.{name}"))


def files_of(layout):
    return {
        path.relative_to(layout.root): path.read_bytes()
        for path in layout.root.rglob("*")
        if path.is_file() and path.suffix != ".parquet"
    }


def test_what_is_stored_is_restored_to_the_byte(experiment, layout, tmp_path):
    store(experiment, layout, experiment.run_ids)
    assert stored_results.missing_runs(experiment) == []
    again = ResultLayout(tmp_path / "again")
    stored_results.restore(experiment, again)
    assert files_of(again) == files_of(layout)
    name = experiment.dataset_names[0]
    assert pd.read_parquet(again.probe(name)).equals(pd.read_parquet(layout.probe(name)))


def test_the_file_of_a_run_can_be_read_as_a_table(experiment, layout):
    store(experiment, layout, ["base"])
    table = pd.read_parquet(stored_results.store_path(experiment, "base"))
    assert {"question", "generation", "d1.verdict", "strict.credit"} <= set(table.columns)
    assert len(table) == 5 * len(experiment.benchmark_names)


def test_only_seeds_with_all_their_runs_are_restored(experiment, layout):
    store(experiment, layout, ["base", "sft-worked-seed1", "sft-worked-seed2", "weft-worked-seed2"])
    assert stored_results.missing_runs(experiment) == ["weft-worked-seed1"]
    assert stored_results.with_stored_runs(experiment).seeds == [2]


def test_methods_with_all_their_runs_are_restored(layout, monkeypatch, tmp_path):
    monkeypatch.setattr(stored_results, "STORE", tmp_path / "store")
    full = load_experiment(find_experiment("ablations"))
    names = ["sft", "weft", "weft-frozen", "weft-permuted"]
    experiment = full.model_copy(
        update={
            "seeds": [1, 2],
            "methods": {name: full.methods[name] for name in names},
            "further_contrasts": [("weft-permuted", "sft"), ("weft-frozen", "sft")],
        }
    )
    order = stored_results.missing_runs(experiment)
    assert order[:3] == ["base", "sft-worked-seed1", "weft-worked-seed1"], "the main test first, by seed"
    assert order[5:] == [f"{name}-worked-seed{seed}" for name in names[2:] for seed in (1, 2)]
    store(experiment, layout, order[:8])
    part = stored_results.with_stored_runs(experiment)
    assert (part.seeds, list(part.methods)) == ([1, 2], ["sft", "weft", "weft-frozen"])
    assert part.further_contrasts == [("weft-frozen", "sft")]
    assert not part.has_gradient_study, "none is stored"
    study = pd.DataFrame({"method": ["sft", "weft-permuted"], "quintile": [1, 1]})
    layout.gradients("worked").parent.mkdir(parents=True)
    study.to_parquet(layout.gradients("worked"))
    stored_results.store_gradients(
        layout, "worked", stored_results.store_path(experiment, "gradients.worked")
    )
    part = stored_results.with_stored_runs(experiment)
    again = ResultLayout(tmp_path / "again")
    stored_results.restore(part, again)
    assert list(pd.read_parquet(again.gradients("worked"))["method"]) == ["sft"], "only stored methods"


def test_a_run_that_would_not_be_restored_is_refused(experiment, layout):
    write_run(experiment, layout, "base")
    path = layout.scores("d1", "base", "gsm8k", 32)
    path.write_text(path.read_text().replace('"because"', '"because" '))
    with pytest.raises(ValueError, match="must be restored without a change"):
        stored_results.store_run(experiment, layout, "base", stored_results.store_path(experiment, "base"))
    assert not stored_results.store_path(experiment, "base").exists()


def test_nothing_stored_is_an_error_with_a_remedy(experiment, tmp_path):
    result = CliRunner().invoke(
        stored_results.app, ["restore", "--experiment", "tiny", str(tmp_path / "out")]
    )
    assert isinstance(result.exception, DataError)
    assert "make results EXPERIMENT=tiny" in str(result.exception)


def test_targets_of_missing_runs_are_printed(experiment):
    lines = CliRunner().invoke(stored_results.app, ["missing", "--experiment", "tiny"]).stdout.split()
    assert "results/tiny/scores/d1/base/sudoku/32.jsonl" in lines
    assert "results/tiny/probe/worked.parquet" in lines
    assert "results/tiny/curves/sft-worked-seed1.jsonl" in lines
    assert not any("seed2" in line for line in lines)
