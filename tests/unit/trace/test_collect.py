import dataclasses

import pytest
import torch

from tests.support.models import ScriptedModel
from tests.support.sampling import sampling_config, step_output
from weft.records import Question
from weft.sampling.denoise import Prompt
from weft.sampling.noise import HashedNoise
from weft.sampling.stream import Answer, stream_answers
from weft.trace.collect import (
    Trace,
    TracedToken,
    describe,
    describe_confidence,
    make_trace,
    visible,
)

A, B, C, D, END, MASK = range(6)
QUESTION = Question(example_id="", benchmark="", question="q", prompt="q", reference=None)
TEXTS = {A: "a", B: " b", C: "\n", D: "", END: "<|end|>", MASK: "<|mask|>"}


def settings(**changes):
    content = {"gen_length": 4, "block_length": 2, "diffusion_steps": 4, "mask_token_id": MASK}
    return sampling_config(**content | {"eos_token_id": END} | changes)


def trace_of(token_ids, steps, **changes):
    return Trace(QUESTION, "p", settings(), token_ids, steps, TEXTS, **changes)


def step(block, *candidates):
    """A step from (column, token, confidence, entropy, kept)."""
    return step_output(block, *(list(values) for values in zip(*candidates, strict=True)))


TWO_BLOCKS = [
    step(0, (0, C, 0.3, 1.2, False), (1, B, 0.9, 0.1, True)),
    step(0, (0, A, 0.6, 0.7, True)),
    step(1, (2, A, 0.5, 0.9, True), (3, A, 0.4, 1.0, False)),
    step(1, (3, D, 0.8, 0.4, True)),
]


def test_every_position_knows_the_step_that_revealed_it():
    assert trace_of([A, B, A, D], TWO_BLOCKS).tokens == [
        TracedToken(0, A, 1, 0.6, 0.7),
        TracedToken(1, B, 0, 0.9, 0.1),
        TracedToken(2, A, 2, 0.5, 0.9),
        TracedToken(3, D, 3, 0.8, 0.4),
    ]


def test_the_canvas_fills_step_by_step():
    assert trace_of([A, B, A, D], TWO_BLOCKS).canvases() == [
        [MASK, B, MASK, MASK],
        [A, B, MASK, MASK],
        [A, B, A, MASK],
        [A, B, A, D],
    ]


def test_the_order_of_unmasking_is_by_step_then_by_confidence():
    at_once = [step(0, (0, A, 0.3, 1.0, True), (1, B, 0.9, 0.1, True))]
    assert [token.column for token in trace_of([A, B, A, D], TWO_BLOCKS).in_order] == [1, 0, 2, 3]
    assert [token.column for token in trace_of([A, B, END, END], at_once).in_order] == [1, 0]


def test_a_position_that_was_not_revealed_has_no_step():
    """A mask that was predicted stays; behind the end everything is filled in, also over a prediction."""
    steps = [step(0, (0, END, 0.9, 0.1, True), (1, MASK, 0.8, 0.2, True)), step(1, (2, A, 0.9, 0.1, True))]
    tokens = trace_of([END, MASK, END, END], steps, ended_early=True).tokens
    assert [token.step for token in tokens] == [0, None, None, None]


def test_a_position_revealed_twice_has_its_last_step():
    steps = [step(0, (0, MASK, 0.9, 0.1, True)), step(0, (0, A, 0.7, 0.2, True))]
    assert trace_of([A, MASK, MASK, MASK], steps).tokens[0] == TracedToken(0, A, 1, 0.7, 0.2)


def test_the_answer_ends_with_end_of_text():
    assert trace_of([A, B, END, A], []).answer == "a b"
    assert trace_of([A, B, A, C], []).answer == "a ba\n"


def test_tokens_are_shown_on_one_line_and_never_empty():
    trace = trace_of([A], [])
    assert [trace.sign(one) for one in (A, B, C, D, END)] == ["a", " b", "↵", "token 3", "∎"]
    assert trace.label(END) == "<|end|>"
    spaced = dataclasses.replace(trace, texts={A: "  ", B: " b", C: " \n"})
    assert [spaced.label(one) for one in (A, B, C)] == ["␣␣", " b", " ↵"]
    assert spaced.sign(A) == "  ", "between other tokens a space is a space"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb", "a⇥b"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202eevil", r"\u202eevil"),
        ("\ud800", r"\ud800"),
        ("\u200b\x00\x7f", r"\u200b\x00\x7f"),
        ("次 é <b> [bold]", "次 é <b> [bold]"),
    ],
)
def test_invisible_characters_become_signs(text, shown):
    assert visible(text) == shown


def test_line_ends_may_be_kept():
    assert visible("a\nb\r", keep="\n") == "a\nb\\r"


