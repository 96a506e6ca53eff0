"""Trackers: what they get, that they cannot disturb a training, and that resumed trainings go on in them."""

import importlib.util
import logging
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerCallback

from weft.config import load_experiment
from weft.errors import ConfigError
from weft.layout import tracker_folder
from weft.training import trackers
from weft.training.job import require_tracker
from weft.training.trackers import TrackedRun, TrackedTraining, TrackerCallback, add_tracker

ENTRY = {"step": 3, "epoch": 0.5, "loss": 2.0, "learning_rate": 0.1, "mean_rate": None, "seconds": 0.5}


class Recorder(TrainerCallback):
    """A tracker that records what it gets, and fails at chosen events."""

    def __init__(self, *, fails_at=()):
        self.fails_at, self.events = fails_at, []

    def _note(self, event, **values):
        self.events.append((event, values))
        if event in self.fails_at:
            raise OSError("no space left on device")

    def on_train_begin(self, *_, **__):
        self._note("begin")

    def on_log(self, args, state, control, logs=None, **_):
        self._note("log", **logs)

    def on_train_end(self, *_, **__):
        self._note("end")


def follow(inner, **options):
    """Let a tracker follow a training of two steps; the Trainer then logs its summary."""
    callback = TrackerCallback("thing", lambda: inner, tokens_per_step=100, **options)
    state = SimpleNamespace(log_history=[ENTRY])
    callback.on_train_begin(None, state, None)
    for logs in ({"loss": 2.0}, {"loss": 2.0}, {"train_runtime": 4.0}):
        callback.on_log(None, state, None, logs=logs)
    callback.on_train_end(None, state, None)
    return callback


def test_a_tracker_gets_the_defined_metrics_of_every_step():
    inner = Recorder()
    follow(inner)
    values = {
        "loss": 2.0, "learning_rate": 0.1, "epoch": 0.5, "seconds_per_step": 0.5, "tokens_per_second": 200.0,
    }  # fmt: skip
    assert inner.events == [("begin", {}), ("log", values), ("log", values), ("end", {})]


@pytest.mark.parametrize(("event", "seen"), [("begin", 1), ("log", 2), ("end", 4)])
def test_a_tracker_that_fails_is_left_out_and_the_training_goes_on(event, seen, caplog):
    inner = Recorder(fails_at=[event])
    with caplog.at_level(logging.WARNING, logger="weft"):
        follow(inner)
    assert len(inner.events) == seen, "nothing follows the failure"
    (record,) = caplog.records
    message = "thing failed (OSError: no space left on device); the training goes on without it"
    assert record.getMessage() == message


def test_a_tracker_that_cannot_be_made_is_left_out(caplog):
    def make():
        raise RuntimeError("too old")

    callback = TrackerCallback("thing", make, tokens_per_step=1)
    callback.on_train_begin(None, None, None)
    callback.on_log(None, None, None, logs={"loss": 1.0})
    callback.on_train_end(None, None, None)
    assert "thing failed (RuntimeError: too old)" in caplog.text


def test_a_missing_package_is_named_before_the_training(monkeypatch):
    require_tracker("none")
    require_tracker("tensorboard")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    require_tracker("none")
    with pytest.raises(ConfigError, match=r"report_to: wandb requires the package wandb.*report_to: none"):
        require_tracker("wandb")


@pytest.fixture
def job(tmp_path):
    return SimpleNamespace(
        report_to="trackio",
        experiment=load_experiment("experiments/tiny.yaml"),
        run_id="weft-worked-seed1",
        state=tmp_path,
        resume_from=None,
        out=tmp_path / "results/tiny/runs/weft-worked-seed1",
    )


class Trainer:
    """The parts of a trainer that a tracker is added to."""

    def __init__(self, *, is_first=True):
        self.args, self.callbacks = SimpleNamespace(), []
        self.is_world_process_zero = lambda: is_first
        self.add_callback = self.callbacks.append


def add(job, **options):
    trainer = Trainer(**options)
    add_tracker(trainer, job)
    return trainer


def test_only_the_first_rank_reports_and_only_if_asked(job, without_type_checks):
    assert len(add(job).callbacks) == 1
    assert not add(job, is_first=False).callbacks
    job.report_to = "none"
    assert not add(job).callbacks


def test_a_resumed_training_goes_on_in_its_run_and_a_new_one_begins_another(
    job, without_type_checks, monkeypatch
):
    times = iter(datetime(2026, 1, 1, second=second, tzinfo=UTC) for second in range(60))
    monkeypatch.setattr(trackers, "datetime", SimpleNamespace(now=lambda _: next(times)))
    first = add(job).args
    assert (first.project, first.run_name) == ("tiny", "weft-worked-seed1-20260101-000000")
    assert add(job).args.run_name == "weft-worked-seed1-20260101-000001", "no checkpoint: it begins again"
    job.resume_from = job.state / "checkpoint-40"
    assert add(job).args.run_name == "weft-worked-seed1-20260101-000001"
    (job.state / "tracker.json").unlink()
    assert add(job).args.run_name == "weft-worked-seed1-20260101-000002"


@pytest.fixture
def training(tmp_path, monkeypatch):
    for name in ("WANDB_MODE", "WANDB_RUN_ID", "MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)

    def make(**changes):
        given = {"project": "tiny", "run": TrackedRun(name="a-b"), "folder": tmp_path / "t", "first_step": 1}
        return TrackedTraining(**given | changes)

    return make


def test_tensorboard_shows_every_metric_and_drops_steps_that_come_again(training, tmp_path):
    def write(first, last):
        inner = trackers._make_tensorboard(training(first_step=first))
        args = SimpleNamespace(to_json_string=lambda: "{}", output_dir=str(tmp_path))
        state = SimpleNamespace(is_world_process_zero=True, is_hyper_param_search=False)
        inner.on_train_begin(args, state, None)
        for step in range(first, last + 1):
            state.global_step = step
            inner.on_log(args, state, None, logs={"loss": float(step)})
        inner.on_train_end(args, state, None)

    write(1, 4)
    write(3, 5)
    events = EventAccumulator(str(tmp_path / "t/a-b")).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4, 5]


def test_the_folder_of_trackers_is_beside_the_runs():
    assert tracker_folder(Path("results/tiny/runs/a"), "mlflow") == Path("results/tiny/trackers/mlflow")
    assert tracker_folder(Path("x/a"), "mlflow") == Path("x/trackers/mlflow")
