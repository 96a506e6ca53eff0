import yaml

from weft.config import FineTuning
from weft.report.page_settings import main_settings, resolved_yaml


def test_the_yaml_describes_the_same_experiment(experiment):
    assert FineTuning.model_validate(yaml.safe_load(resolved_yaml(experiment))) == experiment


def test_the_most_important_settings_are_in_words(experiment, describe, approximate):
    settings = dict(main_settings(experiment))
    assert settings["base model"] == "LLaDA trained from scratch: 1 layers, 8 dimensions"
    assert settings["training seeds"] == "1, 2, 3"
    assert settings["optimiser"].startswith("AdamW, learning rate 0.001 (linear, 0 warm-up steps)")
    assert "48 tokens in blocks of 16, 2 per step, low confidence remasking" in settings["sampling"]
    assert "in each step those with a confidence above 0.9" in dict(main_settings(approximate))["sampling"]
    methods = {"sft": {"preset": "sft", "learning_rate": 2e-3}, "weft": {"preset": "weft"}}
    assert (
        "learning rate 0.001, 0.002 for SFT (" in dict(main_settings(describe(methods=methods)))["optimiser"]
    )


def test_published_models_have_their_commit(describe_paper):
    assert dict(main_settings(describe_paper()))["base model"] == "GSAI-ML/LLaDA-8B-Instruct at main"


def test_stored_generations_have_model_and_lengths(stored):
    settings = dict(main_settings(stored))
    assert settings["model"] == "LLaDA-8B-Instruct"
    assert settings["length of the answers"] == "128, 256 tokens"
