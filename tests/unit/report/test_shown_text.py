import pytest

from weft.report.shown_text import cut_middle, printable, reference_text, shorten_tokens


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a<|endoftext|>", "a∎"),
        ("a<|eot_id|>" + 29 * "<|endoftext|>", "a<|eot_id|>[∎ × 29]"),
        (3 * "<|mdm_mask|>" + "b" + "<|mask|>", "[▒ × 3]b▒"),
        (2 * "<|eot_id|>" + "5", "[<|eot_id|> × 2]5"),
        ("<|endoftext|> <|endoftext|>", "∎ ∎"),
        ("1 <| 2 |> 3", "1 <| 2 |> 3"),
    ],
)
def test_runs_of_special_tokens_are_shortened(text, shown):
    assert shorten_tokens(text) == shown


def test_characters_that_change_the_display_are_replaced():
    assert printable("a\x00\ud800\u202e\u2028\x1b[0mb") == "a" + 5 * "\ufffd" + "[0mb"
    assert printable("α\n\t √ 次") == "α\n\t √ 次"


def test_long_texts_are_cut_in_the_middle():
    assert cut_middle("abcdef", 6) == "abcdef"
    assert cut_middle("ab" + "x" * 1996 + "yz", 4) == "ab [… 1,996 characters …] yz"


def test_references_of_any_type_are_texts():
    assert [reference_text(value) for value in ("12", 18.0, [[1, 2], 3], None)] == [
        "12", "18.0", "[[1, 2], 3]", "null",
    ]  # fmt: skip
