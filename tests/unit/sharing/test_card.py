"""What readers of a model card see, and what the hub reads in it."""

from dataclasses import replace

import pytest
from huggingface_hub import ModelCard as HubCard

from weft.sharing.card import ModelCard, render_card, write_run_card
from weft.sharing.facts import read_facts
from weft.sharing.results import read_results

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LLADA = "GSAI-ML/LLaDA-8B-Instruct"


@pytest.fixture
def card(facts):
    return ModelCard(name="mine", form="adapter", family="llada", is_adapter=True, facts=facts)


@pytest.fixture
def published(card):
    """A card of an adapter for a published base model and data set."""
    facts = card.facts.model_copy(
        update={
            "base_model": {"source": "hub", "repo": LLADA, "revision": "main"},
            "base_commit": COMMIT,
            "data": {"source": "hub", "files": [{"repo": "simplescaling/s1K", "file": "x.parquet"}]},
        }
    )
    return replace(card, name="me/mine", facts=facts)


def test_the_hub_finds_base_data_and_licence(published):
    data = HubCard(render_card(published)).data
    assert data.base_model == LLADA
    assert data.datasets == ["simplescaling/s1K"]
    assert data.license == "mit"
    assert data.library_name == "peft"
    assert {"weft", "lora", "llada"} <= set(data.tags)
    assert data.eval_results is None


def test_a_card_says_where_the_model_comes_from_and_how_plain_peft_loads_it(published):
    text = render_card(published)
    assert f"commit of the base model: {COMMIT}" in text
    assert f'AutoModel.from_pretrained("{LLADA}", revision="{COMMIT}"' in text
    assert 'PeftModel.from_pretrained(base, "me/mine")' in text
    assert "simplescaling/s1K: Apache-2.0" in text
    assert "it is not a model of the paper's authors" in text
    assert "2509.20863" in text
    assert "More Information Needed" not in text


def test_a_card_without_results_says_so_and_small_numbers_are_labelled(card, results):
    assert "None were measured when this card was written." in render_card(card)
    text = render_card(replace(card, results=read_results(results, card.facts)))
    row = "| Sudoku 4×4, generated questions | 32 | d1 | 250 | 75.0 [70.0, 80.0] | 50.0 [40.0, 60.0] |"
    assert row in text
    assert "| 25.0 |" in text, "an accuracy without an interval is shown alone"
    assert text.count("not the paper's numbers") == 2
    evaluations = HubCard(text).data.eval_results
    assert [(item.dataset_name, item.metric_value) for item in evaluations] == [
        ("Sudoku 4×4, generated questions", 75.0),
        ("arithmetic (GSM8K rules), generated questions", 25.0),
    ]
    assert {item.dataset_type for item in evaluations} == {"weft"}


def test_settings_without_effect_are_left_out_and_those_of_the_user_are_marked(card):
    sft = card.facts.model_copy(update={"settings": card.facts.settings | {"preset": "sft"}})
    settings = sft.settings | {"rate_source": "none", "masking": "uniform", "max_weight": 50.0}
    text = render_card(replace(card, facts=sft.model_copy(update={"settings": settings})))
    assert "- max_weight: 50 (not the preset's)" in text
    assert "- exponent" not in text


def test_texts_of_the_experiment_cannot_leave_their_line(card):
    data = {"source": "jsonl", "path": "x\n# Heading <img> | cell"}
    text = render_card(replace(card, facts=card.facts.model_copy(update={"data": data})))
    assert "\n# Heading" not in text
    assert "<img>" not in text


def test_an_unknown_origin_and_licence_are_said_to_be_unknown():
    card = ModelCard(name="x", form="adapter", family="dream", is_adapter=True)
    text = render_card(card)
    assert "base model: not recorded" in text
    assert "Not stated." in text
    assert HubCard(text).data.license is None
    assert HubCard(render_card(replace(card, licence="apache-2.0"))).data.license == "apache-2.0"


def test_a_base_model_that_the_experiment_trains_is_not_taken_for_the_shipped_one(card):
    assert "the small model `experiments/tiny-base` of the weft repository" in render_card(card)
    assert HubCard(render_card(card)).data.license == "apache-2.0"
    base = {"source": "scratch", "shipped": None, "shipped_sha256": None, "use": "retrained"}
    text = render_card(replace(card, facts=card.facts.model_copy(update={"base_model": base})))
    assert "- base model: a small model that the experiment itself trains from scratch\n" in text
    assert "None" not in text.partition("## Results")[0]
    assert HubCard(text).data.license is None


def test_a_merged_checkpoint_is_described_as_a_whole_model(published):
    text = render_card(replace(published, form="checkpoint"))
    assert "with its LoRA adapter merged into the weights" in text
    assert HubCard(text).data.library_name == "transformers"
    assert "PeftModel" not in text


@pytest.mark.parametrize("lora", [None, {"rank": 2}])
def test_a_run_carries_facts_and_card(facts, tmp_path, lora):
    facts = facts.model_copy(update={"training": facts.training | {"lora": lora}})
    write_run_card(tmp_path, facts, family="llada")
    assert read_facts(tmp_path) == facts
    text = (tmp_path / "README.md").read_text()
    assert HubCard(text).data.library_name == ("transformers" if lora is None else "peft")
    assert ("weft export --form adapter" in text) == (lora is not None)
