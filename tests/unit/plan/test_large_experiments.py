"""The experiments with 7 and 8 billion parameters differ from each other only where they say so."""

import pytest

from weft.config import load_experiment
from weft.costs import PUBLISHED_NETWORKS
from weft.plan import describe_material, plan_lines

PAPER, GIFT, DREAM, RANK_8 = (
    load_experiment(f"experiments/{name}.yaml") for name in ("paper", "gift", "gift-dream", "lora-r8")
)
TEXTS = ("name", "title", "caption")


def differences(one, other):
    first, second = one.model_dump(mode="json"), other.model_dump(mode="json")
    return {key for key in first if first[key] != second[key]}


def test_dream_is_trained_like_llada():
    assert differences(GIFT, DREAM) == {*TEXTS, "base_model"}


def test_gift_trains_all_parameters_on_more_data_from_a_base_model():
    assert differences(PAPER, GIFT) == {*TEXTS, "base_model", "datasets", "training"}
    assert GIFT.training.lora is None
    assert describe_material(GIFT, offline=[]).material.num_examples == {"s1k": 990, "openr1-10k": 9900}
    assert differences(PAPER.datasets["s1k"], GIFT.datasets["s1k"]) == set()


def test_the_other_recipe_changes_rank_scale_and_learning_rate_only():
    assert differences(PAPER, RANK_8) == {*TEXTS, "training"}
    assert differences(PAPER.training, RANK_8.training) == {"learning_rate", "lora"}
    assert differences(PAPER.training.lora, RANK_8.training.lora) == {"rank", "alpha"}


@pytest.mark.parametrize(
    ("experiment", "model"),
    [
        (GIFT, "GSAI-ML/LLaDA-8B-Base"),
        (DREAM, "Dream-org/Dream-v0-Base-7B"),
        (RANK_8, "GSAI-ML/LLaDA-8B-Instruct"),
    ],
    ids=["gift", "gift-dream", "lora-r8"],
)
def test_they_are_planned_without_assumptions_about_models_and_data(monkeypatch, experiment, model):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    networks = describe_material(experiment, offline=[]).material.networks
    assert {*networks.values()} == {PUBLISHED_NETWORKS[model]}
    text = "\n".join(plan_lines(experiment, offline=[], num_gpus=8))
    assert "    assumed: a prompt has 200 tokens\n" in text
    assert "DOES NOT FIT" not in text
    assert f"from https://huggingface.co/{model}/tree/" in text
    assert "unknown size" not in text
