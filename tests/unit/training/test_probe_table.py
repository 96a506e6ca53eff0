import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from weft.config import load_experiment
from weft.data.encoding import encode_example
from weft.data.prepare import prepare_examples
from weft.data.tasks.examples import generate_examples
from weft.training.probe_table import MOST_SHARING, probe_table, token_texts


def texts_of(tokenizer, text):
    """Encode a text and return the texts of its tokens, of which there are at least two."""
    ids = tokenizer.encode(text, add_special_tokens=False)
    ids = getattr(ids, "ids", ids)
    assert len(ids) > 1
    return token_texts(lambda part: tokenizer.decode(list(part), skip_special_tokens=False), ids)


@pytest.mark.parametrize(
    "text", ["Solve for x: 7", "Zürich, naïve", "次の数 🧮🧮", "a \N{REPLACEMENT CHARACTER} b"]
)
def test_the_texts_of_the_tokens_make_up_the_text_where_tokens_share_a_character(tokenizer, text):
    assert "".join(texts_of(tokenizer, text)) == text


def test_a_character_belongs_to_the_first_of_its_tokens(tokenizer):
    assert texts_of(tokenizer, "次1") == ["次", "", "", "1"], "the small vocabulary has bytes only"


def test_spaces_at_the_beginning_of_a_word_are_kept_where_a_decoder_omits_the_first():
    vocab = {"▁So": 0, "lve": 1, "▁for": 2, "▁x": 3}
    tokenizer = Tokenizer(models.BPE(vocab, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    assert tokenizer.decode([2]) == "for"
    assert token_texts(lambda ids: tokenizer.decode(list(ids)), [0, 1, 2, 3]) == ["So", "lve", " for", " x"]


def test_bytes_that_never_become_a_character_are_not_repeated(tokenizer):
    ids = tokenizer.encode("次", add_special_tokens=False)[:1] * 10 + tokenizer.encode("ab")
    texts = token_texts(lambda part: tokenizer.decode(list(part)), ids)
    assert len(texts) == len(ids)
    assert "".join(texts) == tokenizer.decode(ids)


def test_no_text_is_repeated_where_a_character_is_divided_at_the_limit(tokenizer):
    first, *others = tokenizer.encode("é", add_special_tokens=False)
    texts = token_texts(lambda part: tokenizer.decode(list(part)), [first] * MOST_SHARING + others)
    assert len("".join(texts)) <= len(texts)


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
    assert "".join(rows.token[~rows.is_padding]) == tokenizer.decode(first["answer_ids"])
    assert (frame.entropy >= 0).all()
