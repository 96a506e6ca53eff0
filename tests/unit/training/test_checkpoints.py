"""Damage to checkpoints for resuming: each kind is named, and the checkpoint before is taken."""

import json
import logging
import os
import pickle
import shutil

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from weft.errors import TrainingError
from weft.training.callbacks import DigestCallback
from weft.training.checkpoints import (
    DIGESTS_FILE,
    find_damage,
    list_checkpoints,
    take_sound_checkpoint,
    weights_only,
    write_digests,
)
from weft.training.deepspeed import pickle_stage_by_value

OPTIMIZER = "global_step8/zero_pp_rank_0_mp_rank_00_optim_states.pt"


class Planted:
    """An object whose unpickling creates a file, as a command of an attacker would."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mknod, (str(self.file),)


def write_checkpoint(state, step):
    from deepspeed.runtime.fp16.loss_scaler import LossScaler
    from deepspeed.runtime.zero.config import ZeroStageEnum

    pickle_stage_by_value()  # as the Trainer does
    folder = state / f"checkpoint-{step}"
    (folder / f"global_step{step}").mkdir(parents=True)
    (folder / "latest").write_text(f"global_step{step}")
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step, "log_history": []}))
    (folder / "training_args.bin").write_bytes(pickle.dumps({"seed": 1}))
    states = {"loss_scaler": LossScaler(1.0), "zero_stage": ZeroStageEnum(2), "exp_avg": torch.ones(500)}
    torch.save({"optimizer_state_dict": states}, folder / OPTIMIZER.replace("8", str(step), 1))
    torch.save({"numpy": np.random.get_state(), "cpu": torch.get_rng_state()}, folder / "rng_state.pth")
    (folder / "zero_to_fp32.py").write_text("print('a tool of DeepSpeed')")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    state = tmp_path_factory.mktemp("run") / ".run.state"
    (state / "snapshots/4").mkdir(parents=True)
    for step in (4, 8):
        (state / f"snapshots/4/adapter_{step}.safetensors").write_text("weights")
        write_checkpoint(state, step)
        write_digests(Accelerator(cpu=True), state, step=step)
    return state


@pytest.fixture
def state(written, tmp_path):
    shutil.copytree(written, tmp_path / "state")
    return tmp_path / "state"


def flip_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def forge_digests(checkpoint):
    """Store the digests of what is there now, as an attacker would."""
    step = int(checkpoint.name.removeprefix("checkpoint-"))
    write_digests(Accelerator(cpu=True), checkpoint.parent, step=step)


def plant_in_torch_file(folder):
    torch.save({"exp_avg": torch.ones(3), "x": Planted(folder.parent / "ran")}, folder / OPTIMIZER)
    forge_digests(folder)


def plant_bare_pickle(folder):
    (folder / OPTIMIZER).write_bytes(pickle.dumps(Planted(folder.parent / "ran")))
    forge_digests(folder)


def name_what_no_disk_has(folder):
    """Add a file to the digests whose name makes the operating system fail."""
    content = json.loads((folder / DIGESTS_FILE).read_text())
    content["sha256"] = {"a" * 5000: "0"} | content["sha256"]
    (folder / DIGESTS_FILE).write_text(json.dumps(content))


def set_step(folder):
    file = folder / "trainer_state.json"
    file.write_text(file.read_text().replace("8", "4"))


def set_step_and_forge(folder):
    set_step(folder)
    forge_digests(folder)


DAMAGE = {
    "truncated file": (lambda folder: os.truncate(folder / OPTIMIZER, 900), "has another content"),
    "flipped bit": (lambda folder: flip_bit(folder / OPTIMIZER), "optim_states.pt has another content"),
    "latest is missing": (lambda folder: (folder / "latest").unlink(), "latest must be there"),
    "foreign pickle": (
        lambda folder: (folder / OPTIMIZER).write_bytes(pickle.dumps(Planted(folder.parent / "ran"))),
        "has another content",
    ),
    "foreign pickle, digests forged": (plant_bare_pickle, "was not written by torch.save"),
    "foreign class, digests forged": (plant_in_torch_file, "names posix.mknod, which could run code"),
    "rng_state replaced": (
        lambda folder: shutil.copy(folder / OPTIMIZER, folder / "rng_state.pth"),
        "rng_state.pth has another content",
    ),
    "wrong step": (set_step, "trainer_state.json must belong to the same optimiser step, got 4"),
    "wrong step, digests forged": (set_step_and_forge, "trainer_state.json must belong to the same"),
    "missing file": (lambda folder: (folder / "rng_state.pth").unlink(), "rng_state.pth must be there"),
    "extra file": (
        lambda folder: (folder / "optimizer.pt").write_text("more"),
        "checkpoint-8/optimizer.pt must not be there, because no digest was stored",
    ),
    "snapshot changed": (
        lambda folder: (folder.parent / "snapshots/4/adapter_8.safetensors").write_text("others"),
        "snapshots/4/adapter_8.safetensors has another content",
    ),
    "empty digests": (lambda folder: (folder / DIGESTS_FILE).write_text(""), "expected a JSON object"),
    "no digests inside": (
        lambda folder: (folder / DIGESTS_FILE).write_text('{"step": 8, "sha256": {}}'),
        "must not be there, because no digest was stored",
    ),
    "cut digests": (lambda folder: os.truncate(folder / DIGESTS_FILE, 200), "expected a JSON object"),
    "unreadable": (name_what_no_disk_has, "its files must be readable, got OSError: [Errno 36]"),
    "digests of another checkpoint": (
        lambda folder: shutil.copy(folder.with_name("checkpoint-4") / DIGESTS_FILE, folder),
        "digests.json must belong to the same optimiser step, got 4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_is_set_aside_with_one_sentence(state, kind, caplog):
    damage, reason = DAMAGE[kind]
    damage(state / "checkpoint-8")
    with caplog.at_level(logging.WARNING, logger="weft"):
        assert take_sound_checkpoint(state) == state / "checkpoint-4"
    (record,) = caplog.records
    assert f"{state}/checkpoint-8 is not used and renamed to damaged-checkpoint-8: " in record.getMessage()
    assert reason in record.getMessage()
    assert "\n" not in record.getMessage()
    assert (state / "damaged-checkpoint-8").is_dir()
    assert not (state / "ran").exists(), "the planted command was not run"
    assert list_checkpoints(state) == [state / "checkpoint-4"]


def test_the_newest_checkpoint_is_taken_if_nothing_is_wrong(state, caplog):
    assert take_sound_checkpoint(state) == state / "checkpoint-8"
    assert not caplog.records
    assert not (state / "checkpoint-8/training_args.bin").exists(), "a pickle that nothing reads"


def test_a_checkpoint_without_digests_was_interrupted_and_is_deleted(state, caplog):
    (state / "checkpoint-8" / DIGESTS_FILE).unlink()
    assert take_sound_checkpoint(state) == state / "checkpoint-4"
    assert "checkpoint-8 is not used and deleted: it has no digests.json" in caplog.text
    assert not list(state.glob("*checkpoint-8"))


def test_of_two_damaged_checkpoints_one_is_kept_and_training_begins(state, caplog):
    for step in (4, 8):
        flip_bit(state / f"checkpoint-{step}/rng_state.pth")
    assert take_sound_checkpoint(state) is None
    assert len(caplog.records) == 2
    assert [folder.name for folder in state.glob("*checkpoint*")] == ["damaged-checkpoint-4"]


def test_checkpoints_are_ordered_by_number(tmp_path):
    for step in (9, 10, 200):
        (tmp_path / f"checkpoint-{step}").mkdir()
    (tmp_path / "checkpoint-x").mkdir()
    (tmp_path / "checkpoint-300").touch()
    names = [folder.name for folder in list_checkpoints(tmp_path)]
    assert names == ["checkpoint-200", "checkpoint-10", "checkpoint-9"]


def test_a_missing_state_folder_has_no_checkpoint(tmp_path):
    assert take_sound_checkpoint(tmp_path / "absent") is None


def test_two_checkpoints_are_kept_and_a_third_one_never_exists(state):
    class Control:
        should_save = True

    callback = DigestCallback(Accelerator(cpu=True), state)
    callback.on_step_end(None, None, Control())
    assert list_checkpoints(state) == [state / "checkpoint-8"]
    Control.should_save = False
    write_checkpoint(state, 12)
    write_digests(Accelerator(cpu=True), state, step=12)
    callback.on_step_end(None, None, Control())
    assert len(list_checkpoints(state)) == 2


def test_deepspeeds_way_of_loading_refuses_a_foreign_class(state, monkeypatch):
    """A file that was replaced after the check is refused when it is loaded."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    file = state / "checkpoint-8" / OPTIMIZER
    with weights_only(has_deepspeed=True):
        loaded = torch.load(file, weights_only=False)
    assert loaded["optimizer_state_dict"]["exp_avg"].sum() == 500
    torch.save({"x": Planted(state / "ran")}, file)
    message = "must contain tensors and numbers only"
    with pytest.raises(TrainingError, match=message), weights_only(has_deepspeed=True):
        torch.load(file, weights_only=False)
    assert not (state / "ran").exists()
    assert os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] == "1"
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ
    torch.load(file, weights_only=False)
    assert (state / "ran").exists(), "without the guard the command runs"


def test_the_digests_hold_what_is_on_disk(state):
    checkpoint = state / "checkpoint-8"
    assert find_damage(checkpoint) is None
    content = json.loads((checkpoint / DIGESTS_FILE).read_text())
    assert content["step"] == 8
    files = {str(file.relative_to(state)) for file in checkpoint.rglob("*") if file.is_file()}
    beside = {"snapshots/4/adapter_4.safetensors", "snapshots/4/adapter_8.safetensors"}
    assert content["sha256"].keys() == files - {f"checkpoint-8/{DIGESTS_FILE}"} | beside
