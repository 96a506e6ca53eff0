from weft.data.tokenizer import SPECIAL_TOKENS, train_tokenizer


def test_special_tokens_have_their_roles(tokenizer):
    assert tokenizer.mask_token == "<|mdm_mask|>"
    assert tokenizer.eos_token == tokenizer.pad_token == "<|endoftext|>"
    assert [tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS] == list(range(6))


def test_training_is_repeatable():
    texts = ["solve the puzzle 1234", "how many eggs are left?"] * 5
    first, second = (train_tokenizer(texts, vocab_size=300).get_vocab() for _ in range(2))
    assert first == second


def test_small_numbers_are_single_tokens_and_boards_are_not(tokenizer):
    assert len(tokenizer("12+7=19")["input_ids"]) == 5
    assert len(tokenizer("3141592631415926")["input_ids"]) == 16


def test_tags_become_single_tokens(tokenizer):
    assert len(tokenizer("<reasoning>")["input_ids"]) == 1
    assert len(tokenizer(r"\boxed{")["input_ids"]) == 1
