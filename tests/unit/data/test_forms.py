"""Rows in the forms in which training examples are published."""

import math

import pytest

from weft.data.forms import describe_columns, make_example, recognise_form
from weft.errors import DataError

Q, A, WHY = "2+2?", "4", "two and two"
TAGGED = f"<reasoning>{WHY}</reasoning>\n<answer>{A}</answer>"


def user(content=Q):
    return {"role": "user", "content": content}


def assistant(content=A, **more):
    return {"role": "assistant", "content": content, **more}


def sharegpt(*turns):
    return [{"from": speaker, "value": text} for speaker, text in turns]


def make(row, **options):
    example = make_example(row, dataset="mine", place="a.jsonl, line 7", **options)
    return [*((turn.role, turn.content) for turn in example.prompt), example.answer]


@pytest.mark.parametrize(
    ("row", "form", "expected"),
    [
        ({"question": Q, "answer": A}, "question_answer", [("user", Q), A]),
        ({"question": Q, "answer": 4}, "question_answer", [("user", Q), A]),
        ({"question": Q, "answer": A, "reasoning": WHY}, "question_answer", [("user", Q), TAGGED]),
        ({"question": Q, "answer": A, "reasoning": [WHY]}, "question_answer", [("user", Q), TAGGED]),
        ({"messages": [user(), assistant()]}, "messages", [("user", Q), A]),
        ({"conversations": [user(), assistant()]}, "messages", [("user", Q), A]),
        ({"conversation": [user(), assistant()]}, "messages", [("user", Q), A]),
        (
            {"messages": [{"role": "developer", "content": "Be short."}, user(), assistant()]},
            "messages",
            [("system", "Be short."), ("user", Q), A],
        ),
        (
            {"messages": '[{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]'},
            "messages",
            [("user", Q), A],
        ),
        ({"prompt": Q, "completion": " 4"}, "prompt_completion", [("user", Q), " 4"]),
        ({"prompt": [user()], "completion": [assistant()]}, "prompt_completion", [("user", Q), A]),
        (
            {"prompt": [{"role": "system", "content": "s"}, user()], "completion": [assistant()]},
            "prompt_completion",
            [("system", "s"), ("user", Q), A],
        ),
        ({"instruction": Q, "output": A}, "alpaca", [("user", Q), A]),
        ({"instruction": Q, "input": "", "output": A, "text": "all"}, "alpaca", [("user", Q), A]),
        ({"instruction": "Add.", "input": "2+2", "output": A}, "alpaca", [("user", "Add.\n\n2+2"), A]),
        ({"instruction": Q, "input": "", "output": A, "history": []}, "alpaca", [("user", Q), A]),
        (
            {"instruction": "Add.", "context": "2+2", "response": A, "category": "qa"},
            "alpaca",
            [("user", "Add.\n\n2+2"), A],
        ),
        (
            {"system": "s", "instruction": Q, "output": A},
            "alpaca",
            [("system", "s"), ("user", Q), A],
        ),
        ({"conversations": sharegpt(("human", Q), ("gpt", A))}, "sharegpt", [("user", Q), A]),
        ({"messages": sharegpt(("user", Q), ("assistant", A))}, "sharegpt", [("user", Q), A]),
        (
            {"conversations": sharegpt(("system", "s"), ("human", Q), ("gpt", A)), "system": "other"},
            "sharegpt",
            [("system", "s"), ("user", Q), A],
        ),
        (
            {
                "conversations": sharegpt(("human", "a"), ("gpt", "b"), ("human", Q), ("gpt", A)),
                "system": "s",
            },
            "sharegpt",
            [("system", "s"), ("user", "a"), ("assistant", "b"), ("user", Q), A],
        ),
    ],
)
def test_a_published_form_is_recognised_and_read(row, form, expected):
    assert recognise_form(row, place="a") == form
    assert make(row) == expected


def test_the_place_and_the_data_set_are_kept():
    example = make_example({"question": Q, "answer": A}, dataset="mine", place="a.csv, line 3")
    assert (example.source, example.origin) == ("mine", "a.csv, line 3")


def test_the_instruction_precedes_the_question():
    assert make({"prompt": Q, "completion": A}, instruction="Think.") == [("user", f"Think.\n\n{Q}"), A]


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_the_reasoning_of_the_last_turn_is_trained(key):
    first = assistant("3", **{key: "dropped, as chat templates do"})
    row = {"messages": [user("1+2?"), first, user(), assistant(**{key: WHY})]}
    assert make(row) == [("user", "1+2?"), ("assistant", "3"), ("user", Q), TAGGED]
    assert make({"messages": [user(), assistant(**{key: None})]}) == [("user", Q), A]
    assert make({"messages": [user(), assistant(**{key: ""})]}) == [("user", Q), A]


def test_two_different_reasonings_are_refused():
    row = {"messages": [user(), assistant(reasoning_content="a", thinking="b")]}
    with pytest.raises(DataError, match=r"messages.1: expected one reasoning"):
        make(row)


