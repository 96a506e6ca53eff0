import pytest
import torch
from transformers import TrainingArguments

from tests.support.models import tiny_model
from weft.config.training import LearningCurve, Lora
from weft.data.encoding import encode_example
from weft.data.tasks.examples import generate_examples
from weft.layout import snapshot_folder
from weft.model import load_finetuned, save_model
from weft.training.adapters import lora_settings
from weft.training.snapshots import SnapshotCallback, copy_snapshots, snapshot_steps
from weft.training.trainer import DiffusionTrainer

# The Trainer asks PEFT's wrapper for an attribute that transformers has renamed.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


@pytest.mark.parametrize(
    ("num_steps", "num_points", "spacing", "steps"),
    [
        (504, 6, "linear", [84, 168, 252, 336, 420, 504]),
        (10, 3, "linear", [3, 7, 10]),
        (2, 6, "linear", [1, 2]),
        (5, 1, "linear", [5]),
        (720, 6, "quadratic", [20, 80, 180, 320, 500, 720]),
        (5, 4, "quadratic", [1, 3, 5]),
    ],
)
def test_the_steps_have_the_chosen_spacing_and_the_last_is_at_the_end(num_steps, num_points, spacing, steps):
    curve = LearningCurve(num_points=num_points, spacing=spacing, num_examples=1, seed=0)
    assert snapshot_steps(num_steps, curve) == steps


CURVE = LearningCurve(num_points=3, spacing="linear", num_examples=1, seed=0)


@pytest.fixture(scope="module")
def trained(tokenizer, tmp_path_factory):
    """Train an adapter for six steps and keep it at three of them."""
    state = tmp_path_factory.mktemp("state")
    examples = [encode_example(tokenizer, e) for e in generate_examples({"sudoku": 6, "gsm8k": 6}, seed=3)]
    base = tiny_model(tokenizer, seed=5)
    save_model(base, state / "base")
    lora = Lora(rank=2, alpha=4, dropout=0.0, target_modules=["q_proj", "down_proj"])
    trainer = DiffusionTrainer(
        model=base,
        args=TrainingArguments(
            output_dir=str(state), num_train_epochs=2, per_device_train_batch_size=4, learning_rate=1e-2,
            seed=1, use_cpu=True, report_to=[], disable_tqdm=True, remove_unused_columns=False,
            save_strategy="no",
        ),
        train_dataset=examples,
        processing_class=tokenizer,
        method="sft",
        peft_config=lora_settings(lora),
        max_length=96,
    )  # fmt: skip
    trainer.add_callback(SnapshotCallback(trainer, state, CURVE))
    trainer.train()
    return trainer, state


def logits(state, adapter, tokenizer):
    ids = torch.tensor([tokenizer("Solve 6x=24", add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        return load_finetuned(state / "base", adapter, torch.float32)(input_ids=ids).logits


def test_the_last_snapshot_is_the_trained_model_and_the_others_lead_to_it(trained, tokenizer):
    trainer, state = trained
    folders = [snapshot_folder(state, step) for step in (2, 4, 6)]
    assert sorted(folders[0].parent.iterdir()) == folders
    first, second, last = (logits(state, folder, tokenizer) for folder in folders)
    ids = torch.tensor([tokenizer("Solve 6x=24", add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        expected = trainer.model(input_ids=ids).logits
    assert torch.allclose(last, expected, atol=1e-6)
    assert not torch.allclose(first, second, atol=1e-4)
    assert not torch.allclose(second, last, atol=1e-4)


def test_snapshots_are_copied_into_the_folder_of_the_run(trained, tmp_path):
    _, state = trained
    copy_snapshots(state, tmp_path)
    assert (snapshot_folder(tmp_path, 4) / "adapter_model.safetensors").read_bytes() == (
        snapshot_folder(state, 4) / "adapter_model.safetensors"
    ).read_bytes()


def test_a_training_without_snapshots_has_none_to_copy(tmp_path):
    (tmp_path / "state").mkdir()
    copy_snapshots(tmp_path / "state", tmp_path / "run")
    assert not (tmp_path / "run").exists()
