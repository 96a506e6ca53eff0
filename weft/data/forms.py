"""Rows in the forms in which training examples are published, as examples.

==================  ==================================================================================
messages            ``messages``: turns with ``role`` and ``content``, also named ``conversations``
sharegpt            ``conversations``: turns with ``from`` and ``value``, also named ``messages``
question_answer     ``question``, ``answer`` and, if there is one, ``reasoning``
prompt_completion   ``prompt`` and ``completion``, as texts or as lists of turns (TRL)
alpaca              ``instruction``, ``input`` and ``output``, or ``context`` and ``response`` (Dolly)
==================  ==================================================================================

The model is trained on the last turn. Reasoning is put in tags before the answer, as in the paper.
"""

import math
from collections.abc import Callable, Mapping
from typing import NoReturn, get_args

from weft.config.sources import Column, Form
from weft.data.formats import describe_row, show_keys
from weft.data.instructions import with_instruction
from weft.data.jsonl import parse_value
from weft.data.rows import is_blank, is_unicode
from weft.data.tasks.problem import join_answer
from weft.errors import DataError
from weft.records import Example, JsonObject, Message
from weft.records.ids import example_id

REMEDY = "correct the file"
TURNS = ("messages", "conversations", "conversation")
"""Columns with the turns of a conversation."""
OTHER_NAMES = ("conversation", "context", "response", "history")
"""Columns beside those of the forms that are read under their own names."""
ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
}
"""Role of a turn in a file -> its role for the model."""
TOOL_ROLES = ("tool", "tool_call", "tool_response", "function", "function_call", "observation", "ipython")
TOOL_CALLS = ("tool_calls", "function_call")
"""Keys of a turn that calls tools."""
REASONING = ("reasoning_content", "reasoning", "thinking")
"""Keys of a turn that hold the reasoning before its content."""
SHOWN_CHARACTERS = 80
"""Length to which a wrong value is truncated in a message."""

_NAMES: dict[Form, tuple[frozenset[str], frozenset[str]]] = {
    "messages": (frozenset({"messages"}), frozenset()),
    "sharegpt": (frozenset({"conversations"}), frozenset({"system"})),
    "question_answer": (frozenset({"question", "answer"}), frozenset({"reasoning"})),
    "prompt_completion": (frozenset({"prompt", "completion"}), frozenset({"system"})),
    "alpaca": (frozenset({"instruction", "output"}), frozenset({"input", "system", "reasoning", "history"})),
}
"""Form -> columns that it needs, and others that it reads; in the order in which forms are looked for."""


def make_example(
    row: JsonObject,
    *,
    dataset: str,
    place: str,
    form: Form | None = None,
    columns: Mapping[Column, str] | None = None,
    instruction: str = "",
) -> Example:
    """Return the example of a row.

    Args:
        row: names of columns and their values.
        dataset: name of the data set.
        place: place of the row, such as "FILE, line N".
        form: form of the row; recognised by its columns if None.
        columns: name in the form -> name of the column in the row.
        instruction: text that precedes the question.

    Returns:
        The example.

    Raises:
        DataError: the row has none of the forms, or a text is missing or cannot be trained.
    """
    form = form or recognise_form(row, place=place, columns=columns)
    standard = _standardise(row, columns or {})
    missing = sorted(_NAMES[form][0] - standard.keys())
    if missing and all(name in row for name in missing):
        _refuse(place, missing[0], "text", None)
    if missing:
        names = " and ".join(sorted(_NAMES[form][0]))
        raise DataError(
            f"{place}: expected {names} (form {form}), as in the first row, got {show_keys(row)}; {REMEDY}: "
            "all rows must have the same form"
        )
    turns = _add_system(_READERS[form](standard, place), standard, form, columns or {}, place)
    history, question, answer = tuple(turns[:-2]), turns[-2].content, turns[-1].content
    question = with_instruction(instruction, question)
    optional = {"history": history} if history else {}  # an empty history is not written
    return Example(
        example_id=example_id(dataset, question, answer, history),
        question=question,
        answer=answer,
        source=dataset,
        origin=place,
        **optional,
    )


