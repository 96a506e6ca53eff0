import pytest

from weft.errors import ConfigError, DataError
from weft.harness.texts import choose_template, cut_answer, encode, encode_pair, format_chat


def test_white_space_between_context_and_continuation_belongs_to_the_continuation(tokenizer):
    prompt, answer = encode_pair(tokenizer, "Question: 2+2\nAnswer: ", "4 apples")
    assert tokenizer.decode(prompt) == "Question: 2+2\nAnswer:"
    assert tokenizer.decode(answer) == " 4 apples"
    assert prompt + answer == encode(tokenizer, "Question: 2+2\nAnswer: 4 apples")


def test_an_empty_context_gives_an_empty_prompt(tokenizer):
    assert encode_pair(tokenizer, "", "one") == ([], encode(tokenizer, "one"))


def test_a_start_of_text_token_is_not_doubled(tokenizer, without_type_checks):
    def adding(text, add_special_tokens):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return {"input_ids": [tokenizer.bos_token_id, *ids] if add_special_tokens else ids}

    class Adding:
        bos_token, mask_token_id = tokenizer.bos_token, tokenizer.mask_token_id
        __call__ = staticmethod(adding)

    for text in ("word", f"{tokenizer.bos_token}word"):
        assert encode(Adding(), text).count(tokenizer.bos_token_id) == 1


def test_the_mask_token_in_a_task_is_an_error(tokenizer):
    with pytest.raises(DataError, match="must not contain the mask token"):
        encode(tokenizer, f"a {tokenizer.mask_token} b")


@pytest.mark.parametrize(
    ("text", "until", "expected"),
    [
        ("4 apples\nQuestion: next", ["Question:"], "4 apples\n"),
        ("one two three", ["three", "two"], "one "),
        ("one<|eot_id|>two", [], "one"),
        ("one<|endoftext|>two", [], "one"),
        ("<|startoftext|>one<|start_header_id|>two", [], "onetwo"),
        ("one<|start_header_id|>two", ["<|start_header_id|>"], "one"),
        ("one two", [], "one two"),
    ],
)
def test_an_answer_ends_at_its_end(tokenizer, text, until, expected):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert cut_answer(tokenizer, ids, until=until, max_tokens=100) == expected


def test_an_answer_is_cut_after_the_largest_number_of_tokens(tokenizer):
    ids = tokenizer("12+30=42", add_special_tokens=False)["input_ids"]
    assert cut_answer(tokenizer, ids, until=[], max_tokens=2) == tokenizer.decode(ids[:2])


def test_a_conversation_is_formatted_with_and_without_the_header_of_the_answer(tokenizer):
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "The answer is"}]
    template = choose_template(tokenizer, True)
    ready = format_chat(tokenizer, turns[:1], template, is_complete=True)
    begun = format_chat(tokenizer, turns, template, is_complete=False)
    assert ready.endswith("assistant<|end_header_id|>\n\n")
    assert begun == f"{ready}The answer is"


def test_a_template_that_refuses_the_turns_is_explained(tokenizer):
    template = "{{ raise_exception('no system turns') }}"
    with pytest.raises(DataError, match="no system turns"):
        format_chat(tokenizer, [{"role": "system", "content": "x"}], template, is_complete=True)


def test_templates_are_chosen_by_name(tokenizer, monkeypatch):
    with pytest.raises(ConfigError, match="only one template, got 'rag'"):
        choose_template(tokenizer, "rag")
    monkeypatch.setattr(tokenizer, "chat_template", {"default": "a", "rag": "b"})
    assert (choose_template(tokenizer, True), choose_template(tokenizer, "rag")) == ("a", "b")
    with pytest.raises(ConfigError, match="must be one of"):
        choose_template(tokenizer, "tool")
