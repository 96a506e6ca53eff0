import shutil

import pytest
from transformers import TrainerCallback

from weft.config import find_experiment, load_experiment
from weft.training import pretrain as module
from weft.training.pretrain import PretrainingTrainer, pretrain


class Killed(Exception):
    """Ends a training as if its process had been killed."""


class KillAfterSave(TrainerCallback):
    """Kill the training after the checkpoint of a step."""

    def __init__(self, step):
        self.step = step

    def on_save(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            raise Killed


@pytest.fixture(scope="module")
def recipe():
    """A recipe of two phases with four and three steps."""
    recipe = load_experiment(find_experiment("tiny")).base_model.recipe
    phases = [
        phase.model_copy(update={"num_steps": steps, "warmup_steps": 1, "decay_steps": 2})
        for phase, steps in zip(recipe.phases[:2], (4, 3), strict=True)
    ]
    update = {"phases": phases, "num_tokenizer_texts": 300, "batch_size": 4}
    return recipe.model_copy(update=update)


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """Weights of a training without interruption, and its state."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "out").mkdir()
    logs = pretrain(recipe, folder / "out", state=folder / "state", device="cpu")
    assert [log["step"] for log in logs] == [4, 3]
    return weights(folder / "out"), folder / "state"


def weights(folder):
    return (folder / "model.safetensors").read_bytes()


@pytest.mark.parametrize(("phase", "step"), [(0, 2), (0, 4), (1, 2), (1, 3)])
def test_a_training_that_is_killed_in_any_phase_gives_the_same_weights(
    recipe, whole, tmp_path, monkeypatch, phase, step
):
    def killed(rows, **kwargs):
        trainer = PretrainingTrainer(rows, **kwargs)
        if rows.phase == recipe.phases[phase]:
            trainer.add_callback(KillAfterSave(step))
        return trainer

    monkeypatch.setattr(module, "SAVE_STEPS", 2)
    with monkeypatch.context() as patch:
        patch.setattr(module, "PretrainingTrainer", killed)
        with pytest.raises(Killed):
            pretrain(recipe, tmp_path, state=tmp_path / "state", device="cpu")
    assert not (tmp_path / "model.safetensors").exists()
    pretrain(recipe, tmp_path, state=tmp_path / "state", device="cpu")
    assert weights(tmp_path) == whole[0]


def test_the_second_phase_changes_the_weights(recipe, whole, tmp_path):
    shutil.copytree(whole[1] / "phase-0", tmp_path / "state/phase-0")
    first = recipe.model_copy(update={"phases": recipe.phases[:1]})
    pretrain(first, tmp_path, state=tmp_path / "state", device="cpu")
    assert weights(tmp_path) != whole[0]