def recognise_form(
    row: JsonObject, *, place: str, columns: Mapping[Column, str] | None = None, form: Form | None = None
) -> Form:
    """Return the form of the first row of a data set.

    Messages take precedence over other columns, because they are what the model is meant to read.

    Args:
        row: the row.
        place: its place, for messages.
        columns: name in the form -> name of the column; the form must have all of these names.
        form: form that the experiment names, if it does.

    Returns:
        The form.

    Raises:
        DataError: the row has none of the forms, or lacks a column that is named.
    """
    named = columns or {}
    absent = {name: column for name, column in named.items() if column not in row}
    if absent:
        name, column = next(iter(absent.items()))
        raise DataError(
            f"{place}: columns.{name} must be the name of a column, got {column!r}; the row has "
            f"{list(map(str, row))!s:.300}; correct columns in the experiment file"
        )
    filled = _standardise(row, named).keys()
    for present in (filled, row.keys() | filled):  # a null is absent, unless the form is clear without it
        for known, (needed, others) in _NAMES.items():
            is_allowed = form in (known, None) and named.keys() <= needed | others | {"system"}
            if is_allowed and needed <= present and needed & filled:
                return known
    wanted = f"the columns of {form}, {' and '.join(sorted(_NAMES[form][0]))}" if form else (
        "question and answer, or messages"
    )  # fmt: skip
    raise DataError(f"{place}: expected {wanted}, {describe_row(row)}")


def describe_columns(row: JsonObject, form: Form, columns: Mapping[Column, str]) -> str:
    """Return the names of the columns that are read, for instance "question (problem), answer"."""
    present = _standardise(row, columns)
    needed, others = _NAMES[form]
    used = [name for name in get_args(Column) if name in present and name in needed | others | columns.keys()]
    return ", ".join(
        name if columns.get(name, name) == name else f"{name} ({columns[name]})" for name in used
    )


def _standardise(row: JsonObject, columns: Mapping[Column, str]) -> JsonObject:
    """Return the values of a row that are not null, under the names that the forms have."""
    named: JsonObject = {**row, **{str(name): row.get(column) for name, column in columns.items()}}
    given = {name: value for name, value in named.items() if value is not None}
    for name in TURNS:
        if isinstance(given.get(name), str) and str(given[name]).lstrip().startswith("["):
            given[name] = _parse_turns(str(given[name]))
    if "messages" in given and "conversations" not in given and _has_turns(given["messages"], "from"):
        given["conversations"] = given.pop("messages")
    for name in TURNS[1:]:
        if "messages" not in given and _has_turns(given.get(name), "role"):
            given["messages"] = given.pop(name)
    if "instruction" in given and "response" in given and "output" not in given:  # Dolly
        given["output"] = given["response"]
        given.setdefault("input", given.get("context", ""))
    return given


def _parse_turns(text: str) -> object:
    """Return a list that is written as JSON in a column of texts, as in CSV, or else the text."""
    try:
        return parse_value(text)
    except (ValueError, RecursionError):
        return text


def _has_turns(value: object, key: str) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and key in value[0]


# Forms


def _read_question(row: JsonObject, place: str) -> list[Message]:
    question = _require_text(row["question"], "question", place)
    return [
        _user(question),
        _assistant(_join_reasoning(row, _require_answer(row["answer"], "answer", place), place)),
    ]


def _read_alpaca(row: JsonObject, place: str) -> list[Message]:
    if row.get("history"):
        _refuse(
            place, "history", "no earlier turns in this form; write all turns as messages", row["history"]
        )
    instruction = _require_text(row["instruction"], "instruction", place)
    given = row.get("input", "")
    is_empty = isinstance(given, str) and is_blank(given)
    question = instruction if is_empty else f"{instruction}\n\n{_require_text(given, 'input', place)}"
    return [
        _user(question),
        _assistant(_join_reasoning(row, _require_answer(row["output"], "output", place), place)),
    ]


def _join_reasoning(row: JsonObject, answer: str, place: str) -> str:
    reasoning = row.get("reasoning", "")
    if isinstance(reasoning, list) and len(reasoning) == 1:
        reasoning = reasoning[0]
    return answer if reasoning == "" else join_answer(_require_text(reasoning, "reasoning", place), answer)


def _read_messages(row: JsonObject, place: str) -> list[Message]:
    return _read_turns(row["messages"], "messages", place)


def _read_sharegpt(row: JsonObject, place: str) -> list[Message]:
    return _read_turns(row["conversations"], "conversations", place, names=("from", "value"))


def _read_completion(row: JsonObject, place: str) -> list[Message]:
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(completion, list) and len(completion) != 1:
        _refuse(place, "completion", "one turn of the assistant", completion)
    asked = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    answered = completion if isinstance(completion, list) else [{"role": "assistant", "content": completion}]
    return _read_turns([*asked, *answered], "prompt and completion", place)


_READERS: dict[Form, Callable[[JsonObject, str], list[Message]]] = {
    "messages": _read_messages,
    "sharegpt": _read_sharegpt,
    "question_answer": _read_question,
    "prompt_completion": _read_completion,
    "alpaca": _read_alpaca,
}


