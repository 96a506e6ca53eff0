import pytest
import torch
from peft import LoraConfig, TaskType

from tests.support.models import tiny_model
from weft.config.training import Lora
from weft.training.adapters import DEFAULT_TARGETS, add_adapters, lora_settings

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")


def adapted(model):
    return {name.split(".")[-1] for name, module in model.named_modules() if hasattr(module, "lora_A")}


def test_the_settings_of_an_experiment_name_the_adapted_modules(tokenizer):
    lora = Lora(rank=3, alpha=6, dropout=0.0, target_modules=["q_proj", "down_proj"])
    model = add_adapters(tiny_model(tokenizer).bfloat16(), lora_settings(lora))
    assert adapted(model) == {"q_proj", "down_proj"}
    trained = {parameter.dtype for parameter in model.parameters() if parameter.requires_grad}
    assert trained == {torch.float32}


def test_settings_without_modules_adapt_those_of_d1(tokenizer):
    assert adapted(add_adapters(tiny_model(tokenizer), LoraConfig(r=2))) == set(DEFAULT_TARGETS)


def test_settings_for_causal_models_are_accepted(tokenizer):
    model = add_adapters(tiny_model(tokenizer), LoraConfig(r=2, task_type=TaskType.CAUSAL_LM))
    ids = torch.tensor([[5, 6, 7]])
    positions = torch.tensor([[False, True, False]])
    prediction = model(
        input_ids=ids, logits_positions=positions, targets=torch.tensor([6]), token_weights=torch.ones(1)
    )
    assert prediction.loss is not None
