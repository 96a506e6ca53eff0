"""Facts about a run of the shipped experiment, and its results folder."""

import csv

import pytest

from weft.config import load_experiment
from weft.layout import ResultLayout
from weft.provenance import write_provenance
from weft.records.files import write_lines
from weft.sharing.facts import describe_run

RUN = "weft-worked-seed1"
COLUMNS = ["run", "benchmark", "gen_length", "rules", "n", "accuracy", "ci_low", "ci_high"]
ROWS = [
    ["base", "sudoku", "32", "d1", "250", "0.5", "0.4", "0.6"],
    [RUN, "sudoku", "32", "d1", "250", "0.75", "0.70", "0.80"],
    [RUN, "gsm8k", "32", "d1", "250", "0.25", "", ""],
    ["sft-worked-seed1", "sudoku", "32", "d1", "250", "0.99", "0.98", "1.0"],
]


@pytest.fixture
def experiment():
    return load_experiment("experiments/tiny.yaml")


@pytest.fixture
def facts(experiment, tmp_path):
    return describe_run(experiment, experiment.find_run(RUN), tmp_path / "base")


@pytest.fixture
def results(experiment, tmp_path):
    """Write a run, one of its answer files, and the table of its scores; return the run's folder."""
    layout = ResultLayout(tmp_path / "results" / experiment.name)
    folder = layout.run(RUN)
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    answers = layout.samples(RUN, "sudoku", 32)
    write_lines(answers, [])
    write_provenance(answers, settings={}, experiment=experiment.name, inputs=[folder])
    table = layout.table("scores")
    table.parent.mkdir()
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *ROWS])
    write_provenance(table.parent, settings={}, experiment=experiment.name)
    return folder
