"""Conversations: history, room, commands, interruption, and untrusted texts."""

import copy
import io

import pytest
import torch
from rich.console import Console

from tests.support.models import ScriptedModel
from weft.data.encoding import encode_prompt
from weft.records import Message
from weft.sampling.config import SamplingConfig
from weft.sampling.stream import StepOutput
from weft.trace.chat import HELP, Conversation, Draft, Lines, chat

LENGTH = 4


@pytest.fixture
def say(tokenizer):
    """Return a function that makes a conversation with a model that always gives the same answer."""

    def make(answer, **options):
        ids = tokenizer(answer, add_special_tokens=False)["input_ids"][:LENGTH]
        ids += [tokenizer.eos_token_id] * (LENGTH - len(ids))
        model = ScriptedAnswer(ids, vocab=len(tokenizer))
        config = SamplingConfig(
            block_length=LENGTH,
            remasking="low_confidence",
            temperature=0.0,
            early_stop=True,
            gen_length=LENGTH,
            diffusion_steps=LENGTH,
            mask_token_id=tokenizer.mask_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        conversation = Conversation(model, tokenizer, config, **options)
        return conversation, model

    return make


class ScriptedAnswer(ScriptedModel):
    """Predicts given tokens at the end of every sequence; the first is the most certain."""

    def __init__(self, ids, *, vocab):
        super().__init__(torch.zeros(1, vocab))
        self.ids, self.vocab = ids, vocab

    def __call__(self, input_ids, **kwargs):
        self.logits = torch.zeros(input_ids.shape[1], self.vocab)
        for index, token_id in enumerate(self.ids):
            self.logits[input_ids.shape[1] - len(self.ids) + index, token_id] = 20.0 - index
        return super().__call__(input_ids=input_ids, **kwargs)


def run(conversation, *lines, is_drawn=False, **options):
    out, err = io.StringIO(), io.StringIO()
    consoles = [
        Console(file=file, force_terminal=is_drawn, width=100, markup=False, highlight=False, **options)
        for file in (out, err)
    ]
    chat(conversation, *consoles, iter(lines), is_drawn=is_drawn)
    return out.getvalue(), err.getvalue()


def test_a_turn_is_answered_with_the_turns_before_it(say, tokenizer):
    conversation, model = say("9", system="Be brief.")
    assert conversation.ask("4+5?").text == "9"
    assert conversation.ask("Sure?").text == "9"
    history = [
        Message(role="system", content="Be brief."),
        Message(role="user", content="4+5?"),
        Message(role="assistant", content="9"),
    ]
    prompt = encode_prompt(tokenizer, "Sure?", history=history)
    assert model.calls[-1][0, : len(prompt)].tolist() == prompt
    conversation.reset()
    conversation.ask("Sure?")
    alone = encode_prompt(tokenizer, "Sure?", history=history[:1])
    assert model.calls[-1][0, : len(alone)].tolist() == alone


def test_the_oldest_turns_make_room_for_an_answer(say, tokenizer):
    room = len(encode_prompt(tokenizer, "4+5?")) + LENGTH
    conversation, _ = say("9", context=room)
    assert conversation.ask("4+5?").num_forgotten == 0
    assert conversation.ask("4+5?").num_forgotten == 2
    assert len(conversation.turns) == 2
    out, err = run(conversation, "4+5?")
    assert out == "9\n"
    assert "2 earlier messages no longer fit" in err


def test_prefill_begins_the_answer_and_is_remembered(say):
    conversation, _ = say("9", prefill="1+")
    assert conversation.ask("?").text == "1+9"
    assert conversation.turns[-1].content == "1+9"


def test_a_file_or_pipe_gets_answers_only(say):
    conversation, _ = say("9")
    out, err = run(conversation, "4+5?", "", "/reset", "/help", "  ", "5+4?", "/exit", "never read")
    assert out == "9\n9\n"
    assert err == f"The conversation is forgotten.\n{HELP}\n"
    assert len(conversation.turns) == 2


@pytest.mark.parametrize("is_drawn", [False, True])
def test_control_characters_of_a_model_never_reach_the_terminal(say, is_drawn):
    conversation, _ = say("9")
    hostile = "\x1b]0;owned\x07\x9b2J\r\u202e9"
    conversation.tokenizer = copy.copy(conversation.tokenizer)
    conversation.tokenizer.decode = lambda *_, **__: hostile
    out, _ = run(conversation, "4+5?", is_drawn=is_drawn)
    assert "owned" in out
    for sign in ("\x1b]", "\x07", "\x9b", "\r\u202e", "\u202e"):
        assert sign not in out
    assert r"\x1b]0;owned\x07" in out


def test_a_draft_shows_what_is_revealed(say, tokenizer):
    conversation, _ = say("9")
    (nine,) = tokenizer("9", add_special_tokens=False)["input_ids"]
    draft = Draft(conversation, Console(file=io.StringIO(), force_terminal=True))
    assert draft.render().plain == "▒▒▒▒"
    end = tokenizer.eos_token_id
    draft.update(
        StepOutput(
            0, 0, 0, [0, 1, 2, 3], [nine, nine, end, end], [1.0] * 4, [0.0] * 4, [True, False, True, True]
        )
    )
    assert draft.render().plain == "9▒∎"
    assert [span.style for span in draft.render().spans] == ["bold", "dim", "dim"]


def test_the_draft_is_redrawn_in_every_step_and_replaced_by_the_answer(say):
    conversation, _ = say("9")
    out, _ = run(conversation, "4+5?", is_drawn=True)
    assert "▒▒▒▒" in out
    assert "▒▒▒" in out.replace("▒▒▒▒", "")
    assert out.endswith("9\n")


def test_an_interrupted_answer_is_forgotten(say):
    conversation, model = say("9")
    conversation.ask("1+1?")
    before = list(conversation.turns)
    model.ids = Interrupt()
    _, err = run(conversation, "4+5?", is_drawn=True)
    assert "Stopped" in err
    assert conversation.turns == before


class Interrupt(list):
    def __iter__(self):
        raise KeyboardInterrupt


def test_an_interruption_at_the_prompt_explains_how_to_leave(say):
    conversation, _ = say("9")
    events = [KeyboardInterrupt(), "4+5?", EOFError()]

    def ask():
        event = events.pop(0)
        if isinstance(event, BaseException):
            raise event
        return event

    out, err = io.StringIO(), io.StringIO()
    chat(conversation, Console(file=out), Console(file=err, width=200), Lines(ask))
    assert out.getvalue() == "9\n"
    assert HELP in err.getvalue()


def test_an_error_is_shown_and_the_conversation_goes_on(say):
    conversation, _ = say("9")
    out, err = run(conversation, "a\U0010fffeb", "4+5?")
    assert err.startswith("error: ")
    assert out == "9\n"
    assert len(conversation.turns) == 2


def test_texts_that_no_encoding_has_are_accepted(say):
    conversation, _ = say("9")
    out, _ = run(conversation, "4\udcff+5? <|mdm_mask|>")
    assert out == "9\n"
