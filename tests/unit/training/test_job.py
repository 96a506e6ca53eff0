"""The job file, its state folder, and what the launcher is given."""

import json
import logging

import pytest
from accelerate import Accelerator

from weft.config import load_experiment
from weft.errors import ConfigError, TrainingError
from weft.provenance import write_provenance
from weft.records.files import read_json
from weft.training import job as job_module
from weft.training import resume
from weft.training.checkpoints import write_digests
from weft.training.job import TrainingJob, launch_training
from weft.training.kept import kept_result
from weft.training.launch import ONE_NODE, Nodes


@pytest.fixture
def launch(tmp_path, monkeypatch):
    """Return a function that launches a training and returns the launcher's arguments and the job."""
    started = []
    monkeypatch.setattr(job_module.os, "environ", {"PATH": "/usr/bin"})
    monkeypatch.setattr(
        job_module, "launch_ranks", lambda *given, **options: started.append((*given, options))
    )
    for name in ("base", "prepared"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text(name)

    def call(method="sft", *, num_processes=1, nodes=ONE_NODE, **changes):
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
            nodes=nodes,
        )
        arguments, _ = started[-1]
        return *started[-1], read_json(tmp_path / arguments[-1], TrainingJob)

    call.started = started
    return call


def test_the_ranks_read_what_the_launcher_wrote(launch, tmp_path):
    arguments, options, job = launch()
    assert arguments[:2] == ["-m", "weft.training.rank"]
    assert options == {"num_processes": 1, "nodes": ONE_NODE}
    assert job_module.os.environ["OMP_NUM_THREADS"] == "3"
    assert job.experiment == load_experiment("experiments/tiny.yaml")
    assert job.run.run_id == "sft-worked-seed1"
    assert (job.base, job.out, job.num_workers) == (tmp_path / "base", tmp_path / "runs/a", 2)
    assert arguments[-1] == str(job.state / "job.json")


def test_a_training_that_was_finished_before_is_not_launched(launch, tmp_path, caplog):
    job = launch()[2]
    result = kept_result(job.out, job.key)
    result.mkdir(parents=True)
    (result / "history.jsonl").write_text("steps")
    write_provenance(result, settings={}, experiment="tiny")
    launched = len(launch.started)
    with caplog.at_level(logging.INFO, logger="weft"):
        launch()
    assert len(launch.started) == launched
    assert f"{job.out}: this training was finished before; its result is used" in caplog.text
    assert (job.out / "history.jsonl").samefile(result / "history.jsonl")
    launch(learning_rate=0.5)
    assert len(launch.started) == launched + 1, "other settings are trained"


GIVEN = {"micro_batch_size": 4}  # which two processes can share


