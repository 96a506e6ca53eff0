"""The job file, its state folder, and what the launcher is given."""

import pytest

from weft.config import load_experiment
from weft.errors import ConfigError
from weft.records.files import read_json
from weft.training import job as job_module
from weft.training.job import TrainingJob, launch_training


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Return a function that launches a training and returns its arguments, environment and job."""
    started = []
    monkeypatch.setattr(job_module, "run_launcher", lambda *given: started.append(given))
    for name in ("base", "prepared"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)

    def call(method="sft", *, num_processes=1, **changes):
        content = load_experiment("experiments/tiny.yaml").model_dump(mode="json")
        content["training"] |= changes
        experiment = type(load_experiment("experiments/tiny.yaml")).model_validate(content)
        launch_training(
            experiment,
            experiment.find_run(f"{method}-worked-seed1"),
            base=tmp_path / "base",
            prepared=tmp_path / "prepared",
            out=tmp_path / "runs" / "a",
            num_processes=num_processes,
            num_workers=2,
            threads=3,
            device="cpu",
        )
        arguments, environment = started[-1]
        return arguments, environment, read_json(tmp_path / arguments[-1], TrainingJob)

    return call


def test_the_ranks_read_what_the_launcher_wrote(launch, tmp_path):
    arguments, environment, job = launch()
    assert arguments[arguments.index("--module") + 1] == "weft.training.rank"
    assert environment["OMP_NUM_THREADS"] == "3"
    assert job.experiment == load_experiment("experiments/tiny.yaml")
    assert job.run.run_id == "sft-worked-seed1"
    assert (job.base, job.out, job.num_workers) == (tmp_path / "base", tmp_path / "runs/a", 2)
    assert arguments[-1] == str(job.state / "job.json")


@pytest.mark.parametrize("changed", [{"num_processes": 2}, {"learning_rate": 0.5}, {"method": "weft"}])
def test_a_state_is_resumed_only_under_the_same_settings(launch, changed):
    given = {"micro_batch_size": 4}  # which two processes can share
    state = launch(**given)[2].state
    (state / "checkpoint-1").mkdir()
    assert launch(**given)[2].state == state
    assert (state / "checkpoint-1").exists()
    assert launch(**given | changed)[2].state != state
    assert not state.exists(), "the state of other settings is removed"


def test_a_state_is_resumed_only_with_the_same_inputs(launch, tmp_path):
    first = launch()[2]
    (tmp_path / "base" / "x").write_text("another base")
    second = launch()[2]
    assert second.state != first.state
    assert second.frozen_probe != first.frozen_probe


def test_runs_share_the_uncertainties_of_the_base_model(launch):
    probe = launch("weft")[2].frozen_probe
    assert launch("weft", learning_rate=0.5, epochs=1)[2].frozen_probe == probe
    assert launch("weft", max_length=60)[2].frozen_probe != probe


def test_a_batch_that_cannot_be_divided_is_refused_before_the_launch(launch, tmp_path):
    with pytest.raises(ConfigError, match="micro_batch_size"):
        launch(num_processes=3)
    assert not (tmp_path / "runs").exists()
