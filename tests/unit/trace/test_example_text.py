import io

import pytest
from rich.console import Console

from weft.trace.example import ExampleView, MaskedBy
from weft.trace.example_text import print_example

MASKS = {
    "sft": MaskedBy(is_masked=[False, True, True, False], rate=[0.0, 0.5, 0.5, 0.5]),
    "weft": MaskedBy(
        is_masked=[False, True, False, True], rate=[0.0, 0.9, 0.1, 0.5], uncertainty=[0.0, 2.5, 0.25, 0.0]
    ),
}


def view(**changes):
    values = {
        "token_ids": [10, 11, 12, 1],
        "texts": ["2 \n", "a\x1b[2J", " b", "<|endoftext|>"],
        "parts": ["prompt", "answer", "answer", "padding"],
        "boundary": 1,
        "max_length": 4,
        "t": 0.5,
        "masks": MASKS,
    }
    return ExampleView(**{**values, **changes})


def printed(shown, *, is_terminal=False, width=200, **options):
    console = Console(
        file=io.StringIO(),
        highlight=False,
        markup=False,
        width=width,
        force_terminal=is_terminal,
        legacy_windows=False,
    )
    print_example(console, shown, heading=["x.jsonl, line 1"], seed=3, **options)
    return console.file.getvalue()


def test_a_pipe_gets_plain_text_with_a_row_per_token():
    lines = printed(view()).splitlines()
    text = "\n".join(lines)
    assert lines[0] == "x.jsonl, line 1"
    assert "Prompt: 1 tokens, never masked\n  2 \n" in text
    assert "Answer: 2 tokens, from position 1 on, masked and trained\n  a\\x1b[2J b\n" in text
    assert "Masked by sft at t = 0.5 with seed 3: 2 of 2 tokens of the answer, 0 of 1 of the padding" in text
    assert "  ▒ b\n" in text
    rows = [line.split() for line in lines[lines.index("Tokens") + 1 :]]
    assert rows[0] == ["position", "id", "token", "part", "sft", "weft", "rate", "H,", "nats"]
    assert rows[1] == ["0", "10", "2␣↵", "prompt"]
    assert " ".join(rows[2]) == "--- boundary ---"
    assert rows[3] == ["1", "11", "a\\x1b[2J", "answer", "▒", "▒", "0.900", "2.500"]
    assert rows[4] == ["2", "12", "␣b", "answer", "▒", "0.100", "0.250"]
    assert rows[5] == ["3", "1", "<|endoftext|>", "padding", "▒", "0.500"]
    assert not any(line != line.rstrip() for line in lines if "|" in line)


def test_a_terminal_of_80_columns_gets_styles_and_has_room_for_all_columns():
    text = printed(view(), is_terminal=True, width=80)
    assert "\x1b[" in text
    assert all(number in text for number in ("0.900", "2.500", "--- boundary ---", "padding"))
    assert "\x1b" not in printed(view())


@pytest.mark.parametrize(("has_all", "number"), [(False, 32), (True, 100)])
def test_the_middle_of_a_long_part_is_left_out(has_all, number):
    parts, texts = ["prompt", *["answer"] * 100], ["q", *["a"] * 100]
    shown = view(token_ids=list(range(101)), texts=texts, parts=parts, max_length=101, masks={})
    text = printed(shown, has_all=has_all)
    assert sum(line.split()[-1:] == ["answer"] for line in text.splitlines()) == number
    assert ("68 more (--all)" in text) == (not has_all)


def test_what_is_missing_is_said():
    assert "No masks of weft: their rates need a model" in printed(view(unknown=["weft"]))
    assert "No padding: the limit is 4 tokens" in printed(
        view(parts=["prompt", "answer", "answer", "answer"])
    )
    parts = ["prompt", "prompt", "prompt", "cut off"]
    text = printed(view(parts=parts, boundary=4, masks={}))
    assert "The prompt of 4 tokens leaves no room for an answer within 4 tokens" in text
    assert "Cut off: 1 tokens, beyond the limit" in text