def test_only_texts_that_occur_are_decoded(tokenizer):
    config = settings(mask_token_id=tokenizer.mask_token_id, eos_token_id=tokenizer.eos_token_id)
    considered = [step(0, (0, 9, 0.5, 0.5, False), (1, 10, 0.6, 0.5, True))]
    answer = Answer(0, [11, 10, 12, 12], 2, True)
    trace = make_trace(QUESTION, [11, 12], answer, considered, config=config, tokenizer=tokenizer)
    assert trace.prompt == tokenizer.decode([11, 12])
    assert set(trace.texts) == {9, 10, 11, 12, tokenizer.mask_token_id}
    assert trace.texts[tokenizer.mask_token_id] == tokenizer.mask_token
    assert trace.ended_early


def test_settings_are_described_by_name():
    assert describe(settings()) == {
        "tokens per answer": "4",
        "tokens revealed per step": "1",
        "process": "exact",
        "block length": "2",
        "remasking": "low_confidence",
        "temperature": "0",
    }
    fast = describe(settings(confidence_threshold=0.9, kv_cache="dual", early_stop=True))
    assert fast["process"] == "approximate: dual cache, threshold 0.9"
    assert "tokens revealed per step" not in fast
    assert fast["early stop"] == "True"
    loose = describe(settings(remasking="random", temperature=0.5, cfg_scale=1.0, diffusion_steps=2))
    assert loose["tokens revealed per step"] == "2"
    assert (loose["remasking"], loose["temperature"], loose["cfg scale"]) == ("random", "0.5", "1")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "probability of the most probable token"),
        ({"temperature": 0.5}, "probability of the token drawn, without the noise"),
        ({"remasking": "random"}, "probability of the most probable token; positions are chosen at random"),
    ],
)
def test_confidence_is_described(changes, words):
    assert describe_confidence(settings(**changes)) == words


@pytest.mark.parametrize("temperature", [0.0, 2.0])
@pytest.mark.parametrize("remasking", ["random", "low_confidence"])
def test_confidence_is_the_softmax_whatever_decides_where_to_reveal(remasking, temperature):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 6, generator=generator)
    logits[:, MASK] = -50.0
    steps, config = [], settings(remasking=remasking, temperature=temperature)
    (answer,) = stream_answers(
        ScriptedModel(logits),
        [Prompt(0, [B])],
        config,
        batch_size=1,
        noise=HashedNoise(1),
        callback=steps.append,
    )
    probabilities = logits[1:].softmax(dim=1)
    for one in steps:
        expected = probabilities[one.columns, one.token_ids]
        assert one.confidence == pytest.approx(expected.tolist(), rel=1e-5)
    chosen = [
        (column, token) for one in steps for column, token in zip(one.columns, one.token_ids, strict=True)
    ]
    is_surest = [token == int(logits[1 + column].argmax()) for column, token in chosen]
    assert all(is_surest) == (temperature == 0), "with a temperature the token is drawn"
    if remasking == "random":
        assert all(one.is_revealed == [True] for one in steps), "nothing else is asked about"
    else:
        assert [len(one.columns) for one in steps] == [2, 1, 2, 1]
    trace = Trace(QUESTION, "p", config, answer.token_ids, steps, TEXTS)
    assert [token.confidence for token in trace.tokens] == pytest.approx(
        probabilities[range(4), answer.token_ids].tolist(), rel=1e-5
    )


def test_a_scripted_model_is_unmasked_in_the_order_of_its_confidence():
    """The logits are given, so the order can be checked with a pencil: the larger, the sooner.

    Positions 1 to 4 follow a prompt of one token; each wants A with logit 3, 1, 2 and 4.
    """
    logits = torch.zeros(5, 6)
    logits[torch.arange(1, 5), A] = torch.tensor([3.0, 1.0, 2.0, 4.0])
    steps, config = [], settings()
    (answer,) = stream_answers(
        ScriptedModel(logits),
        [Prompt(0, [B])],
        config,
        batch_size=1,
        noise=HashedNoise(0),
        callback=steps.append,
    )
    trace = Trace(QUESTION, "p", config, answer.token_ids, steps, TEXTS)
    assert [token.column for token in trace.in_order] == [0, 1, 3, 2], "the second block has its turn later"
    assert [one.columns for one in trace.steps] == [[0, 1], [1], [2, 3], [2]]
    surest = trace.in_order[2]
    odds = torch.tensor(4.0).exp()
    assert surest.confidence == pytest.approx(float(odds / (odds + 5)), rel=1e-5)
    rest = 1 / (odds + 5)
    entropy = -(1 - 5 * rest) * (1 - 5 * rest).log() - 5 * rest * rest.log()
    assert surest.entropy == pytest.approx(float(entropy), rel=1e-4)
