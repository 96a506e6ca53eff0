import pytest

from weft.report.alt_texts import MOST_NUMBERS, alt_text
from weft.report.captions import TITLES
from weft.report.labels import percent
from weft.report.outputs import list_figures


@pytest.fixture
def texts(ablations, ablated, ablated_tables):
    return {name: alt_text(ablations, ablated, ablated_tables, name) for name in list_figures(ablations)}


def test_every_text_begins_with_the_title_and_states_numbers(texts):
    for name, text in texts.items():
        assert text.startswith(f"{TITLES[name]}. ")
        assert any(character.isdigit() for character in text), name


def test_accuracies_and_differences_are_those_of_the_tables(texts, ablated_tables):
    methods = ablated_tables["methods"]
    average = methods[(methods["method"] == "weft") & (methods["benchmark"] == "average")].iloc[0]
    assert (
        f"WeFT, worked, 48 tokens: {percent(average['mean'])} ± {percent(average['sd'])} %"
        in texts["accuracy"]
    )
    contrasts = ablated_tables["contrasts"]
    main = contrasts[contrasts["benchmark"] == "average"].iloc[0]
    difference = percent(main["difference"], is_signed=True)
    assert f"WeFT minus SFT, trained on worked, 48 tokens: {difference} points" in texts["contrasts"]


def test_measurements_are_summarised(texts, ablated, ablated_tables):
    assert "WeFT, worked: relative variance 2" in texts["gradient_variance"]
    assert "5.0 % of the gradient from the tokens of lowest entropy, 25.0 %" in texts["gradient_share"]
    assert "SFT, worked: 0.52 s" in texts["time_per_step"]
    assert "after 0 steps" in texts["learning_curves"]
    losses = [step.loss for seed in (1, 2, 3) for step in ablated.logs[f"sft-worked-seed{seed}"][-10:]]
    assert f"SFT, worked: {sum(losses) / len(losses):.2f} nats" in texts["training_loss"]
    probe = ablated.probes["worked"]
    assert f"worked: {(~probe['is_padding']).sum():,} answer tokens" in texts["token_entropy"]
    first = ablated_tables["words"].iloc[0]
    assert f"highest entropy: {first['word']} {first['mean_entropy']:.2f} nats" in texts["word_cloud"]
    row = ablated_tables["ratios"].iloc[0]
    assert f"median ratio {row['q50']:.2f}" in texts["ratios"]


def test_long_lists_are_cut(describe_stored, compute):
    stored = describe_stored(gen_lengths=[1, 2, 3, 4, 5, 6, 7])
    results, tables = compute(stored)
    text = alt_text(stored, results, tables, "accuracy")
    assert text.endswith(f"; and {14 - MOST_NUMBERS} more.")


def test_published_accuracies_are_stated(stored, stored_results, stored_tables):
    assert ", published " in alt_text(stored, stored_results, stored_tables, "accuracy")
