import pytest

from weft.benchmarks.endings import END_TOKENS, cut_at_end, describe_ending, has_end


@pytest.mark.parametrize("end", END_TOKENS)
def test_text_is_cut_at_the_first_end_token(end):
    assert cut_at_end(f"18{end}{end}19<|endoftext|>") == "18"
    assert has_end(f"18{end}")


@pytest.mark.parametrize("text", ["", "18", "<|endoftext", "endoftext|>", "<|startoftext|>"])
def test_text_without_an_end_token_is_not_cut(text):
    assert cut_at_end(text) == text
    assert not has_end(text)


def test_tokens_of_the_canvas_that_are_no_end_tokens_are_counted():
    ending = describe_ending("<answer>18</answer><|eot_id|><|endoftext|><|endoftext|>", 16)
    assert ending == {"effective_length": 13, "has_end": True, "is_closed": True}


def test_an_answer_that_fills_its_canvas_has_its_length():
    ending = describe_ending("<answer>18", 16)
    assert ending == {"effective_length": 16, "has_end": False, "is_closed": False}


def test_a_closing_tag_after_the_end_is_ignored():
    assert describe_ending("<answer>18<|endoftext|></answer>", 16)["is_closed"] is False


@pytest.mark.parametrize("gen_length", [None, 1])
def test_without_a_fitting_length_of_the_canvas_there_is_no_effective_length(gen_length):
    assert describe_ending("18<|eot_id|><|endoftext|>", gen_length)["effective_length"] is None
