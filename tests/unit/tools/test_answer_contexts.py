import pytest
import torch

from tests.support.models import tiny_model
from tools.answer_contexts import compare_contexts, measure
from tools.commands import brief_errors, load_fine_tuning
from tools.small_world import draw_validation_problems
from weft.data.encoding import encode_example
from weft.data.tasks.examples import generate_examples
from weft.errors import ConfigError, DataError


@pytest.fixture
def encode(tokenizer):
    def encode_tasks(**counts):
        return [encode_example(tokenizer, example) for example in generate_examples(counts, seed=3)]

    return encode_tasks


def test_each_context_masks_what_it_says(tokenizer, encode):
    """One row is made and predicted at a time here."""
    model, (example,) = tiny_model(tokenizer, seed=5).eval(), encode(countdown=1)
    prompt, answer = example["prompt_ids"], example["answer_ids"]
    found = measure(model, example, tokenizer.mask_token_id)
    assert found.shape == (3, len(answer))
    hidden = {0: range(len(answer)), 1: [4], 2: range(4, len(answer))}
    for context, places in hidden.items():
        row = [tokenizer.mask_token_id if i in places else token for i, token in enumerate(answer)]
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([prompt + row])).logits[0, len(prompt) + 4]
        assert found[context, 4].item() == pytest.approx(logits.softmax(-1)[answer[4]].item(), rel=1e-4)
    assert len({round(probability, 6) for probability in found[:, 4].tolist()}) == 3


def test_the_table_has_the_means_at_each_position(tokenizer, encode):
    model, examples = tiny_model(tokenizer, seed=5).eval(), encode(sudoku=3)
    table = compare_contexts(model, tokenizer, examples)
    assert list(table["token"]) == [tokenizer.decode([token]) for token in examples[0]["answer_ids"]]
    singles = [measure(model, example, tokenizer.mask_token_id)[2, 7].item() for example in examples]
    assert table["it and later ones masked"][7] == pytest.approx(sum(singles) / 3)


def test_answers_of_different_lengths_are_an_error(tokenizer, encode):
    model = tiny_model(tokenizer, seed=5).eval()
    with pytest.raises(DataError, match="same number of tokens, got"):
        compare_contexts(model, tokenizer, encode(countdown=1, sudoku=1))


def test_a_benchmark_without_a_generator_is_an_error():
    with pytest.raises(DataError, match=r"one of sudoku, .* got humaneval"):
        draw_validation_problems("humaneval", 1)


def test_an_experiment_without_training_is_an_error():
    with pytest.raises(ConfigError, match=r"d1-baselines: .* fine-tuning, got generations"):
        load_fine_tuning("d1-baselines")


def test_an_expected_error_is_one_message():
    with pytest.raises(SystemExit, match=r"^error: no file$"), brief_errors():
        raise DataError("no file")
