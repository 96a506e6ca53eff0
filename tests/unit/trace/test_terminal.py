import dataclasses
import io

import pytest
from rich.console import Console

from tests.support.sampling import sampling_config, step_output
from weft.trace.collect import Trace
from weft.trace.job import custom_question
from weft.trace.terminal import print_answer, print_trace

MASK, END, LONG, SHORT, HOSTILE = range(5)
TEXTS = {MASK: "<|mask|>", END: "<|end|>", LONG: " long", SHORT: "x", HOSTILE: "[bold]\x1b[31m\u202e次"}


def trace_of(
    token_ids, *, steps=None, block_length=2, ended_early=False, question="Why [red]?\x1b[0m\n", **settings
):
    """A trace that reveals a token a step from left to right, less sure from step to step."""
    config = sampling_config(
        gen_length=len(token_ids),
        block_length=block_length,
        diffusion_steps=len(token_ids),
        mask_token_id=MASK,
        eos_token_id=END,
        **settings,
    )
    one_by_one = [
        step_output(column // block_length, [column], [one], [0.95 - 0.3 * (column % 3)], [0.5], [True])
        for column, one in enumerate(token_ids)
    ]
    return Trace(
        custom_question(question), "p", config, token_ids, one_by_one[:steps], TEXTS, ended_early=ended_early
    )


@pytest.fixture
def shown():
    def print_to_text(trace, *, width=60, is_terminal=False, **options):
        stream = io.StringIO()
        console = Console(
            file=stream,
            width=width,
            force_terminal=is_terminal,
            color_system="truecolor" if is_terminal else None,
        )
        print_trace(console, trace, **options)
        return stream.getvalue()

    return print_to_text


def canvases(text):
    """The lines of canvases and carets: those that are indented."""
    return [line for line in text.splitlines() if line.startswith("  ")]


def test_masks_are_padded_to_their_tokens_and_carets_mark_new_tokens(shown):
    assert canvases(shown(trace_of([SHORT, LONG, LONG, END]))) == [
        "  x▒░░░░▒░░░░▒",
        "  ^",
        "  x long▒░░░░▒",
        "   ^^^^^",
        "  x long long▒",
        "        ^^^^^",
        "  x long long∎",
        "             ^",
    ]


def test_a_step_is_headed_by_its_number_its_block_and_what_it_revealed(shown):
    text = shown(trace_of([SHORT, LONG, LONG, END]))
    assert "\nstep 2 of 4, block 1 of 2  long 0.65\n" in text
    assert "\nstep 4 of 4, block 2 of 2  <|end|> 0.95\n" in text


def test_every_nth_step_shows_all_that_is_new_since_the_one_before(shown):
    text = shown(trace_of([SHORT, LONG, SHORT, SHORT, SHORT, END]), every=4)
    assert canvases(text) == ["  x longxx▒▒", "  ^^^^^^^^", "  x longxxx∎", "          ^^"]
    assert "step 4 of 6" in text
    assert "step 6 of 6" in text
    assert "step 5 of 6" not in text


def test_long_canvases_wrap_between_tokens_and_wide_tokens_inside(shown):
    TEXTS_WIDE = TEXTS | {LONG: "abcdefghijklmnopq"}
    trace = trace_of([SHORT, SHORT, LONG, SHORT])
    trace = dataclasses.replace(trace, texts=TEXTS_WIDE)
    lines = canvases(shown(trace, width=12))
    assert lines[-4:] == ["  xx", "  abcdefghij", "  klmnopqx", "         ^"]


def test_in_a_terminal_what_is_new_is_reversed_and_nothing_is_underlined_by_carets(shown):
    text = shown(trace_of([SHORT, LONG, LONG, END]), is_terminal=True)
    assert "^" not in text
    assert "\x1b[1;7;32mx\x1b[0m" in text
    assert "\x1b[1;7;36m long\x1b[0m" in text, "fairly sure"
    assert "\x1b[1;4;7;35m long\x1b[0m" in text, "unsure"
    assert "\x1b[32mx\x1b[0m\x1b[1;7;36m long" in text, "what was revealed before keeps its colour"


def test_a_terminal_without_styles_gets_carets():
    stream = io.StringIO()
    print_trace(Console(file=stream, force_terminal=True, color_system=None), trace_of([SHORT, LONG]))
    assert "\n  ^\n" in stream.getvalue()


def test_text_of_the_model_is_neither_markup_nor_a_command_to_the_terminal(shown):
    for is_terminal in (False, True):
        text = shown(trace_of([HOSTILE, SHORT]), is_terminal=is_terminal)
        assert r"[bold]\x1b[31m\u202e次" in text
        assert r"Why [red]?\x1b[0m" in text
        assert "\u202e" not in text
        assert "\x1b[31m" not in text


def test_double_width_characters_count_twice(shown):
    assert canvases(shown(trace_of([HOSTILE, SHORT])))[1] == "  " + "^" * (len(r"[bold]\x1b[31m\u202e") + 2)


def test_the_end_shows_the_answer_and_the_least_confident_tokens(shown):
    text = shown(trace_of([SHORT, LONG, LONG, END, END, END], steps=4, ended_early=True))
    assert "\nAnswer\nx long long\n" in text
    assert "Least confident: long (0.35, 0.50 nats, step 3); long (0.65, 0.50 nats, step 2); x (0.95" in text
    assert "Ended early: 2 positions after the end were filled in." in text


def test_further_tokens_of_a_step_are_counted(shown):
    trace = trace_of([SHORT] * 6, block_length=6)
    once = [step_output(0, list(range(6)), [SHORT] * 6, [0.9] * 6, [0.1] * 6, [True] * 6)]
    trace = dataclasses.replace(trace, steps=once)
    assert "x 0.90  x 0.90  x 0.90  x 0.90  and 2 more\n" in shown(trace)


def test_only_the_answer_is_printed():
    stream = io.StringIO()
    print_answer(Console(file=stream), trace_of([HOSTILE, LONG, END, END]))
    assert stream.getvalue() == "[bold]\\x1b[31m\\u202e次 long\n"


def test_the_legend_explains_the_numbers(shown):
    assert "\nnumbers: probability of the most probable token\nnew: ^" in shown(trace_of([SHORT, LONG]))
    text = shown(trace_of([SHORT, LONG], remasking="random"), width=80)
    assert "\nnumbers: probability of the most probable token; positions are chosen at random\nnew: ^" in text
    assert "random number" not in text


def printed_as(encoding, trace, printer=print_trace):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", newline="\n")
    printer(Console(file=stream, width=80, color_system=None), trace)
    stream.flush()
    return stream.buffer.getvalue().decode(encoding)


LINES = TEXTS | {SHORT: "\n", LONG: "  ", HOSTILE: "次é"}


def with_lines(*token_ids):
    trace = trace_of(list(token_ids), block_length=1, question="Why 次\t?")
    return dataclasses.replace(trace, texts=LINES)


def test_signs_that_the_encoding_lacks_are_replaced_by_ascii():
    text = printed_as("ascii", with_lines(SHORT, LONG, HOSTILE, END))
    assert canvases(text)[:8] == [
        r"  \n#.#.#",
        "  ^^",
        r"  \n  #.#",
        "    ^^",
        r"  \n  ??#",
        "      ^^",
        r"  \n  ??~",
        "        ^",
    ]
    assert r"# mask   \n line end   ~ end of text" in text
    assert r"Why ?\t?" in text
    assert "  __ 0.65" in text, "a token of spaces"
    assert printed_as("ascii", with_lines(LONG, HOSTILE, END), print_answer) == "  ??\n"


def test_signs_that_the_encoding_has_are_kept():
    text = printed_as("cp437", with_lines(SHORT, LONG, HOSTILE, END))
    assert canvases(text)[0] == r"  \n▒░▒░▒"
    assert "?é" in text
    full = printed_as("utf-8", with_lines(SHORT, LONG, HOSTILE, END))
    assert canvases(full)[6] == "  ↵  次é∎"
