from weft.config import load_experiment
from weft.data.encoding import encode_example
from weft.data.prepare import prepare_examples
from weft.data.tasks.examples import generate_examples
from weft.training.probe_table import probe_table, words_of


def test_tokens_of_a_word_are_joined():
    words = ["Solve", "Solve", "for", "x", ":", " ", "7"]
    assert words_of(["So", "lve", " for", " x", ":", " ", "7"]) == words


def test_a_row_per_answer_token(model, tokenizer, tmp_path):
    examples = generate_examples({"sudoku": 2, "gsm8k": 1}, seed=1)
    prepare_examples(examples, tokenizer, tmp_path / "p", max_length=120, heldout_share=0.0)
    training = load_experiment("experiments/tiny.yaml").training
    training = training.model_copy(update={"max_length": 120, "micro_batch_size": 2})
    frame = probe_table(model, tokenizer, tmp_path / "p", training)
    first = encode_example(tokenizer, examples[0])
    rows = frame[frame.example_id == examples[0].example_id]
    assert len(rows) == 120 - len(first["prompt_ids"])
    assert (~rows.is_padding).sum() == len(first["answer_ids"])
    assert (frame.entropy >= 0).all()
