import pytest
import torch
from peft import LoraConfig
from transformers import TrainingArguments

from tests.support.models import tiny_model
from weft.errors import CheckpointError
from weft.loading import load_model, load_tokenizer
from weft.model import save_model
from weft.training.saving import load_for_training
from weft.training.trainer import DiffusionTrainer

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
ROWS = [{"question": f"What is {n}+1?", "answer": f"{n + 1}"} for n in range(4)]


def trained(tokenizer, out, **changes):
    arguments = TrainingArguments(
        str(out / "state"), max_steps=1, per_device_train_batch_size=4, learning_rate=1e-2, use_cpu=True,
        report_to=[], disable_tqdm=True, save_strategy="no",
    )  # fmt: skip
    model = tiny_model(tokenizer, seed=5)
    trainer = DiffusionTrainer(model, arguments, ROWS, processing_class=tokenizer, method="sft", **changes)
    trainer.train()
    trainer.save_model(str(out / "saved"))
    return trainer.model


def logits(model):
    with torch.no_grad():
        return model.eval()(input_ids=torch.tensor([[5, 6, 7, 8]])).logits


def test_a_saved_adapter_is_the_trained_model_and_has_its_modules_in_order(tokenizer, tmp_path):
    save_model(tiny_model(tokenizer, seed=5), tmp_path / "base")
    model = trained(tokenizer, tmp_path, peft_config=LoraConfig(r=2, target_modules=["v_proj", "q_proj"]))
    again = load_model(tmp_path / "base", adapter=tmp_path / "saved")
    torch.testing.assert_close(logits(again), logits(model))
    text = (tmp_path / "saved/adapter_config.json").read_text()
    assert text.index('"q_proj"') < text.index('"v_proj"')
    assert not list((tmp_path / "saved").glob("*.bin"))


def test_a_saved_adapter_keeps_a_regular_expression_of_modules(tokenizer, tmp_path):
    save_model(tiny_model(tokenizer, seed=5), tmp_path / "base")
    model = trained(tokenizer, tmp_path, peft_config=LoraConfig(r=2, target_modules=r".*\.[qv]_proj"))
    again = load_model(tmp_path / "base", adapter=tmp_path / "saved")
    torch.testing.assert_close(logits(again), logits(model))


@pytest.mark.parametrize(
    "settings", [LoraConfig(r=2, target_modules=["q_proj"]), None], ids=["adapter", "whole"]
)
def test_what_is_not_finite_is_not_saved(tokenizer, tmp_path, settings):
    model = trained(tokenizer, tmp_path, peft_config=settings)
    with torch.no_grad():
        next(parameter for parameter in model.parameters() if parameter.requires_grad).fill_(torch.nan)
    arguments = TrainingArguments(str(tmp_path / "state"), use_cpu=True, report_to=[], save_strategy="no")
    trainer = DiffusionTrainer(model, arguments, ROWS, processing_class=tokenizer, method="sft")
    with pytest.raises(CheckpointError, match="must contain finite numbers"):
        trainer.save_model(str(tmp_path / "again"))


def test_a_saved_model_is_a_published_checkpoint_with_its_tokenizer(tokenizer, tmp_path):
    model = trained(tokenizer, tmp_path)
    again = load_model(tmp_path / "saved")
    torch.testing.assert_close(logits(again), logits(model))
    assert not torch.allclose(logits(again), logits(tiny_model(tokenizer, seed=5)))
    assert load_tokenizer(tmp_path / "saved").get_vocab() == tokenizer.get_vocab()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_model_is_loaded_in_the_stored_type_only_for_adapters(tokenizer, tmp_path, dtype):
    save_model(tiny_model(tokenizer).to(dtype), tmp_path / "base")
    assert load_for_training(tmp_path / "base", has_adapters=True).dtype == dtype
    assert load_for_training(tmp_path / "base", has_adapters=False).dtype == torch.float32