def test_text_parts_are_lines_of_a_turn():
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": Q, "image": None}]
    assert make({"messages": [user(parts), assistant()]}) == [("user", f"What is\n{Q}"), A]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"messages": [user([{"type": "image_url"}]), assistant()]}, r"messages.0.content.0: .*'image_url'"),
        ({"messages": [user(["text"]), assistant()]}, r"messages.0.content.0: .*'text'"),
        ({"messages": [user([{"type": "text"}]), assistant()]}, r"messages.0.content.0.text: .*none"),
        ({"messages": [user([]), assistant()]}, r"messages.0.content: .*not blank"),
        (
            {"messages": [user(), {"role": "tool", "content": "4"}, assistant()]},
            r"messages.1.role: expected a turn without tools, got 'tool'; .*leave the conversation out",
        ),
        ({"messages": [user(), assistant("", tool_calls=[{"id": "1"}])]}, r"messages.1.tool_calls: .*tools"),
        ({"messages": [user(), assistant("", function_call={"name": "f"})]}, r"messages.1.function_call"),
        ({"conversations": sharegpt(("human", Q), ("observation", "4"))}, r"conversations.1.from: .*tools"),
        ({"conversations": sharegpt(("human", Q), ("bing", "4"))}, r"conversations.1.from: .*'bing'"),
        ({"conversations": sharegpt(("gpt", A), ("human", Q))}, r"conversations: .*'assistant', 'user'"),
        ({"prompt": [user()], "completion": [assistant(), user(), assistant()]}, r"completion: .*one turn"),
        ({"prompt": [assistant()], "completion": A}, r"prompt and completion: .*in turn"),
        ({"prompt": Q, "completion": None}, r"completion: expected text, got none"),
        ({"instruction": Q, "output": A, "history": [["a", "b"]]}, r"history: .*messages"),
        ({"instruction": Q, "input": 3, "output": A}, r"input: expected text, got 3"),
        ({"question": Q, "answer": math.nan}, r"answer: .*NaN"),
        ({"question": math.nan, "answer": A}, r"question: .*NaN"),
        ({"question": Q, "answer": b"4"}, r"answer: expected text, got b'4'"),
        ({"question": Q, "answer": A, "reasoning": [WHY, "other"]}, r"reasoning: .*other"),
        ({"messages": "hello"}, r"messages: expected a list of turns"),
        ({"messages": "[{'role': 'user'}]"}, r"messages: expected a list of turns with role and content"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_its_place(row, message):
    with pytest.raises(DataError, match=rf"a.jsonl, line 7: {message}"):
        make(row)


def test_deeply_nested_values_are_refused():
    value = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(DataError, match=r"answer: expected text, got a list"):
        make({"question": Q, "answer": value})
    while value:  # a plain deletion would be recursive
        value = value.pop()


@pytest.mark.parametrize(
    ("row", "columns", "form", "shown"),
    [
        (
            {"question": Q, "thought": WHY, "solution": A},
            {"reasoning": "thought", "answer": "solution"},
            "question_answer",
            "question, answer (solution), reasoning (thought)",
        ),
        (
            {"problem": Q, "answer": "x", "solution": TAGGED, "messages": [user(), assistant()]},
            {"question": "problem", "answer": "solution"},
            "question_answer",
            "question (problem), answer (solution)",
        ),
        (
            {"chat": [user(), assistant(thinking=WHY)]},
            {"messages": "chat"},
            "messages",
            "messages (chat)",
        ),
        (
            {"turns": sharegpt(("human", Q), ("gpt", TAGGED))},
            {"conversations": "turns"},
            "sharegpt",
            "conversations (turns)",
        ),
    ],
)
def test_columns_are_mapped_and_decide_the_form(row, columns, form, shown):
    assert recognise_form(row, place="a", columns=columns) == form
    assert make(row, columns=columns) == [("user", Q), TAGGED]
    assert describe_columns(row, form, columns) == shown


def test_a_column_of_the_system_message_can_be_named():
    row = {"system_prompt": "s", "question": Q, "answer": A}
    assert make(row, columns={"system": "system_prompt"}) == [("system", "s"), ("user", Q), A]
    assert make(row | {"system": "not read in this form"}) == [("user", Q), A]


def test_a_column_that_does_not_exist_is_named():
    with pytest.raises(
        DataError, match=r"columns.answer .* got 'solutoin'; the row has \['question', 'solution'\]"
    ):
        recognise_form({"question": Q, "solution": A}, place="a", columns={"answer": "solutoin"})


def test_the_form_of_the_experiment_is_taken():
    row = {"question": Q, "answer": "x", "messages": [user(), assistant()]}
    assert recognise_form(row, place="a") == "messages"
    assert recognise_form(row, place="a", form="question_answer") == "question_answer"
    with pytest.raises(
        DataError, match=r"expected the columns of alpaca, instruction and output, got the keys"
    ):
        recognise_form(row, place="a", form="alpaca")