def interrupt(state, step=6):
    """Leave what a training leaves that was killed after a checkpoint; return the checkpoint."""
    checkpoint = state / f"checkpoint-{step}"
    checkpoint.mkdir()
    (checkpoint / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    write_digests(Accelerator(cpu=True), state, step=step)
    return checkpoint


@pytest.mark.parametrize("changed", [{"learning_rate": 0.5}, {"method": "weft"}, {"epochs": 1}], ids=str)
def test_other_settings_begin_anew_and_say_which_checkpoint_they_delete(launch, changed, caplog):
    state = launch(**GIVEN)[2].state
    interrupt(state)
    job = launch(**GIVEN)[2]
    assert (job.state, job.resume_from) == (state, state / "checkpoint-6"), "the same settings resume"
    assert not caplog.records
    with caplog.at_level(logging.WARNING, logger="weft"):
        assert launch(**GIVEN | changed)[2].state != state
    assert not state.exists(), "the state of other settings is removed"
    (record,) = caplog.records
    assert "from the beginning: the checkpoint after optimiser step 6 in" in record.getMessage()
    assert str(state) in record.getMessage()


def test_a_state_without_a_checkpoint_is_removed_without_a_word(launch, caplog):
    state = launch(**GIVEN)[2].state
    launch(**GIVEN, learning_rate=0.5)
    assert not state.exists()
    assert not caplog.records


@pytest.mark.parametrize(
    ("changed", "name", "old", "new"),
    [
        ({"num_processes": 2}, "train_processes", 1, 2),
        ({"micro_batch_size": 8}, "micro_batch_size", 4, 8),
        ({"zero_stage": 1}, "zero_stage", 2, 1),
        ({"offload_optimizer": True}, "offload_optimizer", False, True),
        ({"gradient_checkpointing": True}, "gradient_checkpointing", False, True),
    ],
    ids=str,
)
def test_another_division_of_the_work_leaves_the_checkpoint_and_names_the_way_out(
    launch, changed, name, old, new
):
    state = launch(**GIVEN)[2].state
    checkpoint = interrupt(state)
    with pytest.raises(TrainingError) as caught:
        launch(**GIVEN | changed)
    assert f"after optimiser step 6, which can be resumed only with {name}={old}, got {name}={new}; " in str(
        caught.value
    )
    assert f"run it again with {name}={old} to continue, or delete {state} " in str(caught.value)
    assert checkpoint.is_dir()
    assert launch(**GIVEN)[2].state == state, "the first division goes on"
    assert checkpoint.is_dir()


def test_every_difference_of_the_division_is_named(launch):
    interrupt(launch(**GIVEN)[2].state)
    message = "with train_processes=1, micro_batch_size=4, got train_processes=2, micro_batch_size=2; "
    with pytest.raises(TrainingError, match=message):
        launch(micro_batch_size=2, num_processes=2)


def test_another_division_is_free_before_the_first_checkpoint(launch):
    state = launch(**GIVEN)[2].state
    assert launch(**GIVEN, num_processes=2)[2].state == state


def test_the_interval_of_the_checkpoints_may_change(launch):
    state = launch(**GIVEN)[2].state
    interrupt(state)
    assert launch(**GIVEN, save_every=3)[2].state == state


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("code", "other", r"was written by another version of weft's code \(commit 0123456789ab\); use"),
        (
            "versions",
            {"torch": "1.0"},
            "was written by torch 1.0; use this version again to continue, or del",
        ),
    ],
)
def test_a_checkpoint_of_other_code_is_left_and_named(launch, name, value, message):
    state = launch(**GIVEN)[2].state
    checkpoint = interrupt(state)
    file = state / "job.json"
    job = json.loads(file.read_text())
    job["software"] |= {name: value, "commit": "0123456789abcdef"}
    file.write_text(json.dumps(job))
    with pytest.raises(TrainingError, match=message):
        launch(**GIVEN)
    assert checkpoint.is_dir()


def test_a_damaged_checkpoint_is_not_resumed(launch, caplog):
    state = launch(**GIVEN)[2].state
    interrupt(state, step=3)
    (interrupt(state) / "trainer_state.json").write_text("")
    assert launch(**GIVEN)[2].resume_from == state / "checkpoint-3"
    assert "checkpoint-6 is not used and renamed to damaged-checkpoint-6: trainer_state.json" in caplog.text


def test_a_checkpoint_whose_job_is_unknown_is_not_resumed(launch):
    state = launch(**GIVEN)[2].state
    checkpoint = interrupt(state)
    (state / "job.json").write_text("{}")
    with pytest.raises(TrainingError, match="does not describe the job"):
        launch(**GIVEN)
    assert checkpoint.is_dir()


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


@pytest.mark.parametrize("changed", ["CODE", "LIBRARIES"])
def test_uncertainties_that_other_code_has_computed_are_not_used(launch, monkeypatch, changed):
    probe = launch("weft")[2].frozen_probe
    monkeypatch.setattr(resume, changed, ("diffusion",) if changed == "CODE" else ())
    assert launch("weft")[2].frozen_probe != probe


def test_a_batch_that_cannot_be_divided_is_refused_before_the_launch(launch, tmp_path):
    with pytest.raises(ConfigError, match="micro_batch_size"):
        launch(num_processes=3)
    assert not (tmp_path / "runs").exists()


def test_the_ranks_of_all_machines_divide_the_batch(launch):
    first, second = (Nodes(count=2, rank=rank, rendezvous="127.0.0.1:29500") for rank in range(2))
    job = launch(**GIVEN, nodes=first)[2]
    assert job.division.train_processes == 2
    with pytest.raises(ConfigError, match="micro_batch_size"):
        launch(**GIVEN, num_processes=3, nodes=first)
    written = (job.state / "job.json").stat().st_mtime_ns
    _, options, read = launch(**GIVEN, nodes=second)
    assert read == job
    assert (job.state / "job.json").stat().st_mtime_ns == written, "machine 0 alone writes the job"
    assert options["nodes"] == second