def _add_system(
    turns: list[Message], row: JsonObject, form: Form, columns: Mapping[Column, str], place: str
) -> list[Message]:
    """Return the turns after the text of a column ``system``, if the form or the experiment names it."""
    text = row.get("system", "")
    is_read = "system" in _NAMES[form][1] or "system" in columns
    if not is_read or (isinstance(text, str) and is_blank(text)) or turns[0].role == "system":
        return turns
    return [Message(role="system", content=_require_text(text, "system", place)), *turns]


# Turns


def _read_turns(
    turns: object, field: str, place: str, *, names: tuple[str, str] = ("role", "content")
) -> list[Message]:
    if not isinstance(turns, list):
        _refuse(place, field, f"a list of turns with {names[0]} and {names[1]}", turns)
    read = [_read_turn(turn, f"{field}.{index}", place, names) for index, turn in enumerate(turns)]
    roles = [turn.role for turn in read]
    dialogue = roles[1:] if roles[:1] == ["system"] else roles
    if not dialogue or dialogue != ["user", "assistant"] * (len(dialogue) // 2):
        raise DataError(
            f"{place}: {field}: expected roles user and assistant in turn, after at most one system message "
            f"and ending with assistant, got {roles!s:.300}; {REMEDY}"
        )
    reasoning = _find_reasoning(turns[-1], f"{field}.{len(turns) - 1}", place)
    if reasoning is not None:
        read[-1] = _assistant(join_answer(reasoning, read[-1].content))
    return read


def _read_turn(turn: object, field: str, place: str, names: tuple[str, str]) -> Message:
    if not isinstance(turn, dict):
        _refuse(place, field, f"a turn with {names[0]} and {names[1]}", turn)
    role = turn.get(names[0])
    calls = next((key for key in TOOL_CALLS if turn.get(key)), None)
    if role in TOOL_ROLES or calls is not None:
        cause = calls or names[0]
        raise DataError(
            f"{place}: {field}.{cause}: expected a turn without tools, got {_show(turn[cause])}; weft trains "
            "no calls of tools: leave the conversation out, or write call and result as texts of the "
            "assistant and the user"
        )
    if not isinstance(role, str) or role not in ROLES:
        _refuse(place, f"{field}.{names[0]}", f"one of {list(ROLES)}", role)
    content = _join_parts(turn.get(names[1]), f"{field}.{names[1]}", place)
    return Message.model_validate({"role": ROLES[role], "content": content})


def _join_parts(content: object, field: str, place: str) -> str:
    """Return the text of a turn, which may be a list of parts {type: text, text: ...}; a line for each."""
    if not isinstance(content, list):
        return _require_text(content, field, place)
    texts = []
    for index, part in enumerate(content):
        if not isinstance(part, dict) or part.get("type") != "text":
            kind = part.get("type") if isinstance(part, dict) else part
            _refuse(place, f"{field}.{index}", "a part of type text, the only type that weft trains", kind)
        text = part.get("text")
        texts.append(text if text == "" else _require_text(text, f"{field}.{index}.text", place))
    return _require_text("\n".join(texts), field, place)


def _find_reasoning(turn: JsonObject, field: str, place: str) -> str | None:
    """Return the reasoning that a turn holds beside its content."""
    given = {key: turn[key] for key in REASONING if turn.get(key) not in (None, "")}
    texts = {_require_text(value, f"{field}.{key}", place) for key, value in given.items()}
    if len(texts) > 1:
        _refuse(place, field, f"one reasoning, which differs in {list(given)}", sorted(texts)[0])
    return texts.pop() if texts else None


def _user(text: str) -> Message:
    return Message(role="user", content=text)


def _assistant(text: str) -> Message:
    return Message(role="assistant", content=text)


# Texts


def _require_answer(value: object, field: str, place: str) -> str:
    """Return an answer, which may also be a number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return str(value) if is_number else _require_text(value, field, place)


def _require_text(value: object, field: str, place: str) -> str:
    if isinstance(value, float) and math.isnan(value):
        _refuse(place, field, "text", "NaN, a missing value of pandas")
    if not isinstance(value, str):
        _refuse(place, field, "text", value)
    if is_blank(value):
        _refuse(place, field, "text that is not blank", value)
    if not is_unicode(value):
        _refuse(place, field, "text that is valid Unicode", value)
    return value


def _refuse(place: str, field: str, expected: str, value: object) -> NoReturn:
    raise DataError(f"{place}: {field}: expected {expected}, got {_show(value)}; {REMEDY}")


def _show(value: object) -> str:
    try:
        return "none" if value is None else f"{value!r:.{SHOWN_CHARACTERS}}"
    except RecursionError:  # lists in lists in lists
        return f"a {type(value).__name__} that is nested deeply"
